"""A place to which nobody must be led, and a proxy in front of the upstream, shared by what asks no more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.scripted_upstream import ScriptedUpstream, upstream_in_thread
from tests.running import RunningProxy, config_for, running_proxy

KEY = "sk-configured-marked"


@pytest.fixture
def evil() -> Iterator[ScriptedUpstream]:
    """A server that listens, and that no configuration names."""
    with upstream_in_thread() as server:
        yield server


@pytest.fixture(scope="module")
def proxy(shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    """Its upstream has no base path, which would hide half of what a path can do, and a key that is worth stealing."""
    upstreams = {"main": {"base_url": shared_upstream.url, "api_key": "${MARKED_KEY}"}}
    config = config_for(shared_upstream.url, upstreams=upstreams)
    with running_proxy(config, tmp_path_factory.mktemp("proxy"), env={"MARKED_KEY": KEY}) as proxy:
        yield proxy
