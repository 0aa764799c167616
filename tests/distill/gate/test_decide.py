"""What is promoted, what is rejected, and what must never be promoted."""

from __future__ import annotations

import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.gate.criteria import Criteria, GuardLimits
from distill.gate.decide import Decision, decide
from distill.gate.evidence import Evidence, EvidenceError, Measured, Row
from tests.distill.gate.rows import drawn, evidence_of, rows_of

PARITY = Criteria(criterion="parity", margin=0.05)
BEAT = Criteria(criterion="beat")


def test_an_equal_student_is_promoted_on_enough_rows() -> None:
    decision = decide(evidence_of(wins=45, losses=45, ties=810), PARITY)

    assert decision.verdict == "promote"
    assert decision.e_value >= decision.threshold == pytest.approx(600)
    assert decision.rows == 900
    assert decision.mean_difference == 0
    assert decision.rows_needed == 0
    assert -0.05 < decision.interval[0] < 0 < decision.interval[1]


def test_the_evidence_is_that_of_the_definition() -> None:
    decision = decide(evidence_of(wins=45, losses=45, ties=810), PARITY)

    bets = [(2 * k + 1) / 60 / 0.95 for k in range(30)]
    products = [(1 + bet * 1.05) ** 45 * (1 - bet * 0.95) ** 45 * (1 + bet * 0.05) ** 810 for bet in bets]
    assert decision.e_value == pytest.approx(math.fsum(products) / 30, rel=1e-8)
    assert decision.path[-1] == pytest.approx(math.log(decision.e_value), rel=1e-8)


def test_a_promising_student_is_undecided_and_told_how_many_rows_more() -> None:
    decision = decide(evidence_of(wins=20, losses=20, ties=360), PARITY)

    assert decision.verdict == "undecided"
    assert decision.rows_needed is not None
    more = decide(evidence_of(wins=20, losses=20, ties=360 + decision.rows_needed), PARITY)
    assert more.verdict == "promote"


def test_the_rows_needed_are_about_right() -> None:
    decision = decide(evidence_of(wins=15, losses=15, ties=270), PARITY)
    assert decision.rows_needed is not None
    total = 300 + decision.rows_needed

    again = decide(evidence_of(wins=total // 20, losses=total // 20, ties=total - 2 * (total // 20)), PARITY)

    assert again.verdict == "promote"
    assert 300 < total < 900


def test_a_student_that_is_clearly_worse_is_rejected() -> None:
    decision = decide(evidence_of(wins=10, losses=90, ties=300), PARITY)

    assert decision.verdict == "reject"
    assert decision.harm_e_value >= decision.harm_threshold
    assert decision.rows_needed is None


def test_a_student_that_loses_the_margin_is_undecided_with_no_number_in_sight() -> None:
    decision = decide(evidence_of(wins=25, losses=50, ties=425), PARITY)

    assert decision.verdict == "undecided"
    assert decision.rows_needed is None


def test_few_rows_promote_nobody_however_good_they_look() -> None:
    decision = decide(evidence_of(wins=200, losses=0, ties=0), PARITY)

    assert decision.e_value > decision.threshold
    assert decision.verdict == "undecided"
    assert decision.rows_needed == 100
    assert "300" in decision.reasons[0]


def test_equal_is_not_better() -> None:
    equal, better = evidence_of(45, 45, 1910), evidence_of(120, 45, 1835)

    assert decide(equal, BEAT).verdict == "undecided"
    assert decide(better, BEAT).verdict == "promote"


def test_who_is_compared_with_the_teachers_own_answers_beats_nobody() -> None:
    alone = Evidence(tuple(Row(group=str(n), teacher=0.0, student=1.0, truth="teacher") for n in range(900)))
    some = Evidence((*alone.rows, *(Row(group=f"l{n}", teacher=0.0, student=1.0, truth="label") for n in range(40))))

    nothing, few = decide(alone, BEAT), decide(some, BEAT)

    assert (nothing.verdict, nothing.set_aside, nothing.e_value) == ("undecided", 900, 1)
    assert "never beat" in nothing.reasons[0]
    assert (few.verdict, few.rows) == ("undecided", 40)


def test_rows_of_one_group_count_once_with_their_mean() -> None:
    pair = (Row(group="g", teacher=0.5, student=1.0), Row(group="g", teacher=1.0, student=0.0))

    decision = decide(Evidence(pair), PARITY)

    assert (decision.rows, decision.mean_difference) == (1, -0.25)
    assert (decision.teacher, decision.student) == (0.75, 0.5)


def test_copies_of_a_row_make_no_evidence() -> None:
    rows = evidence_of(wins=3, losses=0, ties=0).rows

    assert decide(Evidence(rows * 300), PARITY).e_value == decide(Evidence(rows), PARITY).e_value


@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.1, 1.1, None])
def test_what_is_no_score_is_counted_and_promotes_nobody(bad: float | None) -> None:
    good = evidence_of(wins=45, losses=45, ties=810).rows
    few = Evidence((*good, *(Row(group=f"x{n}", teacher=0.0, student=bad) for n in range(10))))
    many = Evidence((*good, *(Row(group=f"x{n}", teacher=0.0, student=bad) for n in range(30))))
    all_bad = Evidence(tuple(Row(group=f"x{n}", teacher=bad, student=bad) for n in range(900)))

    assert decide(few, PARITY).verdict == "promote"
    assert sum(decide(few, PARITY).unscored.values()) == 10
    refused = decide(many, PARITY)
    assert (refused.verdict, refused.rows_needed) == ("undecided", None)
    assert "have no score" in refused.reasons[0]
    assert decide(all_bad, PARITY).verdict == "undecided"
    assert decide(all_bad, PARITY).e_value == 1


