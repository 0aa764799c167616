"""The comparison finds what it is there to find."""

from __future__ import annotations

import json
from typing import Any

from demo.upstream.seen import Seen
from tests.conformance.compare import first_difference, verdicts
from tests.conformance.running import Run

CLOSED = "upstream closes before its answer"
BROKEN = {"raised": "InternalServerError", "message": "nightschool: upstream 'main': gone", "code": "upstream_broken"}


def run(outcomes: dict[str, Any] | None = None, *seen: Seen, faults: dict[str, str] | None = None) -> Run:
    return Run("1", outcomes or {}, faults or {}, seen)


def asked(body: dict[str, Any], *headers: tuple[str, str]) -> Seen:
    return Seen(1, "POST", "/v1/chat/completions", list(headers), json.dumps(body).encode())


def failed(direct: Run, proxied: Run) -> list[str]:
    return [verdict.behaviour for verdict in verdicts(direct, proxied) if not verdict.ok]


def test_the_first_difference_is_told_with_its_place_and_both_values() -> None:
    one, other = {"a": [1, {"b": "x"}]}, {"a": [1, {"b": "y"}]}
    assert first_difference(one, one) == ""
    assert first_difference(one, other) == 'a[1].b: "x" | "y"'
    assert first_difference({"a": [1]}, {"a": [1, 2]}) == 'a[1]: "nothing" | 2'


def test_a_number_is_not_the_same_as_one_of_another_type() -> None:
    assert first_difference({"a": 1}, {"a": 1.0})
    assert first_difference({"a": 1}, {"a": True})


def test_another_outcome_fails_and_the_number_of_the_upstreams_answer_is_none() -> None:
    assert failed(run({"chat": {"id": "req_1"}}), run({"chat": {"id": "req_9"}})) == []
    assert failed(run({"chat": {"id": "a"}}), run({"chat": {"id": "b"}})) == ["chat"]
    assert failed(run({"chat": 1, "stream": 1}), run({"chat": 1})) == ["stream"]


def test_a_behaviour_that_the_script_cannot_show_fails_even_when_it_cannot_in_either_run() -> None:
    broken = run(faults={"chat": "Traceback\nTypeError: no such argument"})
    assert failed(broken, broken) == ["chat"]


def test_a_known_difference_fails_when_it_is_gone_or_another() -> None:
    direct = {"raised": "APIConnectionError"}
    assert failed(run({CLOSED: direct}), run({CLOSED: BROKEN})) == []
    assert failed(run({CLOSED: direct}), run({CLOSED: direct})) == [CLOSED]
    assert failed(run({CLOSED: direct}), run({CLOSED: {"raised": "ValueError"}})) == [CLOSED]


def test_the_upstream_may_be_asked_for_usage_by_the_proxy_and_for_nothing_else() -> None:
    stream, usage = {"model": "a", "stream": True}, {"stream_options": {"include_usage": True}}
    assert failed(run({}, asked(stream)), run({}, asked({**stream, **usage}))) == []
    assert failed(run({}, asked(stream)), run({}, asked({**stream, **usage, "n": 1})))
    assert failed(run({}, asked({"model": "a"})), run({}, asked({"model": "a", **usage})))


def test_a_header_that_is_lost_or_a_request_that_is_repeated_reaches_the_verdict() -> None:
    plain = asked({"model": "a"}, ("X-Extra", "yes"), ("Host", "here"))
    assert failed(run({}, plain), run({}, asked({"model": "a"}, ("x-extra", "yes"), ("host", "there")))) == []
    assert failed(run({}, plain), run({}, asked({"model": "a"})))
    assert failed(run({}, plain), run({}, plain, plain))
