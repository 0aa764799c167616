"""A student answers the official client, or its teacher does; the scripted replica speaks as vLLM does."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from demo.scripted_upstream import ScriptedUpstream, upstream_in_thread
from demo.upstream.behaviour import BEFORE_HEAD, TEXT, Behaviour, Fault
from tests.proxy.asking import MESSAGES
from tests.proxy.student_proxy import ADAPTER, StudentProxy, student_proxy
from tests.proxy.student_replica import USAGE, called, said, stream
from tests.running import Row
from tests.waiting import until

FIRST_TOKEN_S = 0.6
OFFER: Any = [
    {
        "type": "function",
        "function": {
            "name": "find",
            "description": "Find a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }
]
GOOD_CALL = called("find", '{"city": ', '"Bern"}')


@dataclass
class Scene:
    """Everybody who takes part."""

    client: openai.OpenAI
    proxy: StudentProxy
    replica: ScriptedUpstream
    teacher: ScriptedUpstream

    def ask(self, *, stream: bool, **fields: Any) -> tuple[str, Row, Mapping[str, str]]:
        """What the client is told in words, the record of it, and the headers."""
        asked: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES, **fields}
        if not stream:
            raw = self.client.chat.completions.with_raw_response.create(**asked)
            text = raw.parse().choices[0].message.content or ""
            return text, self.proxy.record(raw.headers["x-nightschool-id"]), raw.headers
        events = self.client.chat.completions.create(**asked, stream=True)
        text = "".join(event.choices[0].delta.content or "" for event in events if event.choices)
        headers = events.response.headers
        return text, self.proxy.record(headers["x-nightschool-id"]), headers


@contextlib.contextmanager
def scene(folder: Path, *, replicas: tuple[str, ...] = (), **sections: Any) -> Iterator[Scene]:
    with upstream_in_thread() as replica, upstream_in_thread() as teacher:
        urls = (*replicas, replica.url)
        sections.setdefault("student", {"first_token_s": FIRST_TOKEN_S, "price": {"input": 1.0, "output": 2.0}})
        with student_proxy(folder, teacher.base_url, *urls, **sections) as proxy:
            with openai.OpenAI(base_url=proxy.base_url, api_key="sk-caller", max_retries=0, timeout=20) as client:
                yield Scene(client, proxy, replica, teacher)
            replica.release()
            teacher.release()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("students")) as shared:
        yield shared


@pytest.fixture
def act(shared: Scene) -> Iterator[Scene]:
    """The shared scene, without anything that an earlier test left behind."""
    shared.replica.forget()
    shared.teacher.forget()
    shared.proxy.breakers.told.clear()
    yield shared
    shared.replica.release()


@pytest.mark.parametrize("streams", [False, True])
def test_a_students_words_reach_the_client_under_the_name_that_it_asked_for(act: Scene, streams: bool) -> None:
    act.replica.then(said("Ber", "n <\u2060|it", " is"))

    text, record, headers = act.ask(stream=streams)

    assert text == "Bern <|it is"
    assert headers["x-nightschool-target"] == "student"
    assert headers["x-nightschool-reason"] == "live"
    assert headers["x-nightschool-adapter"] == ADAPTER
    assert headers["x-request-id"] == headers["x-nightschool-id"]
    assert (record["target"], record["adapter"], record["reason"]) == ("student", ADAPTER, "live")
    assert (record["model_requested"], record["model_served"]) == ("gpt-4o", ADAPTER)
    assert record["upstream"] == f"replica {act.replica.url}"
    assert record["propensity"] == pytest.approx(0.75)
    assert (record["prompt_tokens"], record["completion_tokens"]) == (11, 5)
    assert record["cost_usd"] == pytest.approx(21e-6)
    assert (record["status"], record["complete"], record["error_type"]) == (200, True, None)
    assert (record["finish_reason"], record["stream"]) == ("stop", streams)
    response = json.loads(record["response"])
    assert response["model"] == "gpt-4o"
    assert response["id"] == "chatcmpl-1a2b"
    assert response["choices"][0]["message"]["content"] == text
    assert act.teacher.seen == []
    assert act.proxy.breakers.told == [(act.replica.url, "succeeded")]
    assert act.proxy.breakers.open[act.replica.url] == 0


def test_nothing_of_the_client_reaches_the_replica_but_its_question(act: Scene) -> None:
    act.replica.then(said("Bern"))
    client = act.client.with_options(
        default_headers={
            "cookie": "session=1",
            "api-key": "sk-azure",
            "x-api-key": "sk-other",
            "openai-organization": "org-1",
            "x-forwarded-for": "10.0.0.1",
            "user-agent": "the-app/1",
        }
    )

    client.chat.completions.create(
        model="../../etc/passwd",
        messages=MESSAGES,
        temperature=0.5,
        top_p=0.9,
        seed=7,
        stop=["\n"],
        user="u-1",
        metadata={"customer": "7"},
        store=True,
    )

    (seen,) = act.replica.seen
    assert seen.path == "/v1/chat/completions"
    names = {name.lower() for name, _ in seen.headers}
    assert names == {"host", "content-type", "x-request-id", "accept-encoding", "content-length"}
    assert seen.json() == {
        "model": ADAPTER,
        "messages": MESSAGES,
        "temperature": 0,
        "stop": ["\n"],
        "stream": True,
        "stream_options": {"include_usage": True},
        "stop_token_ids": [2],
    }


@pytest.mark.parametrize("wanted", [False, True])
def test_only_a_client_that_asked_for_usage_gets_it_in_a_stream(act: Scene, wanted: bool) -> None:
    act.replica.then(said("Bern"))

    events = list(
        act.client.chat.completions.create(
            model="gpt-4o", messages=MESSAGES, stream=True, stream_options={"include_usage": wanted}
        )
    )

    counted = [event.usage for event in events if event.usage is not None]
    assert len(counted) == wanted
    assert all(event.choices for event in events) == (not wanted)
    assert all(usage.completion_tokens == 5 for usage in counted)


def test_what_only_vllm_knows_is_left_out(act: Scene) -> None:
    act.replica.then(said("Bern"))

    answer = httpx.post(f"{act.proxy.base_url}/chat/completions", json={"model": "gpt-4o", "messages": MESSAGES}).json()

    assert answer == {
        "id": "chatcmpl-1a2b",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": "gpt-4o",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Bern", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }


@pytest.mark.parametrize("streams", [False, True])
def test_a_tool_call_says_who_made_it_and_its_result_is_understood(act: Scene, streams: bool) -> None:
    act.replica.then(GOOD_CALL, said("Bern it is"))
    asked: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES, "tools": OFFER}

    if streams:
        with act.client.chat.completions.stream(**asked) as events:
            message = events.get_final_completion().choices[0].message
    else:
        message = act.client.chat.completions.create(**asked).choices[0].message
    assert message.tool_calls
    (call,) = message.tool_calls
    assert re.fullmatch(r"call_ns_0123456789ab_[0-9a-f]{16}", call.id)
    assert len(call.id) <= 40
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("find", {"city": "Bern"})
    assert message.content is None

    result = {"role": "tool", "tool_call_id": call.id, "content": "found"}
    messages = [*MESSAGES, message.model_dump(exclude_none=True), result]
    answer = act.client.chat.completions.create(model="gpt-4o", messages=messages, tools=OFFER)

    assert answer.choices[0].message.content == "Bern it is"
    first, second = (seen.json() for seen in act.replica.seen)
    assert first["tools"] == OFFER
    assert first["tool_choice"] == "auto"
    assert second["messages"][1]["tool_calls"][0]["id"] == call.id == second["messages"][2]["tool_call_id"]


def test_a_forced_call_is_asked_for_none_and_checked(act: Scene) -> None:
    act.replica.then(GOOD_CALL)

    answer = act.client.chat.completions.create(
        model="gpt-4o",
        messages=MESSAGES,
        tools=OFFER,
        tool_choice={"type": "function", "function": {"name": "find"}},
    )

    assert answer.choices[0].message.tool_calls
    assert act.replica.seen[0].json()["tool_choice"] == "auto"


class City(BaseModel):
    name: str


@pytest.mark.parametrize("streams", [False, True])
def test_the_clients_parse_reads_a_students_json(act: Scene, streams: bool) -> None:
    act.replica.then(said('{"na', 'me": "Bern"}'))
    asked: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES, "response_format": City}

    if streams:
        with act.client.chat.completions.stream(**asked) as events:
            parsed = events.get_final_completion().choices[0].message.parsed
    else:
        parsed = act.client.chat.completions.parse(**asked).choices[0].message.parsed

    assert parsed == City(name="Bern")
    assert act.replica.seen[0].json()["response_format"]["type"] == "json_schema"


BERN = stream({"content": "Bern"})
IN_TWO = stream({"content": "Ber"}, {"content": "n"})
TOOLS = {"tools": OFFER}
FAILURES: dict[str, tuple[str, Behaviour, dict[str, Any]]] = {
    "status": ("fallback_status", Behaviour(status=500), {}),
    "prompt-too-long": ("fallback_status", Behaviour(status=400), {}),
    "adapter-gone": ("fallback_status", Behaviour(status=404), {}),
    "no-head": ("fallback_timeout", Behaviour(fault=Fault.HANG, after=BEFORE_HEAD), {}),
    "no-token": ("fallback_timeout", Behaviour(fault=Fault.HANG, after=0), {}),
    "silent-before-its-words": ("fallback_timeout", Behaviour(events=BERN, fault=Fault.HANG, after=1), {}),
    "reset": ("fallback_broken", Behaviour(fault=Fault.RESET, after=BEFORE_HEAD), {}),
    "cut-before-its-words": ("fallback_broken", Behaviour(events=BERN, fault=Fault.CLOSE, after=1), {}),
    "error-event": ("fallback_broken", Behaviour(events=(b'{"error":{"message":"dead","type":"EngineDead"}}',)), {}),
    "no-events": ("fallback_broken", Behaviour(body=b"{}"), {}),
    "empty": ("fallback_invalid", said(""), {}),
    "blank": ("fallback_invalid", said("\n", " "), {}),
    "broken-call": ("fallback_invalid", called("find", '{"city": Bern}'), TOOLS),
    "half-a-call": ("fallback_invalid", called("find", '{"city": "Be'), TOOLS),
    "unknown-tool": ("fallback_invalid", called("seek", '{"city": "Bern"}'), TOOLS),
    "wrong-arguments": ("fallback_invalid", called("find", '{"town": "Bern"}'), TOOLS),
    "call-left-as-text": ("fallback_invalid", said('<tool_call>{"name": "find"'), TOOLS),
    "no-call-though-required": ("fallback_invalid", said("Bern"), {**TOOLS, "tool_choice": "required"}),
    "no-json": ("fallback_invalid", said("Bern"), {"response_format": {"type": "json_object"}}),
}
UNWELL = {"status", "no-head", "no-token", "silent-before-its-words", "reset", "cut-before-its-words"} | {
    "error-event",
    "no-events",
}
"""Failures for which the replica is to blame."""


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("failure", FAILURES)
def test_the_teacher_answers_what_the_student_does_not(act: Scene, failure: str, streams: bool) -> None:
    reason, behaviour, fields = FAILURES[failure]
    act.replica.then(behaviour)
    before = act.proxy.failures()

    began = time.monotonic()
    text, record, headers = act.ask(stream=streams, **fields)

    assert time.monotonic() - began < FIRST_TOKEN_S + 20
    if not fields:
        assert text == TEXT
    assert (headers["x-nightschool-target"], headers["x-nightschool-reason"]) == ("teacher", reason)
    assert "x-nightschool-adapter" not in headers
    assert (record["target"], record["adapter"], record["reason"]) == ("teacher", None, reason)
    assert record["failed_adapter"] == ADAPTER
    assert (record["upstream"], record["model_served"]) == ("main", "gpt-4o-2026-05-01")
    assert record["propensity"] == pytest.approx(0.25)
    assert (record["status"], record["complete"], record["error_type"]) == (200, True, None)
    assert len(act.teacher.seen) == 1
    assert act.teacher.seen[0].header("authorization") == "Bearer sk-caller"
    assert act.teacher.seen[0].json()["model"] == "gpt-4o"
    assert act.proxy.breakers.told == [(act.replica.url, reason if failure in UNWELL else "succeeded")]
    assert act.proxy.breakers.open[act.replica.url] == 0
    assert act.proxy.failures().get(reason, 0) == before.get(reason, 0) + 1


@pytest.mark.parametrize("streams", [False, True])
def test_the_teachers_error_is_what_the_client_sees_if_it_fails_too(act: Scene, streams: bool) -> None:
    act.replica.then(Behaviour(status=500))
    act.teacher.then(Behaviour(status=429))

    with pytest.raises(openai.RateLimitError) as refused:
        act.ask(stream=streams)

    record = act.proxy.record(refused.value.response.headers["x-nightschool-id"])
    assert (record["target"], record["reason"], record["status"]) == ("teacher", "fallback_status", 429)


def test_a_question_that_no_student_can_be_asked_goes_to_the_teacher_at_once(act: Scene) -> None:
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]}]

    _, record, _ = act.ask(stream=False, messages=image)

    assert (record["target"], record["reason"], record["failed_adapter"]) == ("teacher", "capability", ADAPTER)
    assert act.replica.seen == []


def test_an_answer_may_be_cut_where_the_client_says_so(act: Scene) -> None:
    act.replica.then(said("Bern", finish_reason="length"))

    _, record, _ = act.ask(stream=False, max_tokens=5)

    assert (record["target"], record["finish_reason"]) == ("student", "length")


def test_an_answer_that_is_cut_though_the_client_allows_more_is_no_answer(act: Scene) -> None:
    act.replica.then(said("Bern", finish_reason="length"))

    _, record, _ = act.ask(stream=False, max_tokens=500)

    assert (record["target"], record["reason"]) == ("teacher", "fallback_invalid")


def test_where_there_is_less_room_than_the_client_allows_the_answer_gets_what_there_is(act: Scene) -> None:
    refusal = b'{"error":{"message":"This model\'s maximum context length is 2048 tokens.","type":"BadRequestError"}}'
    act.replica.then(Behaviour(status=400, body=refusal), said("Bern"))

    text, _, _ = act.ask(stream=False, max_tokens=4096)

    assert text == "Bern"
    assert [seen.json().get("max_tokens") for seen in act.replica.seen] == [4096, None]


def test_words_flow_from_their_first_token_on(act: Scene) -> None:
    act.replica.then(Behaviour(events=IN_TWO, fault=Fault.HANG, after=2))
    events = act.client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)

    first = [next(events).choices[0].delta.content for _ in range(2)]
    act.replica.release()
    rest = "".join(event.choices[0].delta.content or "" for event in events)

    assert (first, rest) == (["", "Ber"], "n")


@pytest.mark.parametrize(
    ("behaviour", "fields", "error_type"),
    [
        (Behaviour(events=IN_TWO, fault=Fault.CLOSE, after=2), {}, "upstream_broken"),
        (Behaviour(events=IN_TWO, fault=Fault.HANG, after=2), {}, "upstream_timeout"),
        (said("Ber", finish_reason="length"), {}, "invalid_output"),
        (said('{"a": ', "Bern}"), {"response_format": {"type": "json_object"}}, "invalid_output"),
    ],
)
def test_what_goes_wrong_after_the_first_words_is_told_in_the_stream(
    act: Scene, behaviour: Behaviour, fields: dict[str, Any], error_type: str
) -> None:
    act.replica.then(behaviour)
    events = act.client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True, **fields)

    with pytest.raises(openai.APIError) as failure:
        list(events)

    assert failure.value.type == error_type
    record = act.proxy.record(events.response.headers["x-nightschool-id"])
    assert (record["target"], record["adapter"], record["reason"]) == ("student", ADAPTER, "live")
    assert (record["complete"], record["error_type"]) == (False, error_type)
    assert act.teacher.seen == []


@pytest.mark.parametrize("after", [0, 2])
def test_a_client_that_leaves_ends_the_replicas_work_within_a_second(act: Scene, after: int) -> None:
    act.replica.then(Behaviour(events=IN_TWO, fault=Fault.HANG, after=after))
    body = {"model": "gpt-4o", "messages": MESSAGES, "stream": True}
    content = json.dumps(body).encode()
    host = act.proxy.url.removeprefix("http://").split(":")

    with socket.create_connection((host[0], int(host[1]))) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(content), content)
        )
        until(lambda: act.replica.open_answers == 1)
        if after:
            assert connection.recv(100)

    until(lambda: act.replica.open_answers == 0 and act.replica.open_connections == 0, within_s=1.0)
    assert act.teacher.seen == []


def test_an_unreachable_replica_is_passed_over(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with scene(tmp_path, replicas=(dead,)) as act:
        act.replica.then(said("Bern"))

        text, record, headers = act.ask(stream=False)

        assert (text, headers["x-nightschool-reason"]) == ("Bern", "live")
        assert record["upstream"] == f"replica {act.replica.url}"
        assert act.proxy.breakers.told == [(dead, "fallback_connect"), (act.replica.url, "succeeded")]


@pytest.mark.parametrize("streams", [False, True])
def test_the_teacher_answers_when_no_replica_can_be_reached(tmp_path: Path, streams: bool) -> None:
    with scene(tmp_path) as act, contextlib.ExitStack() as stack:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            dead = f"http://127.0.0.1:{taken.getsockname()[1]}"
        proxy = stack.enter_context(student_proxy(tmp_path / "dead", act.teacher.base_url, dead))
        client = stack.enter_context(openai.OpenAI(base_url=proxy.base_url, api_key="k", max_retries=0))

        text, record, _ = Scene(client, proxy, act.replica, act.teacher).ask(stream=streams)

        assert text == TEXT
        assert (record["target"], record["reason"]) == ("teacher", "fallback_connect")
        assert (record["adapter"], record["failed_adapter"], record["upstream"]) == (None, ADAPTER, "main")


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    ("behaviour", "status", "error_type"),
    [
        (Behaviour(status=500), 502, "upstream_refused"),
        (said(""), 502, "invalid_output"),
        (Behaviour(fault=Fault.HANG, after=0), 504, "upstream_timeout"),
    ],
)
def test_a_failure_that_is_not_escalated_is_the_clients(
    tmp_path: Path, behaviour: Behaviour, status: int, error_type: str, streams: bool
) -> None:
    workloads = {"cities": {"when": {"model": "*"}, "escalate": {"on": []}}}
    with scene(tmp_path, workloads=workloads) as act:
        act.replica.then(behaviour)

        with pytest.raises(openai.APIStatusError) as failure:
            act.ask(stream=streams)

        assert (failure.value.status_code, failure.value.type) == (status, error_type)
        record = act.proxy.record(failure.value.response.headers["x-nightschool-id"])
        assert (record["target"], record["adapter"], record["error_type"]) == ("student", ADAPTER, error_type)
        assert (record["model_served"], record["cost_usd"], record["complete"]) == (None, None, False)
        assert act.teacher.seen == []


@pytest.mark.parametrize("fault", [Fault.CLOSE, Fault.HANG, Fault.RESET])
def test_a_stream_that_is_held_is_made_good_by_the_teacher_whenever_it_breaks(tmp_path: Path, fault: Fault) -> None:
    workloads = {"cities": {"when": {"model": "*"}, "escalate": {"streams": "hold"}}}
    with scene(tmp_path, workloads=workloads) as act:
        act.replica.then(Behaviour(events=IN_TWO, fault=fault, after=3), Behaviour(events=IN_TWO))

        text, record, _ = act.ask(stream=True)
        assert text == TEXT
        assert (record["target"], record["complete"]) == ("teacher", True)

        text, record, _ = act.ask(stream=True)
        assert text == "Bern"
        assert (record["target"], record["complete"]) == ("student", True)


def test_the_record_is_on_the_disk_before_the_client_has_the_last_of_it(tmp_path: Path) -> None:
    with scene(tmp_path, record={"fsync": "always"}) as act:
        act.replica.then(said("Ber", "n"), said("Ber", "n"))

        for streams in (False, True):
            text, record, _ = act.ask(stream=streams)
            assert (text, record["complete"]) == ("Bern", True)


def test_a_redacted_record_of_a_student_has_no_secret(tmp_path: Path) -> None:
    redact = [{"pattern": "Bern", "with": "[city]"}]
    with scene(tmp_path, record={"redact": redact}) as act:
        act.replica.then(said("Ber", "n"))

        text, record, _ = act.ask(stream=True)

        assert text == "Bern"
        assert json.loads(record["response"])["choices"][0]["message"]["content"] == "[city]"
        assert record["completion_tokens"] == 5


SECRET = "Jane Roe, 078-05-1120"
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"properties": {"ssn": {"type": "integer"}}}}}


@pytest.mark.parametrize(
    ("behaviour", "fields", "told"),
    [
        (said(SECRET), {"response_format": {"type": "json_object"}}, "began an answer that cannot be used"),
        (said(json.dumps({"ssn": SECRET})), {"response_format": SCHEMA}, "it breaks the schema"),
        (called("find", json.dumps({"city": SECRET, "x": 1})), {"tools": OFFER}, "of find break their schema"),
        (called(SECRET, "{}"), {"tools": OFFER}, "it calls what is not on offer"),
        (Behaviour(status=400, body=json.dumps({"error": SECRET}).encode()), {}, "answered with status 400"),
    ],
)
def test_the_log_tells_how_a_student_failed_and_no_word_of_what_it_said(
    act: Scene, caplog: pytest.LogCaptureFixture, behaviour: Behaviour, fields: dict[str, Any], told: str
) -> None:
    act.replica.then(behaviour)

    act.ask(stream=False, **fields)

    lines = [record.getMessage() for record in caplog.records if "student_failed" in record.getMessage()]
    assert len(lines) == 1
    assert told in lines[0]
    assert "Roe" not in caplog.text
    assert "1120" not in caplog.text