def test_rows_on_which_the_teacher_had_failed_are_counted_and_keep_nobody_from_judging() -> None:
    failed = tuple(Row(group=f"x{n}", teacher=None, student=1.0, problem="no_teacher_answer: cut") for n in range(200))

    decision = decide(Evidence((*evidence_of(wins=45, losses=45, ties=810).rows, *failed)), PARITY)

    assert (decision.verdict, decision.rows) == ("promote", 900)
    assert decision.unscored == {"no_teacher_answer": 200}


def test_nothing_is_undecided() -> None:
    decision = decide(Evidence(()), PARITY)

    assert (decision.verdict, decision.reasons) == ("undecided", ("there are no rows",))
    assert decision.interval == (-1, 1)


def test_a_slice_that_is_clearly_worse_rejects_a_student_that_is_good_in_the_mean() -> None:
    rows = (
        *rows_of([0.0] * 1500, slices=("tool:a",)),
        *rows_of([-1.0] * 40 + [0.0] * 80, slices=("tool:b",), prefix="b"),
    )

    decision = decide(Evidence(rows), PARITY)

    assert decision.e_value > decision.threshold
    assert decision.verdict == "reject"
    assert "tool:b" in decision.reasons[0]
    assert [(one.name, one.rows, one.status) for one in decision.slices] == [
        ("tool:a", 1500, "ok"),
        ("tool:b", 120, "worse"),
    ]


def test_a_slice_that_may_be_worse_holds_a_student_back() -> None:
    rows = (*rows_of([0.0] * 1500), *rows_of([-1.0] * 9 + [0.0] * 111, slices=("novel",), prefix="n"))

    decision = decide(Evidence(rows), PARITY)

    assert decision.verdict == "undecided"
    assert "novel" in decision.reasons[0]
    assert decision.rows_needed is not None
    assert decision.rows_needed > 0


def test_a_small_slice_is_shown_and_decides_nothing() -> None:
    rows = (*rows_of([0.0] * 1500), *rows_of([-1.0] * 20, slices=("rare",), prefix="r"))

    decision = decide(Evidence(rows), PARITY)

    assert decision.verdict == "promote"
    assert [(one.name, one.status) for one in decision.slices] == [("rare", "few_rows")]


GOOD = evidence_of(wins=45, losses=45, ties=810)


@pytest.mark.parametrize(
    ("student", "teacher", "broken"),
    [
        (Measured(schema_validity=0.985), Measured(schema_validity=1.0), "schema_validity"),
        (Measured(refusal_rate=0.05), Measured(refusal_rate=0.0), "refusals"),
        (Measured(p95_latency_ms=901), Measured(), "p95_latency_ms"),
        (Measured(cost_per_1000_usd=2.0), Measured(cost_per_1000_usd=1.0), "cost_per_1000_usd"),
        (Measured(schema_validity=math.nan), Measured(schema_validity=1.0), "schema_validity"),
    ],
)
def test_a_broken_guard_rejects_whatever_the_score(student: Measured, teacher: Measured, broken: str) -> None:
    criteria = msgspec.structs.replace(PARITY, guards=GuardLimits(p95_latency_ms=900))

    decision = decide(Evidence(GOOD.rows, student=student, teacher=teacher), criteria)

    assert decision.verdict == "reject"
    assert [guard.name for guard in decision.guards if guard.holds is False] == [broken]


def test_guards_hold_at_their_limits_and_where_nothing_was_measured() -> None:
    student = Measured(schema_validity=0.97, refusal_rate=0.03, cost_per_1000_usd=1.0)
    teacher = Measured(schema_validity=0.98, refusal_rate=0.02, cost_per_1000_usd=1.0)

    decision = decide(Evidence(GOOD.rows, student=student, teacher=teacher), PARITY)

    assert decision.verdict == "promote"
    assert [guard.holds for guard in decision.guards] == [True, True, None, True]


@pytest.mark.parametrize(
    "criteria",
    [
        Criteria(margin=0.0),
        Criteria(margin=-0.1),
        Criteria(margin=math.nan),
        Criteria(margin=1.0),
        Criteria(alpha=0.0),
        Criteria(alpha=1.0),
        Criteria(nights=0),
        Criteria(min_rows=0),
    ],
)
def test_criteria_that_make_no_sense_are_refused(criteria: Criteria) -> None:
    with pytest.raises(EvidenceError, match="cannot judge"):
        decide(GOOD, criteria)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_order_of_rows_changes_nothing_at_all(seed: int, other: int) -> None:
    slices = [("a",), ("a", "b"), ()]
    rows = [
        Row(group=f"g{n // 2}", teacher=max(-d, 0.0), student=max(d, 0.0), slices=slices[n % 3])
        for n, d in enumerate(drawn(seed, 400, 0.3, -0.02))
    ]
    shuffled = list(rows)
    random.Random(other).shuffle(shuffled)

    assert encoded(decide(Evidence(tuple(shuffled)), PARITY)) == encoded(decide(Evidence(tuple(rows)), PARITY))


def encoded(decision: Decision) -> bytes:
    return msgspec.json.encode(decision)
