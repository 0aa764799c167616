"""Which prompt, and which conversation: names that hold still while the rest changes."""

from __future__ import annotations

from typing import Any

import pytest

from nightschool.wire.fingerprint import conversation, fingerprint, mask
from tests.wire.test_request import read

TOOL = {
    "type": "function",
    "function": {
        "name": "lookup",
        "description": "Look up an order. Today is 2026-11-22.",
        "parameters": {"type": "object", "properties": {"order": {"type": "string", "maxLength": 9}}},
    },
}
OTHER_TOOL = {"type": "function", "function": {"name": "close", "parameters": {"type": "object"}}}


def body(system: Any = "You help the customers of Acme.", user: str = "Hi", **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "system", "content": system}, {"role": "user", "content": user}], **more}


def name(body: dict[str, Any]) -> str | None:
    return fingerprint(read(body))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Today is Saturday, November 22, 2026.", "Today is Monday, March 2, 2027."),
        ("It is 2026-11-22T12:39:01Z now", "It is 2027-01-02T03:04:05.678+01:00 now"),
        ("It is 3 Nov 12:05 now", "It is 14 May now"),
        ("Time: 9:05 am", "Time: 11:15 PM"),
        ("Session 018f3c1e-7b7a-7cc3-9c0e-0123456789ab", "Session 9b2d7e10-0000-4000-8000-ffffffffffff"),
        ("Write to jane.doe@example.com", "Write to bob@mail.example.org"),
        ("See https://a.example/x?y=z", "See http://b.example/other"),
        ("The customer has 3 orders", "The customer has 1,204 orders"),
        ('{"date": "2026-11-22", "lang": "en"}', '{"date":"2026-11-23","lang":"en"}'),
        ("Two\n\n  spaces", "Two spaces"),
    ],
)
def test_what_is_filled_in_leaves_the_fingerprint(one: str, other: str) -> None:
    assert name(body(one)) == name(body(other))


@pytest.mark.parametrize(
    "changed",
    [
        body("You help the customers of Globex."),
        body("You help the customers of Acme. Be brief."),
        body(tools=[TOOL]),
        body(response_format={"type": "json_object"}),
    ],
)
def test_a_change_of_the_template_changes_the_fingerprint(changed: dict[str, Any]) -> None:
    assert name(changed) != name(body())


@pytest.mark.parametrize(
    "same",
    [
        body(user="Something else entirely"),
        body(model="m", temperature=1, stream=True, tool_choice="auto", n=2),
        body([{"type": "text", "text": "You help the customers of Acme."}]),
        {"messages": [*body()["messages"], {"role": "assistant", "content": "x"}, {"role": "system", "content": "y"}]},
        {"messages": [{"role": "developer", "content": "You help the customers of Acme."}, {"role": "user"}]},
        {"instructions": "You help the customers of Acme.", "input": "Hi"},
    ],
)
def test_the_conversation_and_how_it_is_asked_do_not_count(same: dict[str, Any]) -> None:
    assert name(same) == name(body())


def test_tools_count_by_name_and_schema_in_any_order_of_tools_and_keys() -> None:
    reordered = {"function": dict(reversed(TOOL["function"].items())), "type": "function"}  # type: ignore[attr-defined]
    renamed = {"type": "function", "function": {**TOOL["function"], "name": "find"}}  # type: ignore[dict-item]
    tighter = {"type": "function", "function": {**TOOL["function"], "parameters": {"type": "object"}}}  # type: ignore[dict-item]
    tomorrow = {
        "type": "function",
        "function": {**TOOL["function"], "description": "Look up an order. Today is 2026-11-23."},  # type: ignore[dict-item]
    }
    base = name(body(tools=[TOOL, OTHER_TOOL]))

    assert name(body(tools=[OTHER_TOOL, reordered])) == base
    assert name(body(tools=[tomorrow, OTHER_TOOL])) == base
    assert name(body(tools=[renamed, OTHER_TOOL])) != base
    assert name(body(tools=[tighter, OTHER_TOOL])) != base


def test_numbers_in_a_schema_are_part_of_the_contract() -> None:
    def schema(limit: int) -> dict[str, Any]:
        return {"type": "json_schema", "json_schema": {"name": "s", "schema": {"maxLength": limit}}}

    assert name(body(response_format=schema(5))) != name(body(response_format=schema(6)))


def test_a_property_called_description_is_a_property() -> None:
    def tool(kind: str) -> dict[str, Any]:
        properties = {"description": {"type": kind}}
        return {"type": "function", "function": {"name": "f", "parameters": {"properties": properties}}}

    assert name(body(tools=[tool("string")])) != name(body(tools=[tool("number")]))


@pytest.mark.parametrize("empty", [{}, {"input": None}, {"prompt": "legacy"}, {"messages": []}])
def test_a_request_without_a_prompt_has_neither_name(empty: dict[str, Any]) -> None:
    assert name(empty) is None
    assert conversation(read(empty)) is None


def test_a_prompt_without_a_template_has_the_fingerprint_of_no_template() -> None:
    one, other = {"messages": [{"role": "user", "content": "a"}]}, {"messages": [{"role": "user", "content": "b"}]}

    assert name(one) == name(other) is not None


def test_fingerprints_stay_what_they_are() -> None:
    # They are stored for years: a change here splits every workload in two.
    assert name(body(tools=[TOOL], response_format={"type": "json_object"})) == "94406fa4effb79db860bee35d74efda9"
    assert conversation(read(body())) == "de1be4e79af8f3c8814107138cde556c"


def test_all_turns_of_a_conversation_share_its_name() -> None:
    first = body()
    later = {
        "messages": [*first["messages"], {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "x"}]
    }

    assert conversation(read(first)) == conversation(read(later))


@pytest.mark.parametrize("other", [body("You are new."), body(user="Hello"), {"messages": body()["messages"][1:]}])
def test_another_opening_is_another_conversation(other: dict[str, Any]) -> None:
    assert conversation(read(other)) != conversation(read(body()))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Order ORD-12 of (2026-11-22), please.", "Order # of # please."),
        ("may I say May or MAY", "# I say # or #"),
        ("日本語で答えて。今日は2026年11月22日です。短く。", "日本語で答えて # 短く"),
        ("", ""),
    ],
)
def test_words_are_masked_whole(text: str, masked: str) -> None:
    assert mask(text) == masked
