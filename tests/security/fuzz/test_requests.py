"""The request path: arbitrary bytes on a socket get an answer or a closed connection, never a fault of ours."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.scripted_upstream import ScriptedUpstream, upstream_in_thread
from tests.raw import RawConnection, ask, chat_request, request
from tests.running import RunningProxy, config_for, running_proxy
from tests.security.fuzz.damage import damaged

WAIT_S = 0.04
"""For an answer that may never come, because the request is not whole."""
PIECES = (
    *(b"\r\n", b"\n", b"\r\n\r\n", b"\0", b"\x1b[31m", b"\xff\xfe", b": ", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.1\r\n"),
    *(b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n", b"expect: 100-continue\r\n", b"host: evil\r\n"),
    *(b"connection: upgrade\r\nupgrade: h2c\r\n", b"x-nightschool-tags: {\r\n", b"x-nightschool-target: student\r\n"),
    *(
        b"CONNECT x:1 ",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"http://evil/v1/",
        b"//",
        b"/../",
        b"%00",
        b"%",
        b"?",
        b"#",
        b"@",
    ),
    *(
        b"content-encoding: gzip\r\n",
        b"content-type: text/plain\r\n",
        b"connection: close\r\n",
        b"/openai/deployments/",
    ),
)
SHAPES = (
    chat_request(),
    chat_request(stream=True, headers=[("x-nightschool-tags", '{"a":"b"}')]),
    chat_request(target="/openai/deployments/my%20gpt/chat/completions?api-version=2026-05-01"),
    request("GET", "/v1/models"),
    request("POST", "/v1/files", [("content-type", "multipart/form-data; boundary=x")], b"--x--\r\n"),
    request("POST", "/v1/chat/completions", [("transfer-encoding", "chunked")]) + b"4\r\nabcd\r\n0\r\n\r\n",
    request("GET", "/metrics"),
    request("POST", "/nightschool/v1/feedback", [("content-type", "application/json")], b'{"id": "x", "score": 1}'),
)
shapes = st.sampled_from(SHAPES).flatmap(lambda shape: damaged(shape, PIECES))
TOKENS = st.text("abcdefghij-", min_size=1, max_size=10)
SPECIAL = (
    *("content-type", "content-encoding", "authorization", "api-key", "cookie", "connection", "te", "expect"),
    *(f"x-nightschool-{name}" for name in ("workload", "tags", "conversation", "record", "target")),
)
HEADERS = st.lists(
    st.tuples(
        TOKENS | st.sampled_from(SPECIAL),
        st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20),
    ),
    max_size=5,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)
FIELDS = ["model", "messages", "stream", "stream_options", "tools", "response_format", "metadata", "logprobs", "n"]
BODIES = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6).map(lambda body: json.dumps(body).encode())
TARGETS = st.sampled_from(["/v1/chat/completions", "/v1/responses", "/v1/x", "/openai/v1/y", "/v1//evil.example/z"])


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    with upstream_in_thread() as upstream:
        yield upstream


@pytest.fixture(scope="module", params=["plain", "busy"])
def proxy(
    request: pytest.FixtureRequest, upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    """One with nothing but an upstream, and one that has to look at everything: rules, redaction, log probabilities."""
    rules = {"tool": "f*", "system_prompt": "(?i)x", "schema": "y*"}
    busy = {
        "record": {"segment_s": 1.0, "redact": [{"pattern": "secret", "with": "[secret]"}]},
        "workloads": {name: {"when": {name: value}} for name, value in rules.items()},
        "limits": {"request_body_bytes": 2_000},
        "upstreams": {"main": {"base_url": upstream.base_url, "kind": "azure", "api_version": "2026-05-01"}},
    }
    config = config_for(upstream.base_url, **(busy if request.param == "busy" else {}))
    with running_proxy(config, tmp_path_factory.mktemp(request.param), quiet=False) as proxy:
        yield proxy


def exchanged(proxy: RunningProxy, data: bytes) -> bytes:
    """What comes back within a moment, or until the connection ends."""
    received = b""
    with RawConnection(proxy.url) as connection, contextlib.suppress(OSError):
        connection.send(data)
        connection.socket.settimeout(WAIT_S)
        while piece := connection.socket.recv(1 << 16):
            received += piece
            if b"\r\n\r\n" in received:
                connection.socket.settimeout(WAIT_S / 4)
    return received


def assert_no_fault(proxy: RunningProxy, data: bytes, *, logged: int, worker: int) -> None:
    received = exchanged(proxy, data)

    assert not re.search(rb"^HTTP/1\.[01] 500 ", received, re.MULTILINE), received
    assert b"proxy_fault" not in received
    assert "Traceback" not in proxy.log[logged:], proxy.log[logged:]
    assert proxy.worker().pid == worker


@settings(deadline=None)
@given(data=shapes | st.binary(max_size=200))
def test_damaged_requests_and_noise_never_make_it_fail(proxy: RunningProxy, data: bytes) -> None:
    assert_no_fault(proxy, data, logged=len(proxy.log), worker=proxy.worker().pid)


@settings(deadline=None)
@given(target=TARGETS, headers=HEADERS, body=BODIES | damaged(b'{"model": "m", "messages": [{"role": "user"}]}'))
def test_any_headers_and_bodies_are_forwarded_or_refused(
    proxy: RunningProxy, target: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    data = request("POST", target, [("content-type", "application/json"), *headers], body)
    assert_no_fault(proxy, data, logged=len(proxy.log), worker=proxy.worker().pid)


@settings(deadline=None)
@given(pair=st.sampled_from(SHAPES[:2]).flatmap(lambda first: st.tuples(st.just(first), damaged(first, PIECES))))
def test_a_request_means_the_same_on_a_connection_that_knows_one_like_it(
    proxy: RunningProxy, upstream: ScriptedUpstream, pair: tuple[bytes, bytes]
) -> None:
    first, second = pair
    # A busy machine may take longer than a moment: what differs is looked at again, in peace.
    assert any(same(proxy, upstream, first, second, wait_s) for wait_s in (WAIT_S, 1.0))


def same(proxy: RunningProxy, upstream: ScriptedUpstream, first: bytes, second: bytes, wait_s: float) -> bool:
    """Whether ``second`` does the same behind ``first`` as alone."""
    known, known_good = arrived(proxy, upstream, (first, second), wait_s)
    fresh, fresh_good = arrived(proxy, upstream, (second,), wait_s)
    both = min(len(known), len(fresh))
    # What comes behind a request and is no HTTP ends the connection, be the request under way by then or not.
    as_many = len(known) == len(fresh) or not known_good
    return known_good == fresh_good and known[:both] == fresh[:both] and as_many


def arrived(
    proxy: RunningProxy, upstream: ScriptedUpstream, requests: Sequence[bytes], wait_s: float
) -> tuple[list[tuple[str, str, list[tuple[str, str]], str]], bool]:
    """What reaches the upstream of the last of them, those before it having been answered; and whether it was HTTP."""
    received = b""
    with RawConnection(proxy.url) as connection, contextlib.suppress(OSError):
        for each in requests[:-1]:
            connection.send(each)
            connection.answer()
        upstream.seen.clear()
        connection.socket.settimeout(wait_s)
        connection.send(requests[-1])
        while piece := connection.socket.recv(1 << 16):
            received += piece
            connection.socket.settimeout(wait_s / 4)
    complete = [seen for seen in upstream.seen if seen.body_complete]
    return [(one.method, one.target, one.headers, one.body_sha256) for one in complete], b" 400 " not in received[:30]


def test_after_all_of_it_requests_are_answered_and_recorded(proxy: RunningProxy) -> None:
    answer = ask(proxy.url, chat_request(target="/openai/deployments/plain/chat/completions"))

    assert answer.status == 200
    assert proxy.record(answer.header("x-nightschool-id"))["status"] == 200
