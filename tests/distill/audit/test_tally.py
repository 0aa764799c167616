"""A conversation counts once in ten minutes, and the sum is the same whatever was put together before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.audit.audited import Audited, file_of, keep
from distill.audit.tally import Scope, Tally, put_together, standing
from nightschool.registry.routing import Measure

BEGIN = datetime(2026, 11, 24, 12, tzinfo=UTC)
BY_LABEL = Measure(scorer="label")
ADAPTER = "w--aaaaaaaaaaaa"


def at(seconds: float) -> str:
    return (BEGIN + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def scope(bar: float = 0.85, **told: str) -> Scope:
    return Scope(**{"since": at(0), "step_since": at(0), **told}, measure=BY_LABEL, bar=bar)


def compared(
    number: int, seconds: float, agreement: float | None, conversation: str | None = None, measure: Measure = BY_LABEL
) -> Audited:
    return Audited(
        exchange=f"{number:08d}", time=at(seconds), conversation=conversation, agreement=agreement, measure=measure
    )


def journal(folder: Path, lines: Sequence[Audited]) -> Path:
    keep(folder, "w", ADAPTER, lines)
    return file_of(folder, "w", ADAPTER)


def tally(folder: Path, lines: Sequence[Audited], of: Scope | None = None) -> Tally:
    return standing(journal(folder, lines), of or scope()).tally


def test_the_turns_of_one_conversation_count_once_with_their_mean(tmp_path: Path) -> None:
    turns = [compared(number, number, float(number < 6), "one") for number in range(10)]

    found = tally(tmp_path, [*turns, compared(10, 11, 1.0, "other"), compared(11, 12, 0.0)])

    assert found.all.conversations == 3
    assert found.all.mean == pytest.approx(1.6 / 3)


def test_a_conversation_that_goes_on_counts_again_after_ten_minutes(tmp_path: Path) -> None:
    """A client that gives all its conversations one name would be watched by nobody otherwise."""
    found = tally(tmp_path, [compared(number, 60 * number, 0.0, "endless") for number in range(60)])

    assert found.all.conversations == 6


def test_lines_that_name_no_conversation_count_each_for_itself(tmp_path: Path) -> None:
    assert tally(tmp_path, [compared(number, number, 1.0) for number in range(7)]).all.conversations == 7


def test_only_what_was_asked_since_and_measured_alike_counts(tmp_path: Path) -> None:
    lines = [
        compared(0, 10, 1.0),
        compared(1, 30, 0.0, measure=Measure(scorer="exact")),
        compared(2, 40, None),
        compared(3, 50, 0.5),
        compared(4, 70, 1.0),
    ]

    found = tally(tmp_path, lines, scope(since=at(20), step_since=at(60)))

    assert (found.all.conversations, found.all.mean) == (2, 0.75)
    assert (found.step.conversations, found.step.mean) == (1, 1.0)
    assert found.newest == at(70)


def test_three_conversations_that_went_wrong_in_every_turn_are_three_witnesses(tmp_path: Path) -> None:
    """A student that is good enough has such ones: of ten turns each, they were thirty, and withdrew it."""
    lines = [
        compared(10 * conversation + turn, 30 * conversation + turn, float(conversation < 40), f"{conversation}")
        for conversation in range(43)
        for turn in range(10)
    ]
    singly = [
        Audited(exchange=line.exchange, time=line.time, agreement=line.agreement, measure=line.measure)
        for line in lines
    ]

    assert tally(tmp_path / "together", lines).evidence < 1_000
    assert tally(tmp_path / "singly", singly).evidence > 10_000


arrivals = st.lists(
    st.tuples(
        st.integers(0, 400),  # seconds since the one before
        st.integers(0, 800),  # of delay, less than the quarter of an hour after which nothing is compared any more
        st.floats(0, 1),
        st.sampled_from([None, "a", "b", "c"]),
        st.booleans(),  # whether windows that are over are put together after it
    ),
    max_size=60,
)


@given(arrivals)
def test_the_sum_is_the_same_whenever_windows_are_put_together(
    tmp_path_factory: pytest.TempPathFactory, given: list[tuple[int, int, float, str | None, bool]]
) -> None:
    at_once, by_and_by = tmp_path_factory.mktemp("at_once"), tmp_path_factory.mktemp("by_and_by")
    lines: list[Audited] = []
    clock = 1000
    for number, (pause, delay, agreement, conversation, puts_together) in enumerate(given):
        clock += pause
        lines.append(compared(number, clock - delay, agreement, conversation))
        path = journal(by_and_by, lines[-1:])
        if puts_together:
            put_together(path, scope())

    expected, found = tally(at_once, lines), tally(by_and_by, [])

    assert (found.all, found.step, found.newest) == (expected.all, expected.step, expected.newest)
    assert found.fortunes == expected.fortunes


def test_what_was_put_together_is_not_read_again(tmp_path: Path) -> None:
    path = journal(tmp_path, [compared(number, 10 * number, 1.0) for number in range(1000)])
    put_together(path, scope())

    found = standing(path, scope())

    assert found.tally.all.conversations == 1000
    assert len(found.recent) < 200


def test_of_anything_else_it_is_counted_anew(tmp_path: Path) -> None:
    path = journal(tmp_path, [compared(number, 10 * number, 0.8) for number in range(1000)])
    put_together(path, scope())

    later = standing(path, scope(since=at(9000))).tally
    stricter = standing(path, scope(bar=0.95)).tally

    assert later.all.conversations == 100
    assert stricter.evidence > standing(path, scope()).tally.evidence


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff", b'{"scope": 1}'])
def test_a_sum_that_cannot_be_read_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    path = journal(tmp_path, [compared(number, 10 * number, 1.0) for number in range(1000)])
    put_together(path, scope())
    (file,) = path.parent.glob("*.tally.json")
    file.write_bytes(damage)

    assert standing(path, scope()).tally.all.conversations == 1000
