"""Requests and answers that are small on the wire and large or deep once they are read: passed on, never a burden."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import TEXT, Behaviour
from tests.raw import RawAnswer, ask, chat_request, request
from tests.running import RunningProxy, config_for, running_proxy

MIB = 1 << 20
BOMB = gzip.compress(b'{"choices": [{"message": {"content": "' + b"x" * (300 * MIB) + b'"}}]}', compresslevel=9)
DEEP = b"[" * 100_000


@pytest.fixture(scope="module", params=["plain", "redacting"])
def proxy(
    request: pytest.FixtureRequest, shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProxy]:
    """One that records bytes as they come, and one that has to read them first."""
    redact = [{"pattern": "secret", "with": "[secret]"}] if request.param == "redacting" else []
    config = config_for(shared_upstream.base_url, record={"segment_s": 1.0, "redact": redact})
    with running_proxy(config, tmp_path_factory.mktemp(request.param)) as proxy:
        ask(proxy.url, chat_request())
        yield proxy


def largest(proxy: RunningProxy) -> int:
    """Resident memory of the largest process of the proxy."""
    return max(int(process.memory_info().rss) for process in proxy.processes())


def assert_well(proxy: RunningProxy, answer: RawAnswer) -> None:
    """The exchange is recorded, and so is the one after it."""
    for exchange in (answer, ask(proxy.url, chat_request())):
        assert proxy.record(exchange.header("x-nightschool-id"))["status"] == exchange.status
    assert "Traceback" not in proxy.log


@pytest.mark.parametrize(
    "body", [DEEP, b'{"model": "x", "messages": ' + DEEP, b'{"messages": [{"content": ' + b"{}," * 9000]
)
def test_a_request_nested_beyond_reason_is_the_upstreams_to_refuse(
    proxy: RunningProxy, upstream: ScriptedUpstream, body: bytes
) -> None:
    answer = ask(proxy.url, request("POST", "/v1/chat/completions", [("content-type", "application/json")], body))

    assert (answer.status, upstream.seen[0].body) == (400, body)
    assert_well(proxy, answer)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_nested_beyond_reason_is_passed_on(
    proxy: RunningProxy, upstream: ScriptedUpstream, stream: bool
) -> None:
    behaviour = Behaviour(events=(DEEP, b"[DONE]")) if stream else Behaviour(body=DEEP)
    upstream.then(behaviour)
    answer = ask(proxy.url, chat_request(stream=stream))

    assert DEEP in answer.body
    assert_well(proxy, answer)


def test_a_stream_of_very_many_choices_and_calls_is_put_together_in_good_time(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    def delta(index: int) -> bytes:
        call = {"index": index, "id": f"call_{index}", "function": {"name": "f", "arguments": "{}"}}
        return json.dumps({"choices": [{"index": index, "delta": {"tool_calls": [call]}}]}).encode()

    upstream.then(Behaviour(events=(*(delta(index) for index in range(5_000)), b"[DONE]")))
    answer = ask(proxy.url, chat_request(stream=True))

    record = proxy.record(answer.header("x-nightschool-id"))
    assert len(json.loads(record["response"])["choices"]) == 5_000
    assert_well(proxy, answer)


def test_indexes_beyond_reason_do_not_make_room_for_what_is_not_there(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    before = largest(proxy)
    call = {"index": 2_000_000_000, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    event = json.dumps({"choices": [{"index": 2_000_000_000, "delta": {"tool_calls": [call]}}]}).encode()
    upstream.then(Behaviour(events=(event, b"[DONE]")))
    answer = ask(proxy.url, chat_request(stream=True))

    assert_well(proxy, answer)
    assert largest(proxy) - before < 100 * MIB


def test_a_request_that_comes_compressed_is_forwarded_as_it_is_and_recorded_as_what_it_says(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    text = b'{"model": "plain", "messages": [{"role": "user", "content": "a secret"}]}'
    body = gzip.compress(text)
    upstream.then(Behaviour(body=json.dumps({"choices": [{"message": {"content": TEXT}}]}).encode()))
    headers = [("content-type", "application/json"), ("content-encoding", "gzip")]
    answer = ask(proxy.url, request("POST", "/v1/chat/completions", headers, body))

    record = proxy.record(answer.header("x-nightschool-id"))
    assert upstream.seen[0].body == body
    assert json.loads(record["request"])["messages"][0]["content"] in ("a secret", "a [secret]")
    assert b"secret" not in body


def test_a_compressed_answer_of_300_mb_is_passed_on_and_not_unfolded(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    before = largest(proxy)
    for _ in range(3):
        upstream.then(Behaviour(body=BOMB, headers=(("content-encoding", "gzip"),)))
        answer = ask(proxy.url, chat_request(headers=[("accept-encoding", "gzip")]))

        assert answer.body == BOMB
    record = proxy.record(answer.header("x-nightschool-id"))
    assert record["error_type"] is not None
    assert largest(proxy) - before < 200 * MIB
    assert_well(proxy, answer)
