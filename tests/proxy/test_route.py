"""Who answers: the first rule that matches, unless the caller says otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.config import Config
from proxy.control import NOTHING_SAID, Control
from proxy.facts import RequestFacts
from proxy.route import Route, RoutingTable

UPSTREAMS = {
    "main": {"base_url": "https://main.example/v1", "fallback": "spare"},
    "other": {"base_url": "https://other.example/v1"},
    "spare": {"base_url": "https://spare.example/v1", "fallback": "last"},
    "last": {"base_url": "https://last.example/v1"},
}


def table(workloads: dict[str, Any]) -> RoutingTable:
    config = {"upstreams": UPSTREAMS, "default_upstream": "main", "workloads": workloads}
    return RoutingTable(Config.model_validate(config))


def request(
    body: dict[str, Any] | None = None,
    *,
    endpoint: str = "/chat/completions",
    headers: dict[bytes, bytes] | None = None,
    tags: dict[str, str] | None = None,
) -> RequestFacts:
    raw = json.dumps(body or {}).encode()
    return RequestFacts(endpoint, headers or {}, raw, header_tags=tags or {}, deployment=None)


def workload(when: dict[str, Any], facts: RequestFacts) -> str | None:
    """The name of the only workload, if it matches."""
    return table({"it": {"when": when}}).route(facts, NOTHING_SAID).workload


SYSTEM = {"messages": [{"role": "system", "content": "You redact personal data.\nAlways."}]}
TOOLS = {"tools": [{"type": "function", "function": {"name": name}} for name in ("redact", "find_user")]}
SCHEMA = {"response_format": {"type": "json_schema", "json_schema": {"name": "invoice"}}}
TAGS = {"metadata": {"team": "payments"}}
LATIN = {b"x-team": b"caf\xe9"}


@pytest.mark.parametrize(
    ("when", "facts", "matches"),
    [
        ({"model": "gpt-5*"}, request({"model": "gpt-5-mini"}), True),
        ({"model": "gpt-5"}, request({"model": "gpt-5-mini"}), False),
        ({"model": "gpt-[45]"}, request({"model": "gpt-4"}), True),
        ({"model": "GPT-5"}, request({"model": "gpt-5"}), False),
        ({"model": "*"}, request({}), False),
        ({"model": "a.c"}, request({"model": "abc"}), False),
        ({"tool": "find_*"}, request(TOOLS), True),
        ({"tool": "find"}, request(TOOLS), False),
        ({"tool": "*"}, request({}), False),
        ({"path": "/chat/*"}, request({}), True),
        ({"path": "/embeddings"}, request({}), False),
        ({"path": "/embeddings"}, request({}, endpoint="/embeddings"), True),
        ({"schema": "inv*"}, request(SCHEMA), True),
        ({"schema": "*"}, request({}), False),
        ({"system_prompt": "(?i)REDACT .* data"}, request(SYSTEM), True),
        ({"system_prompt": "^Always"}, request(SYSTEM), False),
        ({"system_prompt": "."}, request({}), False),
        ({"tag.team": "pay*"}, request(TAGS), True),
        ({"tag.team": "pay*"}, request({}, tags={"team": "payroll"}), True),
        ({"tag.team": "pay*"}, request(TAGS, tags={"team": "sales"}), False),
        ({"tag.team": "*"}, request({}), False),
        ({"header.X-Team": "pay*"}, request({}, headers={b"x-team": b"payments"}), True),
        ({"header.x-team": "caf\xe9"}, request({}, headers=LATIN), True),
        ({"header.x-team": "*"}, request({}), False),
        ({"model": "m", "tool": "redact"}, request({"model": "m"} | TOOLS), True),
        ({"model": "m", "tool": "redact"}, request({"model": "n"} | TOOLS), False),
        ({"model": "m", "tool": "redact"}, request({"model": "m"}), False),
        ({"tag.a": "1", "tag.b": "2"}, request({}, tags={"a": "1", "b": "2"}), True),
        ({"tag.a": "1", "tag.b": "2"}, request({}, tags={"a": "1"}), False),
    ],
)
def test_a_workload_takes_what_meets_all_of_its_conditions(
    when: dict[str, Any], facts: RequestFacts, matches: bool
) -> None:
    assert workload(when, facts) == ("it" if matches else None)


RULES = {
    "narrow": {"when": {"model": "gpt-5", "tool": "redact"}, "teacher": "other"},
    "wide": {"when": {"model": "gpt-*"}},
    "never-reached": {"when": {"model": "gpt-5"}, "teacher": "last"},
}


def test_the_first_rule_that_matches_decides() -> None:
    rules = table(RULES)

    assert rules.route(request({"model": "gpt-5"} | TOOLS), NOTHING_SAID) == Route("narrow", ("other",), "rule")
    assert rules.route(request({"model": "gpt-5"}), NOTHING_SAID) == Route("wide", ("main", "spare", "last"), "rule")


def test_what_matches_no_rule_goes_to_the_default_and_its_fallbacks_in_their_order() -> None:
    assert table(RULES).route(request({"model": "x"}), NOTHING_SAID) == Route(
        None, ("main", "spare", "last"), "default"
    )


def test_a_caller_who_names_a_workload_goes_before_every_rule() -> None:
    facts = request({"model": "gpt-5"} | TOOLS)

    assert table(RULES).route(facts, Control(workload="never-reached")) == Route("never-reached", ("last",), "header")
    assert table(RULES).route(facts, Control(workload="new")) == Route("new", ("main", "spare", "last"), "header")


def test_a_caller_who_asks_for_a_student_is_told_that_there_is_none() -> None:
    route = table(RULES).route(request({"model": "gpt-5"}), Control(target="student"))

    assert (route.workload, route.target, route.reason, route.propensity) == ("wide", "teacher", "no_student", 1.0)


def test_a_body_that_cannot_be_read_goes_to_the_default() -> None:
    facts = RequestFacts("/chat/completions", {}, b"not json", header_tags={}, deployment=None)

    assert table(RULES).route(facts, NOTHING_SAID).reason == "default"


@given(st.lists(st.sampled_from(["a", "b", "c", "a*", "*", "?"]), max_size=6), st.sampled_from(["a", "b", "ab", "cc"]))
def test_the_decision_is_that_of_trying_the_rules_one_by_one(globs: list[str], model: str) -> None:
    rules = {f"w{number}": {"when": {"model": glob}} for number, glob in enumerate(globs)}
    facts = request({"model": model})
    expected = next((name for name, rule in rules.items() if workload(rule["when"], facts)), None)

    assert table(rules).route(facts, NOTHING_SAID).workload == expected
