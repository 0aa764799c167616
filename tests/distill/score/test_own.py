from __future__ import annotations

from pathlib import Path

import pytest

from distill.score.choose import scorer_named
from distill.score.own import OwnScorer, UnknownScorer
from nightschool.digest import digest_of
from tests.distill.score.messages import ASKED, says

HERE = "tests.distill.score.own_scorers"


def test_a_function_of_ones_own_scores() -> None:
    scorer = scorer_named(f"{HERE}:length")

    assert scorer.name == f"{HERE}:length"
    assert scorer(ASKED, says("ab"), says("abcd")) == (0.5, None)
    assert scorer(ASKED, None, says("abcd")) == (0.0, None)


def test_it_is_given_plain_dictionaries_and_may_answer_with_numbers_of_numpy() -> None:
    assert scorer_named(f"{HERE}:asked")(ASKED, says("x"), says("x")) == (1.0, None)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("fails", "scorer_failed: ZeroDivisionError: division by zero"),
        ("nan", "not_a_number: it returned nan, not a number from 0 to 1"),
        ("percent", "not_a_number: it returned 97.0, not a number from 0 to 1"),
        ("words", "not_a_number: it returned '0.5', not a number from 0 to 1"),
        ("nothing", "not_a_number: it returned None, not a number from 0 to 1"),
    ],
)
def test_whatever_else_it_does_is_a_problem_and_no_measurement(name: str, problem: str) -> None:
    scored = scorer_named(f"{HERE}:{name}")(ASKED, says("x"), says("x"))

    assert scored.problem == problem
    assert not scored.is_measurement


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("no.such.module:score", "No module named"),
        (f"{HERE}:missing", "no attribute 'missing'"),
        (f"{HERE}:", "cannot be imported"),
        (f"{HERE}:NOT_A_FUNCTION", "is no function but int"),
    ],
)
def test_a_function_that_cannot_be_found_is_named_before_anything_is_scored(path: str, said: str) -> None:
    with pytest.raises(UnknownScorer, match=said):
        scorer_named(path)


def test_what_a_function_does_is_known_by_its_file_and_what_is_compiled_has_none() -> None:
    wanted = digest_of(Path(__file__).with_name("own_scorers.py"))

    assert OwnScorer(f"{HERE}:length").source_hash == OwnScorer(f"{HERE}:halfway").source_hash == wanted
    assert OwnScorer("builtins:abs").source_hash is None
