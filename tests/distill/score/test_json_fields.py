from __future__ import annotations

from typing import Any

import pytest

from distill.evaluate.marks import keeps_contract
from distill.gate.criteria import Criteria
from distill.gate.decide import decide
from distill.gate.evidence import Evidence, Row
from distill.score.choose import choose, scorer_named
from distill.score.json_fields import JsonFieldsScorer
from distill.score.scorer import Question
from tests.distill.score.messages import ASKED, calls, says

score = JsonFieldsScorer()
NO_INVOICE = "Sorry, this is no invoice."
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "x",
        "schema": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    },
}


def value(answer: str, reference: str) -> float:
    return score(ASKED, says(answer), says(reference)).value


def test_equal_values_score_one_however_they_are_spelt() -> None:
    assert value('{"a": 1, "b": "New York"}', '{"b":"new york","a":1.0}') == 1


def test_the_score_is_the_f1_of_the_fields() -> None:
    """Two of three fields are right and one more is given: precision 2/4, recall 2/3."""
    found = value('{"a": 1, "b": 2, "c": 9, "d": 4}', '{"a": 1, "b": 2, "c": 3}')

    assert found == pytest.approx(2 * (2 / 4) * (2 / 3) / (2 / 4 + 2 / 3))


def test_fields_are_counted_at_any_depth() -> None:
    assert value('{"a": {"b": {"c": 1, "d": 2}}}', '{"a": {"b": {"c": 1, "d": 3}}}') == 1 / 2


def test_objects_of_a_list_are_matched_in_any_order() -> None:
    reference = '[{"sku": "x", "n": 1}, {"sku": "y", "n": 2}]'

    assert value('[{"sku": "y", "n": 2}, {"sku": "x", "n": 1}]', reference) == 1
    assert value('[{"sku": "y", "n": 2}]', reference) == pytest.approx(2 * 2 / (2 + 4))


def test_plain_lists_are_compared_in_their_order() -> None:
    assert value("[1, 2, 3]", "[3, 2, 1]") == 1 / 3


def test_null_is_the_same_as_not_there() -> None:
    assert value('{"a": 1, "b": null}', '{"a": 1}') == 1


def test_an_answer_that_is_no_json_or_breaks_the_schema_scores_nothing() -> None:
    asked = Question([], response_format=SCHEMA)

    assert score(asked, says("Sure! {"), says('{"a": 1}')) == (0.0, "invalid_answer: the answer is not JSON")
    assert score(asked, says('{"a": "1"}'), says('{"a": 1}')) == (
        0.0,
        "invalid_answer: $.a: '1' is not of type 'integer'",
    )
    assert score(asked, None, says('{"a": 1}')).problem == "invalid_answer: it says nothing"


@pytest.mark.parametrize("asked", [SCHEMA, {"type": "json_object"}])
@pytest.mark.parametrize("broken", [NO_INVOICE, '```json\n{"a": 1}\n```', "5 of 7"])
def test_where_json_was_asked_for_a_reference_that_is_none_is_no_measurement(
    asked: dict[str, Any], broken: str
) -> None:
    question = Question([], response_format=asked)

    for answer in (None, says(broken), says('{"a": 1}')):
        scored = score(question, answer, says(broken))
        assert scored.problem == "invalid_reference: the answer is not JSON"
        assert not scored.is_measurement


@pytest.mark.parametrize("asked", [None, {"type": "text"}])
def test_where_none_was_asked_for_another_answer_is_right_or_wrong(asked: dict[str, Any] | None) -> None:
    question = Question([], response_format=asked)
    call = calls(("hand_over", {"to": "ann"}))

    assert score(question, says(f" {NO_INVOICE}\n"), says(NO_INVOICE)) == (1, None)
    assert score(question, says("Sorry, this is an invoice."), says(NO_INVOICE)) == (0, None)
    assert score(question, says('{"a": 1}'), says(NO_INVOICE)) == (0, None)
    assert score(question, says(NO_INVOICE), says('{"a": 1}')) == (0, None)
    assert score(question, call, call) == (1, None)
    assert score(question, says('{"a": 1}'), call) == score(question, call, says('{"a": 1}')) == (0, None)
    assert score(question, None, says(NO_INVOICE)).problem == "invalid_answer: it says nothing"
    assert score(question, says(NO_INVOICE), says("")).problem == "invalid_reference: it says nothing"


def test_calls_and_refusals_keep_to_a_request_for_json() -> None:
    """As an application may be served them; words are not what it asked for."""
    question = Question([], response_format=SCHEMA)
    call, refusal = calls(("hand_over", {"to": "ann"})), {"role": "assistant", "content": None, "refusal": "No."}

    for reference in (call, refusal):
        assert keeps_contract(question, reference)
        assert score(question, reference, reference) == (1, None)
        assert score(question, says('{"a": 1}'), reference) == score(question, reference, says('{"a": 1}')) == (0, None)
        assert score(question, says("No."), reference) == (0, "invalid_answer: the answer is not JSON")


def test_a_code_fence_around_json_is_none_of_it_unless_json_was_asked_for() -> None:
    fenced, bare = says('```json\n{"a": 1}\n```\n'), says('{"a": 1}')

    assert score(ASKED, bare, fenced) == score(ASKED, fenced, fenced) == score(ASKED, bare, bare) == (1, None)
    assert score(ASKED, fenced, bare) == (0, None)  # who gets bare JSON need not know of fences
    assert score(ASKED, says('```\n{"a": 2}```'), fenced) == (0, None)
    assert score(Question([], response_format=SCHEMA), fenced, bare) == (0, "invalid_answer: the answer is not JSON")


def test_a_student_that_is_its_teacher_is_judged_where_some_answers_are_no_json() -> None:
    """One in twenty is none: far more than the gate lets go without a score."""
    answers = [says(NO_INVOICE if n % 20 == 0 else f'{{"total": {n}, "of": "invoice {n}"}}') for n in range(600)]
    chosen = choose([{"messages": [answer]} for answer in answers], None)
    scored = [scorer_named(chosen.name)(ASKED, answer, answer) for answer in answers]
    values = [one.value if one.is_measurement else None for one in scored]
    rows = tuple(Row(group=f"g{n}", teacher=value, student=value) for n, value in enumerate(values))

    assert chosen.name == "json_fields"
    assert set(scored) == {(1, None)}
    assert decide(Evidence(rows=rows), Criteria()).verdict == "promote"
