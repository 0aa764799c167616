from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Indel

from distill.score.scorer import Message, Question
from distill.score.span_fields import SpanFields, recognised
from distill.score.spans import SpansScorer
from tests.distill.score.messages import ASKED, calls, says

score = SpansScorer()
PRESIDIO = Path(__file__).parents[4] / "shared" / "data" / "presidio" / "synth_dataset_v2.json"


def redacts(*spans: tuple[str, str]) -> Message:
    """As the redaction task answers."""
    return calls(("redact", {"fields_to_redact": [{"string": value, "pii_type": kind} for value, kind in spans]}))


def test_spans_are_found_in_any_order() -> None:
    assert score(ASKED, redacts(("Ann", "name"), ("Oslo", "city")), redacts(("Oslo", "city"), ("Ann", "name"))) == (
        1,
        None,
    )


def test_a_value_counts_as_far_as_it_is_alike() -> None:
    """ "Ann Lee" and "Ann" have 3 characters in common of 7 + 3."""
    assert score(ASKED, redacts(("Ann", "name")), redacts(("Ann Lee", "name"))).value == pytest.approx(2 * 3 / (7 + 3))


def test_the_wrong_type_counts_nothing() -> None:
    assert score(ASKED, redacts(("Ann", "city")), redacts(("Ann", "name"))).value == 0


def test_missing_and_invented_spans_cost_the_same() -> None:
    one, two = redacts(("Ann", "name")), redacts(("Ann", "name"), ("Oslo", "city"))

    assert score(ASKED, one, two).value == score(ASKED, two, one).value == 1 / 2


def test_nothing_found_where_nothing_is_to_be_found_is_right() -> None:
    assert score(ASKED, redacts(), redacts()).value == 1
    assert score(ASKED, says("Nothing to redact."), redacts()).value == 1
    assert score(ASKED, redacts(("Ann", "name")), redacts()).value == 0
    assert score(ASKED, redacts(), redacts(("Ann", "name"))).value == 0


def test_spans_may_stand_in_json_content() -> None:
    answer = says('{"entities": [{"text": "Oslo", "label": "city"}], "note": "x"}')

    assert score(ASKED, answer, says('[{"label": "city", "text": "Oslo"}]')).value == 1


def test_the_configuration_names_list_and_fields() -> None:
    named = SpansScorer(SpanFields(list="found", value="quote", type="reason"))
    reference = says('{"seen": [{"quote": "a", "reason": "b"}], "found": [{"quote": "c", "reason": "d", "text": "e"}]}')

    assert named(ASKED, says('{"found": [{"quote": "c", "reason": "d"}]}'), reference).value == 1
    assert named(ASKED, says('{"found": [{"quote": "e", "reason": "d"}]}'), reference).value == 0


def test_fields_are_recognised_by_their_names() -> None:
    spans = [{"score": 1, "entity_type": "name", "start": 0, "entity_value": "Ann"}]

    assert recognised(SpanFields(), [{"x": {"entities": spans}}]) == SpanFields(
        value="entity_value", type="entity_type"
    )
    assert recognised(SpanFields(), [[{"passage": "x"}]]) == SpanFields(value="passage", type=None)
    assert recognised(SpanFields(), [{"entities": []}]) is None


def test_spans_without_types_are_compared_by_value_alone() -> None:
    assert score(ASKED, says('["x", {"quote": "a b"}]'), says('[{"quote": "a b"}]')).value == 1


def test_json_in_a_code_fence_is_found() -> None:
    fenced, bare = (
        says('```json\n[{"text": "Oslo", "label": "city"}]\n```'),
        says('[{"text": "Oslo", "label": "city"}]'),
    )

    assert score(ASKED, fenced, bare) == score(ASKED, bare, fenced) == (1, None)
    assert score(ASKED, says("```json\n[]\n```"), fenced) == (0, None)


def test_broken_answers_are_counted() -> None:
    broken, reference = calls(("redact", '{"fields')), redacts(("Ann", "name"))
    wants_json = Question([], response_format={"type": "json_object"})

    assert score(ASKED, broken, reference) == (0.0, "invalid_answer: redact: the arguments are not JSON")
    assert score(ASKED, None, reference).problem == "invalid_answer: it says nothing"
    assert score(wants_json, says("none"), says("[]")).problem == "invalid_answer: the answer is not JSON"
    assert score(ASKED, reference, broken).problem == "invalid_reference: redact: the arguments are not JSON"


SPAN = st.tuples(st.text("abc", max_size=4), st.sampled_from(["name", "city"]))


@settings(max_examples=100, deadline=None)
@given(st.lists(SPAN, max_size=4), st.lists(SPAN, max_size=4))
def test_the_score_is_that_of_the_best_of_all_matchings(
    given_spans: list[tuple[str, str]], right: list[tuple[str, str]]
) -> None:
    """Every one-to-one matching is tried."""
    most = max(len(given_spans), len(right))
    padded = [*given_spans, *[None] * (most - len(given_spans))]
    best = max(sum(map(alike, order, right)) for order in itertools.permutations(padded))

    found = score(ASKED, redacts(*given_spans), redacts(*right)).value

    assert found == pytest.approx(best / most if most else 1)


def alike(one: tuple[str, str] | None, other: tuple[str, str]) -> float:
    return Indel.normalized_similarity(one[0], other[0]) if one and one[1] == other[1] else 0.0


def test_real_spans_score_one_against_themselves_and_less_with_one_left_out() -> None:
    if not PRESIDIO.exists():
        pytest.skip(f"{PRESIDIO} is not there")
    for row in json.loads(PRESIDIO.read_text())[:300]:
        spans = [(span["entity_value"], span["entity_type"]) for span in row["spans"]]

        assert score(ASKED, redacts(*reversed(spans)), redacts(*spans)).value == pytest.approx(1)
        if spans:
            assert score(ASKED, redacts(*spans[1:]), redacts(*spans)).value == pytest.approx(1 - 1 / len(spans))
