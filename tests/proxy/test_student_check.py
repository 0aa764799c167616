"""What an answer must keep to, by the request that it answers."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.student_check import demands_of, fault_of, may_begin

Json = dict[str, Any]
PARAMETERS = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def tool(name: str, parameters: Any = PARAMETERS) -> Json:
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


REST = tool("rest")
OFFER: Json = {"tools": [tool("count"), tool("rest", None)]}
AS_SCHEMA: Json = {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}}
AS_OBJECT: Json = {"response_format": {"type": "json_object"}}


def behind_a_reference(schema: Json) -> Json:
    """As tools made from an OpenAPI description have it: no keyword is there, so no check of a schema looks there."""
    return {"properties": {"n": {"$ref": "#/components/n"}}, "components": {"n": schema}}


def call(name: str, arguments: Any) -> Json:
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}


def fault(request: Json, message: Json, finish_reason: str | None = "stop", tokens: int | None = 5) -> str | None:
    found = fault_of(message, finish_reason, tokens, demands_of(request))
    return None if found is None else str(found)


def calls(*made: Json) -> Json:
    return {"role": "assistant", "content": None, "tool_calls": list(made)}


def words(text: str | None) -> Json:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, words("hello")),
        (OFFER, words("hello")),
        (OFFER, calls(call("count", '{"n": 1}'))),
        (OFFER, calls(call("count", '{"n": 1}'), call("rest", "{}"))),
        (OFFER, calls(call("rest", ""))),
        ({**OFFER, "tool_choice": "none"}, words("hello")),
        ({**OFFER, "tool_choice": "required"}, calls(call("count", '{"n": 1}'))),
        (
            {**OFFER, "tool_choice": {"type": "function", "function": {"name": "count"}}},
            calls(call("count", '{"n":1}')),
        ),
        ({**OFFER, **AS_OBJECT}, calls(call("count", '{"n": 1}'))),
        ({"functions": [tool("count")["function"]]}, calls(call("count", '{"n": 1}'))),
        (AS_OBJECT, words(' {"n": "x"}\n')),
        (AS_SCHEMA, words('{"n": 3}')),
        ({**OFFER, "tools": [tool("count", {"type": "nonsense"})]}, calls(call("count", '{"n": "x"}'))),
        ({"tools": [tool("count", behind_a_reference({"pattern": "\\p{L}+"}))]}, calls(call("count", '{"n": "x"}'))),
        ({"tools": [tool("count", behind_a_reference({"type": "file"}))]}, calls(call("count", '{"n": "x"}'))),
        ({"tools": [tool("count", behind_a_reference({"properties": 5}))]}, calls(call("count", '{"n": {}}'))),
        ({**OFFER, "tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": 5}}}, words("hello")),
    ],
)
def test_a_good_answer_has_no_fault(request_: Json, message: Json) -> None:
    assert fault(request_, message, "tool_calls" if "tool_calls" in message else "stop") is None


@pytest.mark.parametrize(
    ("request_", "message", "words_of_fault"),
    [
        ({}, words(""), "it is empty"),
        ({}, words(None), "it is empty"),
        ({}, words(" \n"), "it is empty"),
        ({}, calls(call("count", "{}")), "it calls what is not on offer: 'count'"),
        (OFFER, calls(call("gone", "{}")), "it calls what is not on offer: 'gone'"),
        (OFFER, calls(call("count", '{"n": 1')), "the arguments of count are not JSON"),
        (OFFER, calls(call("count", '{"n": NaN}')), "the arguments of count are not JSON"),
        (OFFER, calls(call("count", "[1]")), "the arguments of count are no object"),
        (OFFER, calls(call("count", {"n": 1})), "the arguments of count are not JSON"),
        (OFFER, calls(call("count", '{"n": "x"}')), "count break their schema: $.n: 'x' is not of type 'integer'"),
        (OFFER, calls(call("count", '{"n": 1}'), call("count", "{}")), "the arguments of count break their schema: $"),
        (OFFER, calls({"id": "1"}), "it calls what is not on offer: None"),
        (OFFER, words('so: <tool_call>{"name"'), "it has a tool call that cannot be read"),
        ({}, words("<tool_call>"), "it has a tool call that cannot be read"),
        ({**OFFER, "tool_choice": "none"}, calls(call("count", '{"n": 1}')), "the request forbids that"),
        ({**OFFER, "tool_choice": "required"}, words("no"), "it calls no tool"),
        (
            {**OFFER, "tool_choice": {"type": "function", "function": {"name": "count"}}},
            calls(call("rest", "{}")),
            "it calls what is not on offer: 'rest'",
        ),
        (
            {**OFFER, "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [REST]}}},
            calls(call("count", '{"n": 1}')),
            "it calls what is not on offer: 'count'",
        ),
        ({**OFFER, "parallel_tool_calls": False}, calls(call("rest", "{}"), call("rest", "{}")), "it makes 2 calls"),
        ({"functions": [{"name": "rest"}], "function_call": {"name": "rest"}}, words("no"), "it calls no tool"),
        ({"functions": [{"name": "rest"}]}, calls(call("rest", "{}"), call("rest", "{}")), "it makes 2 calls"),
        (AS_OBJECT, words("{"), "it is not JSON"),
        (AS_OBJECT, words("[1]"), "it is JSON, but no object"),
        (AS_SCHEMA, words('{"n": "x"}'), "$.n: 'x' is not of type 'integer'"),
        (AS_SCHEMA, words('{"n": 1} and more'), "it is not JSON"),
    ],
)  # fmt: skip
def test_a_fault_is_named(request_: Json, message: Json, words_of_fault: str) -> None:
    found = fault(request_, message, "tool_calls" if "tool_calls" in message else "stop")

    assert found is not None
    assert words_of_fault in found


@pytest.mark.parametrize("finish_reason", [None, "abort", "error", "content_filter"])
def test_an_answer_that_ended_oddly_is_none(finish_reason: str | None) -> None:
    assert fault({}, words("hello"), finish_reason) == f"it ended with {finish_reason!r}"


@pytest.mark.parametrize(
    ("request_", "tokens", "good"),
    [
        ({}, 5, False),
        ({"max_tokens": 5}, 5, True),
        ({"max_completion_tokens": 5}, 5, True),
        ({"max_tokens": 5}, None, True),
        ({"max_tokens": 6}, 5, False),
    ],
)
def test_only_the_clients_own_limit_may_cut_an_answer(request_: Json, tokens: int | None, good: bool) -> None:
    assert (fault(request_, words("hello"), "length", tokens) is None) == good


@pytest.mark.parametrize(
    ("request_", "text", "verdict"),
    [
        ({}, "", None),
        ({}, " \n", None),
        ({}, "h", True),
        ({}, "<", None),
        ({}, "<tool_cal", None),
        ({}, "<tool_call>", False),
        ({}, "<\u2060tool_call>", True),
        ({}, "<b>", True),
        (AS_OBJECT, "\n{", True),
        (AS_OBJECT, "[", False),
        (AS_OBJECT, "Sure", False),
        (AS_SCHEMA, "[", True),
        (AS_SCHEMA, "Sure", False),
    ],
)
def test_the_beginning_of_an_answer_is_judged_as_soon_as_it_can_be(
    request_: Json, text: str, verdict: bool | None
) -> None:
    assert may_begin(text, demands_of(request_)) is verdict
