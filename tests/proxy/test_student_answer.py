"""A replica's stream -> the client's: what is let go when, and that it is the same however it arrives."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.errors import StudentFailed
from nightschool.formats import unguarded
from nightschool.wire.reassemble import reassemble
from nightschool.wire.sse import EventSplitter
from proxy.student_answer import Last, StudentAnswer
from proxy.student_question import student_question
from tests.proxy.student_replica import USAGE, call_deltas, stream

Json = dict[str, Any]
ADAPTER = "w--0123456789ab"
FIND = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}


def answer(**request: Any) -> StudentAnswer:
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "stream": True, **request}
    question = student_question(json.dumps(asked).encode(), greedy=True)
    return StudentAnswer(question, replica="replica r", adapter=ADAPTER, model="gpt-4o")


def run(taker: StudentAnswer, events: tuple[bytes, ...]) -> tuple[list[bytes], Last]:
    """What each event lets go, and the end."""
    return [taker.feed(data) for data in events], taker.end()


def deltas(data: bytes) -> list[Json]:
    """Of the events of a client."""
    documents = [json.loads(event[6:]) for event in data.split(b"\n\n") if event and event != b"data: [DONE]"]
    return [document["choices"][0]["delta"] for document in documents if document["choices"]]


def test_words_are_let_go_one_by_one_once_the_first_of_them_is_there() -> None:
    passed, last = run(answer(), stream({"content": " "}, {"content": "Ber"}, {"content": "n"}))

    assert [deltas(piece) for piece in passed[:4]] == [
        [],
        [],
        [{"role": "assistant", "content": "", "refusal": None}, {"content": " "}, {"content": "Ber"}],
        [{"content": "n"}],
    ]
    assert deltas(last.client) == [{}]
    assert last.client.endswith(b"data: [DONE]\n\n")


def test_calls_are_let_go_when_all_of_them_are_whole() -> None:
    made = [*call_deltas(0, "find", '{"a"', ": 1}"), *call_deltas(1, "find", "{}")]
    passed, last = run(answer(tools=[FIND]), stream(*made, finish_reason="tool_calls"))

    assert b"".join(passed) == b""
    first, *calls, end = deltas(last.client)
    assert first == {"role": "assistant", "content": None, "refusal": None}
    heads = [delta["tool_calls"][0] for delta in calls[::2]]
    arguments = [delta["tool_calls"][0] for delta in calls[1::2]]
    assert [(head["index"], head["type"], head["function"]) for head in heads] == [
        (0, "function", {"name": "find", "arguments": ""}),
        (1, "function", {"name": "find", "arguments": ""}),
    ]
    assert arguments == [
        {"index": 0, "function": {"arguments": '{"a": 1}'}},
        {"index": 1, "function": {"arguments": "{}"}},
    ]
    assert len({head["id"] for head in heads}) == 2
    assert all(head["id"].startswith("call_ns_0123456789ab_") for head in heads)
    assert end == {}


def test_words_before_a_call_flow_and_the_call_follows() -> None:
    said = stream({"content": "I look."}, *call_deltas(0, "find", "{}"), finish_reason="tool_calls")
    passed, last = run(answer(tools=[FIND]), said)

    assert deltas(b"".join(passed))[1:] == [{"content": "I look."}]
    assert [list(delta) for delta in deltas(last.client)] == [["tool_calls"], ["tool_calls"], []]


def test_a_call_of_a_function_of_the_old_form_is_one() -> None:
    said = stream(*call_deltas(0, "find", '{"a": 1}'), finish_reason="tool_calls")
    functions = [FIND["function"]]

    _, last = run(answer(functions=functions), said)
    _, whole = run(answer(functions=functions, stream=False), said)

    streamed = reassemble("/chat/completions", last.client).message
    assert streamed is not None
    for document in (streamed, json.loads(whole.client)):
        choice = document["choices"][0]
        assert choice["message"]["function_call"] == {"name": "find", "arguments": '{"a": 1}'}
        assert "tool_calls" not in choice["message"]
        assert choice["finish_reason"] == "function_call"


def test_nothing_is_let_go_where_a_call_is_demanded() -> None:
    taker = answer(tools=[FIND], tool_choice="required")

    assert [taker.feed(data) for data in stream({"content": "Bern"})] == [b""] * 5
    with pytest.raises(StudentFailed, match="it calls no tool"):
        taker.end()


def test_an_answer_that_cannot_become_json_is_given_up_at_its_first_word() -> None:
    taker = answer(response_format={"type": "json_object"}, stream=False)

    with pytest.raises(StudentFailed, match="began an answer that cannot be used: 'Sure'"):
        [taker.feed(data) for data in stream({"content": "Sure"})]


@pytest.mark.parametrize(
    "events",
    [
        stream({"content": "Bern"})[:2],
        (),
        (b"[DONE]",),
        (*stream({"content": "Bern"})[:2], b"{broken", b"[DONE]"),
        (b"[1]", b'"x"', b"null", b"[DONE]"),
        (b'{"choices": [null]}', b'{"choices": 3}', b'{"choices": [{"delta": 3}]}', b"[DONE]"),
    ],
)
@pytest.mark.parametrize("streams", [False, True])
def test_a_stream_that_is_none_is_a_failure_and_no_fault_of_ours(events: tuple[bytes, ...], streams: bool) -> None:
    taker = answer(stream=streams)

    with pytest.raises(StudentFailed):
        run(taker, events)


def test_usage_is_recorded_but_only_told_to_who_asked() -> None:
    _, last = run(answer(), stream({"content": "Bern"}))
    _, told = run(answer(stream_options={"include_usage": True}), stream({"content": "Bern"}))

    recorded = reassemble("/chat/completions", last.record).message
    assert recorded is not None
    assert recorded["usage"] == USAGE
    assert b"usage" not in last.client
    assert told.client == told.record
    assert b'"choices":[],"usage":{"prompt_tokens":11' in told.client


pieces = st.lists(
    st.sampled_from(["a", "<", "\u2060", "<\u2060", "<\u2060\u2060", "é", "\n", "tool_call>"]), max_size=8
)
calls = st.lists(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=2), max_size=3)


@given(said=pieces, made=calls, cuts=st.lists(st.integers(0, 4000), max_size=12), streams=st.booleans())
def test_however_a_stream_is_cut_client_and_record_get_the_same_message(
    said: list[str], made: list[Json], cuts: list[int], streams: bool
) -> None:
    deltas_ = [{"content": piece} for piece in said]
    for index, arguments in enumerate(made):
        text = json.dumps(arguments)
        deltas_ += call_deltas(index, "find", text[:3], text[3:])
    events = stream(*deltas_, finish_reason="tool_calls" if made else "stop")
    wire = b"".join(b"data: " + data + b"\n\n" for data in events)
    whole, in_pieces = (outcome(answer(tools=[FIND], stream=streams), wire, cut) for cut in ([], sorted(cuts)))

    assert in_pieces == whole
    if isinstance(whole, str):
        return
    client, record = whole
    message, recorded = (_message(body, streams) for body in (client, record))
    assert message == recorded
    assert (message["content"] or "") == unguarded("".join(said))
    assert [json.loads(call["function"]["arguments"]) for call in message.get("tool_calls", [])] == made


def outcome(taker: StudentAnswer, wire: bytes, cuts: list[int]) -> tuple[bytes, bytes] | str:
    """What client and record get of a stream that arrives in these pieces; or why it is no answer."""
    splitter = EventSplitter()
    passed = b""
    places = [0, *cuts, len(wire)]
    try:
        for start, end in itertools.pairwise(places):
            passed += b"".join([taker.feed(data) for data in splitter.feed_data(wire[start:end])])
        last = taker.end()
    except StudentFailed as error:
        return str(error)
    return passed + last.client, passed + last.record


def _message(body: bytes, streamed: bool) -> Json:
    document = reassemble("/chat/completions", body).message if streamed else json.loads(body)
    assert document is not None
    message: Json = document["choices"][0]["message"]
    return message
