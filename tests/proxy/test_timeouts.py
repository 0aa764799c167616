"""An upstream that cannot be reached, is silent or breaks off: client and record learn which one it was and why."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import Behaviour
from tests.proxy.asking import MESSAGES
from tests.raw import RawConnection, ask, chat_request, request
from tests.running import RunningProxy, config_for, running_proxy
from tests.waiting import until

KEYS = {"message", "type", "param", "code"}
SHORT = {"connect_s": 0.4, "first_byte_s": 0.6, "idle_s": 0.6}


@contextlib.contextmanager
def nobody_listens() -> Iterator[str]:
    """The address of a port that is taken, so that nobody else gets it, and refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


@contextlib.contextmanager
def nobody_accepts() -> Iterator[str]:
    """The address of a port whose queue is full: the kernel drops every further attempt to connect."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


@pytest.fixture(scope="module")
def impatient(shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    """A proxy with short clocks, and with upstreams that cannot be reached in different ways."""
    with nobody_listens() as refusing, nobody_accepts() as dropping:
        config = config_for(
            shared_upstream.base_url,
            timeouts=SHORT,
            upstreams={
                "main": {"base_url": shared_upstream.base_url},
                "patient": {"base_url": f"{shared_upstream.url}/patient/v1", "timeouts": {"first_byte_s": 30.0}},
                "refusing": {"base_url": refusing},
                "dropping": {"base_url": dropping},
                "unknown": {"base_url": "http://no-such-host.invalid/v1"},
                "first": {"base_url": refusing, "fallback": "second"},
                "second": {"base_url": dropping, "fallback": "third"},
                "third": {"base_url": f"{shared_upstream.url}/third/v1"},
                "answering": {"base_url": f"{shared_upstream.url}/answering/v1", "fallback": "third"},
                "hopeless": {"base_url": refusing, "fallback": "refusing"},
            },
            default_upstream="main",
            workloads={
                name: {"when": {"header.x-to": name}, "teacher": name}
                for name in ("patient", "refusing", "dropping", "unknown", "first", "answering", "hopeless")
            },
        )
        with running_proxy(config, tmp_path_factory.mktemp("impatient")) as proxy:
            yield proxy


def to(name: str, model: str = "plain", **fields: Any) -> bytes:
    return chat_request(model, headers=[("x-to", name)], **fields)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("name", "status", "cause"),
    [("refusing", 502, "refused"), ("unknown", 502, "no-such-host.invalid"), ("dropping", 504, "within 0.4 s")],
)
def test_an_upstream_that_cannot_be_reached_is_named_with_the_cause(
    impatient: RunningProxy, upstream: ScriptedUpstream, name: str, status: int, cause: str, stream: bool
) -> None:
    answer = ask(impatient.url, to(name, stream=stream))

    record = impatient.record(answer.header("x-nightschool-id"))
    error = answer.json()["error"]
    assert (answer.status, set(error)) == (status, KEYS)
    assert name in error["message"]
    assert cause in error["message"]
    assert (record["status"], record["upstream"], record["error_type"]) == (status, name, error["type"])
    assert error["type"] == ("upstream_timeout" if status == 504 else "upstream_unreachable")


def test_the_official_client_reads_our_errors(impatient: RunningProxy) -> None:
    with (
        openai.OpenAI(base_url=impatient.base_url, api_key="k", max_retries=0) as client,
        pytest.raises(openai.InternalServerError) as raised,
    ):
        client.chat.completions.create(model="x", messages=MESSAGES, extra_headers={"x-to": "refusing"})

    assert (raised.value.status_code, raised.value.code) == (502, "upstream_unreachable")


@pytest.mark.parametrize("stream", [False, True])
def test_a_silent_upstream_is_504_when_the_first_byte_is_late(
    impatient: RunningProxy, upstream: ScriptedUpstream, stream: bool
) -> None:
    began = time.monotonic()
    answer = ask(impatient.url, chat_request("hang-before-head", stream=stream))
    took_s = time.monotonic() - began

    record = impatient.record(answer.header("x-nightschool-id"))
    assert (answer.status, answer.json()["error"]["type"]) == (504, "upstream_timeout")
    assert "main" in answer.json()["error"]["message"]
    assert "0.6 s" in answer.json()["error"]["message"]
    assert 0.5 < took_s < 30
    assert (record["status"], record["error_type"], record["complete"]) == (504, "upstream_timeout", False)
    until(lambda: upstream.open_answers == 0)
    assert upstream.seen[0].cancelled is not None


def test_an_upstream_has_clocks_of_its_own(impatient: RunningProxy, upstream: ScriptedUpstream) -> None:
    upstream.then(Behaviour(head_delay_s=1.0))

    assert ask(impatient.url, to("patient")).status == 200


def test_a_slow_stream_is_not_a_silent_one(impatient: RunningProxy, upstream: ScriptedUpstream) -> None:
    upstream.then(Behaviour(event_delay_s=0.1))
    began = time.monotonic()
    answer = ask(impatient.url, chat_request(stream=True))

    assert time.monotonic() - began > SHORT["idle_s"]
    assert answer.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("model", ["hang", "hang-after-head"])
def test_a_stream_that_falls_silent_ends_with_an_error_event(
    impatient: RunningProxy, upstream: ScriptedUpstream, model: str
) -> None:
    with openai.OpenAI(base_url=impatient.base_url, api_key="k", max_retries=0) as client:
        raw = client.chat.completions.with_raw_response.create(model=model, messages=MESSAGES, stream=True)
        with pytest.raises(openai.APIError, match=r"silent for 0\.6 s"):
            list(raw.parse())

    record = impatient.record(raw.headers["x-nightschool-id"])
    assert (record["status"], record["complete"], record["error_type"]) == (200, False, "upstream_timeout")
    until(lambda: upstream.open_answers == 0)


def test_a_plain_answer_that_falls_silent_is_cut_off_visibly(
    impatient: RunningProxy, upstream: ScriptedUpstream
) -> None:
    answer = ask(impatient.url, chat_request("hang"))

    record = impatient.record(answer.header("x-nightschool-id"))
    assert not answer.whole
    assert (record["complete"], record["error_type"]) == (False, "upstream_timeout")


@pytest.mark.parametrize("model", ["reset", "no-last-chunk", "truncated-chunk", "wrong-chunk-size"])
def test_a_stream_that_breaks_off_ends_with_an_error_event(
    impatient: RunningProxy, upstream: ScriptedUpstream, model: str
) -> None:
    direct = ask(upstream.url, chat_request(stream=True, headers=[("x-scripted", model)]))
    through = ask(impatient.url, chat_request(stream=True, headers=[("x-scripted", model)]))

    record = impatient.record(through.header("x-nightschool-id"))
    whole_events = direct.body[: direct.body.rindex(b"\n\n") + 2]
    last = through.body.rstrip(b"\n").split(b"\n\n")[-1]
    assert (through.status, through.whole) == (200, True)
    assert through.body.startswith(whole_events)
    assert last.startswith(b'data: {"error":{')
    assert b"main" in last
    assert b"[DONE]" not in through.body
    assert (record["status"], record["complete"], record["error_type"]) == (200, False, "upstream_broken")
    assert "The quick" in record["response"]


def test_a_plain_answer_that_breaks_off_is_cut_off_visibly(impatient: RunningProxy, upstream: ScriptedUpstream) -> None:
    for name in ("reset", "no-last-chunk"):
        answer = ask(impatient.url, chat_request(headers=[("x-scripted", name)]))

        record = impatient.record(answer.header("x-nightschool-id"))
        assert (answer.status, answer.whole) == (200, False)
        assert (record["complete"], record["error_type"]) == (False, "upstream_broken")


@pytest.mark.parametrize("name", ["reset-before-head", "close-before-head", "garbage"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_without_an_answer_is_502_and_asked_once(
    impatient: RunningProxy, upstream: ScriptedUpstream, name: str, stream: bool
) -> None:
    answer = ask(impatient.url, chat_request(stream=stream, headers=[("x-scripted", name)]))

    record = impatient.record(answer.header("x-nightschool-id"))
    assert (answer.status, set(answer.json()["error"])) == (502, KEYS)
    assert "main" in answer.json()["error"]["message"]
    assert len(upstream.seen) == 1
    assert (record["status"], record["error_type"]) == (502, "upstream_broken")


def test_a_request_that_was_sent_on_a_dying_connection_is_not_repeated(
    impatient: RunningProxy, upstream: ScriptedUpstream
) -> None:
    """It may have had an effect: the client decides whether it asks again."""
    upstream.then(Behaviour())
    assert ask(impatient.url, chat_request()).status == 200
    first = len(upstream.seen)
    answer = ask(impatient.url, chat_request("drop-reused"))

    assert (answer.status, len(upstream.seen)) == (502, first + 1)


@pytest.mark.parametrize("stream", [False, True])
def test_fallbacks_are_tried_in_turn_when_no_connection_can_be_made(
    impatient: RunningProxy, upstream: ScriptedUpstream, stream: bool
) -> None:
    answer = ask(impatient.url, to("first", stream=stream))

    record = impatient.record(answer.header("x-nightschool-id"))
    assert answer.status == 200
    assert upstream.seen[0].path == "/third/v1/chat/completions"
    assert (record["upstream"], record["reason"], record["workload"]) == ("third", "fallback", "first")
    assert answer.header("x-nightschool-reason") == "fallback"


@pytest.mark.parametrize("model", ["status-500", "status-429", "reset-before-head", "hang-before-head"])
def test_an_upstream_that_was_reached_has_no_fallback(
    impatient: RunningProxy, upstream: ScriptedUpstream, model: str
) -> None:
    answer = ask(impatient.url, to("answering", model))

    assert answer.status in (429, 500, 502, 504)
    assert [seen.path for seen in upstream.seen] == ["/answering/v1/chat/completions"]


def test_when_every_fallback_fails_the_first_failure_is_told(impatient: RunningProxy) -> None:
    answer = ask(impatient.url, to("hopeless"))

    assert answer.status == 502
    assert "hopeless" in answer.json()["error"]["message"]


def test_a_large_upload_falls_back_whole(impatient: RunningProxy, upstream: ScriptedUpstream) -> None:
    body = bytes(range(256)) * 20_000
    headers = [("content-type", "application/octet-stream"), ("x-to", "first")]
    answer = ask(impatient.url, request("POST", "/v1/echo", headers, body))

    assert answer.json()["body_bytes"] == len(body)


def test_a_client_may_take_its_time_over_an_upload(impatient: RunningProxy, upstream: ScriptedUpstream) -> None:
    """The clocks are for the upstream: the client's pauses are not held against it."""
    headers = [("content-type", "application/octet-stream"), ("content-length", "6")]
    with RawConnection(impatient.url) as connection:
        connection.send(request("POST", "/v1/echo", headers) + b"abc")
        time.sleep(2 * SHORT["first_byte_s"])
        connection.send(b"def")

        assert connection.answer().status == 200


def test_failures_are_counted_and_logged_by_upstream(impatient: RunningProxy) -> None:
    before = impatient.metric("nightschool_upstream_errors_total", upstream="refusing")
    ask(impatient.url, to("refusing"))

    assert impatient.metric("nightschool_upstream_errors_total", upstream="refusing") > before
    impatient.wait_for_log(r"upstream_\w+ upstream=refusing")
