"""Which paths are the API, and which of them would leave it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.paths import API_PREFIXES, ApiPath, api_path, climbs, origin_form


@pytest.mark.parametrize(
    ("raw_path", "endpoint", "deployment"),
    [
        (b"/v1/chat/completions", "/chat/completions", None),
        (b"/v1/", "/", None),
        (b"/v1/models/a%2Fb", "/models/a%2Fb", None),
        (b"/v1/openai/deployments/x/y", "/openai/deployments/x/y", None),
        (b"/openai/deployments/my-gpt/chat/completions", "/chat/completions", "my-gpt"),
        (b"/openai/deployments/my%20gpt%2F4/embeddings", "/embeddings", "my gpt/4"),
        (b"/openai/deployments/my-gpt", "/", "my-gpt"),
        (b"/openai/deployments/", "/deployments/", None),
        (b"/openai/deployments", "/deployments", None),
        (b"/openai/v1/responses", "/responses", None),
        (b"/openai/v1", "/", None),
        (b"/openai/v1beta/files", "/v1beta/files", None),
        (b"/openai/files", "/files", None),
        (b"/openai/", "/", None),
    ],
)
def test_a_path_has_an_endpoint_and_perhaps_a_deployment(
    raw_path: bytes, endpoint: str, deployment: str | None
) -> None:
    assert api_path(raw_path) == ApiPath(endpoint, deployment)


@given(st.sampled_from(API_PREFIXES), st.binary(max_size=40))
def test_every_path_under_a_prefix_has_an_endpoint_that_begins_with_a_slash(prefix: bytes, behind: bytes) -> None:
    assert api_path(prefix + behind).endpoint.startswith("/")


@pytest.mark.parametrize(
    "raw_path",
    [
        b"/v1/../admin",
        b"/v1/..",
        b"/v1/models/../../admin",
        b"/v1/./models",
        b"/v1/.",
        b"/v1/%2e%2e/admin",
        b"/v1/%2E%2E/admin",
        b"/v1/.%2e/admin",
        b"/v1/%2e./admin",
        b"/v1/%2e",
        b"/v1/..%2f..%2fadmin",
        b"/v1/x%2F..%2Fadmin",
        b"/openai/deployments/../../admin",
    ],
)
def test_a_path_with_dot_segments_climbs(raw_path: bytes) -> None:
    assert climbs(raw_path)


@pytest.mark.parametrize(
    "raw_path",
    [
        b"/v1/models/gpt-4.1",
        b"/v1/files/a..b",
        b"/v1/files/...",
        b"/v1/files/.hidden",
        b"/v1/models/v1.",
        b"/v1/models/a%2Eb",
        b"/v1/models/a%20b",
        b"/v1/chat/completions",
    ],
)
def test_a_path_with_dots_in_its_names_does_not_climb(raw_path: bytes) -> None:
    assert not climbs(raw_path)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://proxy/v1/models", b"/v1/models"),
        (b"http://proxy:8080/v1/models?a=http://b/c", b"/v1/models?a=http://b/c"),
        (b"HTTPS://user:word@[::1]:80/v1/a%2Fb", b"/v1/a%2Fb"),
        (b"http://proxy//v1/models", b"//v1/models"),
        (b"http://proxy", b"/"),
        (b"http://proxy?a=b", b"/?a=b"),
    ],
)
def test_a_target_with_a_host_means_its_path(target: bytes, path: bytes) -> None:
    assert origin_form(target) == path


@pytest.mark.parametrize(
    "target",
    [b"/v1/models", b"/http://proxy/v1/models", b"*", b"proxy:80", b"gopher://proxy/v1/models", b"http:///v1/models"],
)
def test_every_other_target_stays(target: bytes) -> None:
    assert origin_form(target) == target
