"""Tool-call deltas -> tool calls, for every way in which a provider says where a delta belongs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightschool.wire.tool_calls import ToolCalls
from tests.wire.captures import choice


def calls(name: str) -> list[tuple[str, str, str]]:
    """(id, name, arguments) of each call of a capture."""
    message = choice(name)["message"]
    assert message["content"] is None
    return [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in message["tool_calls"]]


def merged(*deltas: dict[str, Any]) -> list[dict[str, Any]]:
    tool_calls = ToolCalls()
    for delta in deltas:
        tool_calls.add(delta)
    return tool_calls.messages()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "openai_parallel_tools",
            [
                ("call_7Qm2Ew0LrVd3", "get_weather", '{"city": "Paris"}'),
                ("call_0Bk5Ns8TyXc1", "get_weather", '{"city": "Z\\u00fcrich", "days": 1.50}'),
            ],
        ),
        ("vllm_two_entries_one_index", [("chatcmpl-tool-5f1c", "get_weather", '{"city": "Reykjavik"}')]),
        (
            "gemini_index_null",
            [
                ("call_3217803", "search", '{"query":"web search news","max_results":5}'),
                ("call_3217807", "search", '{"query":"read file","max_results":5}'),
            ],
        ),
        (
            "gemini_index_missing",
            [
                ("function-call-1", "get_weather", '{"location":"Sydney"}'),
                ("function-call-2", "get_weather", '{"location":"Bern"}'),
            ],
        ),
        ("gemini_empty_ids", [("", "lookup", '{"id":1}'), ("", "lookup", '{"id":2}'), ("", "close", "{}")]),
        (
            "ollama_index_reused",
            [("call_ag3uhay4", "read", '{"path":"a.rs"}'), ("call_mqsdew2c", "read", '{"path":"b.rs"}')],
        ),
        ("tools_id_only_later", [("call_late", "get_time", '{"tz":"UTC"}')]),
        ("tools_index_only_first", [("call_1", "get_time", '{"tz":"UTC"}'), ("call_2", "get_date", "{}")]),
        ("tools_id_without_index", [("a", "f", '{"x":1}'), ("b", "g", '{"y":2}')]),
        ("kimi_id_per_fragment", [("tool_OEUd", "skill_view", '{"name":"x"}')]),
        ("minimax_name_repeated", [("call_f1", "read_file", '{"path": "a"}')]),
    ],
)
def test_the_calls_of_a_capture_are_whole(name: str, expected: list[tuple[str, str, str]]) -> None:
    assert calls(name) == expected


def test_a_call_in_a_message_is_as_it_would_be_without_streaming() -> None:
    assert choice("openai_parallel_tools")["message"]["tool_calls"][0] == {
        "id": "call_7Qm2Ew0LrVd3",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
    }


def test_a_custom_call_keeps_its_input() -> None:
    assert choice("openai_custom_tool")["message"]["tool_calls"] == [
        {"id": "call_c1", "type": "custom", "custom": {"name": "run_sql", "input": 'select "id"\nfrom orders;'}}
    ]


def test_what_a_provider_adds_stays_with_its_call() -> None:
    first, second = choice("gemini_index_null")["message"]["tool_calls"]
    _, last = choice("gemini_index_missing")["message"]["tool_calls"]

    assert first["extra_content"] == {"google": {"thought_signature": "CiQB0e2Kb4Gq"}}
    assert "extra_content" not in second
    assert last["extra_content"] == {"google": {"thought_signature": "CiQB1f9Zx"}}


def test_an_empty_custom_object_beside_a_function_means_nothing() -> None:
    (call,) = merged(
        {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}, "custom": {}},
        {"index": 0, "function": {"arguments": "}"}, "custom": {}},
    )

    assert (call["type"], call["function"]) == ("function", {"name": "f", "arguments": "{}"})


def test_a_name_in_fragments_is_joined() -> None:
    (call,) = merged({"index": 0, "id": "a", "function": {"name": "get_"}}, {"index": 0, "function": {"name": "time"}})

    assert call["function"]["name"] == "get_time"


def test_arguments_sent_as_an_object_become_their_text() -> None:
    (call,) = merged({"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": 1}}})

    assert call["function"]["arguments"] == '{"x":1}'


def test_a_last_fragment_that_repeats_the_name_without_an_id_ends_its_call() -> None:
    (call,) = merged(
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x": 1'}},
        {"index": 0, "function": {"name": "f", "arguments": "}"}},
    )

    assert call["function"]["arguments"] == '{"x": 1}'


def test_another_name_without_an_id_or_index_begins_another_call() -> None:
    first, second = merged({"function": {"name": "f", "arguments": ""}}, {"function": {"name": "g", "arguments": "{}"}})

    assert [first["function"]["name"], second["function"]["name"]] == ["f", "g"]


def test_one_id_for_two_indexes_is_two_calls() -> None:
    first, second = merged(
        {"index": 0, "id": "call", "function": {"name": "f", "arguments": "{}"}},
        {"index": 1, "id": "call", "function": {"name": "g", "arguments": "{}"}},
    )

    assert [first["function"]["name"], second["function"]["name"]] == ["f", "g"]


def test_an_id_that_comes_again_at_another_calls_place_stays_with_its_call() -> None:
    first, second = merged(
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x":'}},
        {"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}},
        {"index": 1, "id": "a", "function": {"arguments": "1}"}},
    )

    assert (first["function"]["arguments"], second["function"]["arguments"]) == ('{"x":1}', "{}")


def test_what_comes_before_a_call_has_a_name_belongs_to_it() -> None:
    (call,) = merged({"extra_content": {"x": 1}}, {"id": "a", "function": {"name": "f", "arguments": "{}"}})

    assert (call["id"], call["extra_content"]) == ("a", {"x": 1})


def test_calls_stand_in_the_order_of_their_index() -> None:
    first, second = merged(
        {"index": 1, "id": "b", "function": {"name": "g"}}, {"index": 0, "id": "a", "function": {"name": "f"}}
    )

    assert [first["id"], second["id"]] == ["a", "b"]


FIELD: st.SearchStrategy[Any] = st.sampled_from([None, "", "a", "b", 0, 1, -1, True, [], {}, "{}", "{"])
DELTA = st.fixed_dictionaries(
    {},
    optional={
        "index": FIELD,
        "id": FIELD,
        "type": FIELD,
        "function": st.fixed_dictionaries({}, optional={"name": FIELD, "arguments": FIELD}) | FIELD,
        "custom": st.fixed_dictionaries({}, optional={"name": FIELD, "input": FIELD}) | FIELD,
    },
)


@settings(deadline=None)
@given(st.lists(DELTA, max_size=6))
def test_no_delta_makes_it_raise_and_every_call_can_be_read(deltas: list[dict[str, Any]]) -> None:
    for call in merged(*deltas):
        inner = call[call["type"]]
        assert isinstance(call["id"], str)
        assert isinstance(inner["name"], str)
        assert isinstance(inner["input" if call["type"] == "custom" else "arguments"], str)


SLICES = st.lists(st.text(alphabet='{}":,ab 1\\', max_size=4), max_size=6)


@settings(deadline=None)
@given(st.lists(SLICES, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_well_numbered_calls_come_back_whatever_their_arguments_and_interleaving(
    payloads: list[list[str]], random: Any
) -> None:
    deltas = [[{"index": i, "function": {"arguments": piece}} for piece in pieces] for i, pieces in enumerate(payloads)]
    openings = [
        {"index": i, "id": f"call_{i}", "function": {"name": "f", "arguments": ""}} for i in range(len(payloads))
    ]
    queue = [i for i, pieces in enumerate(payloads) for _ in pieces]
    random.shuffle(queue)

    result = merged(*openings, *(deltas[i].pop(0) for i in queue))

    assert [call["function"]["arguments"] for call in result] == ["".join(pieces) for pieces in payloads]
