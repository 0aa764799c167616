from __future__ import annotations

import pytest

from distill.score.json_fields import JsonFieldsScorer
from distill.score.scorer import Question
from tests.distill.score.messages import ASKED, says

score = JsonFieldsScorer()
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


def test_an_invalid_reference_is_no_measurement() -> None:
    scored = score(ASKED, says('{"a": 1}'), says("I cannot do that."))

    assert scored == (0.0, "invalid_reference: the answer is not JSON")
    assert not score(ASKED, says("x"), says("y")).is_measurement
