"""One proxy in front of the scripted upstream, shared by all tests that need no configuration of their own."""

from __future__ import annotations

import gc
import uuid
from collections.abc import Iterator

import openai
import pytest

from demo.scripted_upstream import ScriptedUpstream
from tests.running import RunningProxy, config_for, running_proxy

ENV = {"KEYED_API_KEY": "sk-configured", "AZURE_API_KEY": "azure-configured", "EXTRA_HEADER": "extra-configured"}


@pytest.fixture(scope="session")
def proxy(shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    """A proxy with several upstreams, which are told apart by the path at which the request arrives."""
    config = config_for(
        shared_upstream.base_url,
        upstreams={
            "main": {"base_url": shared_upstream.base_url},
            "other": {"base_url": f"{shared_upstream.url}/other/v1"},
            "keyed": {
                "base_url": f"{shared_upstream.url}/keyed/v1/",
                "api_key": "${KEYED_API_KEY}",
                "headers": {"x-extra": "${EXTRA_HEADER}", "user-agent": "nightschool-test"},
            },
            "azure": {
                "base_url": shared_upstream.url,
                "kind": "azure",
                "api_version": "2026-05-01",
                "api_key": "${AZURE_API_KEY}",
            },
        },
        default_upstream="main",
        prices={
            "priced": {"input": 1_000_000.0, "cached_input": 100_000.0, "output": 10_000_000.0},
            "priced-2026-05-01": {"input": 1_000_000.0, "cached_input": 100_000.0, "output": 10_000_000.0},
        },
        limits={"request_body_bytes": 100_000},
        workloads={
            "by-two-conditions": {"when": {"model": "routed-*", "tool": "redact*"}, "teacher": "keyed"},
            "by-model": {"when": {"model": "routed-*"}, "teacher": "other"},
            "by-tool": {"when": {"tool": "find_*"}, "teacher": "other"},
            "by-tag": {"when": {"tag.team": "pay*"}, "teacher": "other"},
            "by-header": {"when": {"header.X-Team": "pay*"}, "teacher": "other"},
            "by-system-prompt": {"when": {"system_prompt": "(?i)you redact .* data"}, "teacher": "other"},
            "by-schema": {"when": {"schema": "invoice"}, "teacher": "other"},
            "by-path": {"when": {"path": "/moderations"}, "teacher": "other"},
            "to-keyed": {"when": {"model": "keyed"}, "teacher": "keyed"},
            "to-azure": {"when": {"model": "my gpt"}, "teacher": "azure"},
        },
    )
    with running_proxy(config, tmp_path_factory.mktemp("proxy"), env=ENV) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: RunningProxy, upstream: ScriptedUpstream) -> Iterator[openai.OpenAI]:
    """The official client, pointed at the proxy and told not to retry."""
    with openai.OpenAI(base_url=proxy.base_url, api_key="sk-caller", max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
def tag() -> str:
    """A value for the tag ``test`` by which the test finds its records again."""
    return uuid.uuid4().hex


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Only what nothing refers to any more is freed."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
