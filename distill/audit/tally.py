"""What the comparisons of a student come to; what was read once is not read again.

    data/audits/<workload>/<adapter>.jsonl        the comparisons
    data/audits/<workload>/<adapter>.tally.json   those of windows that are over, put together

The turns of one conversation agree or disagree together, so ten of them are no ten witnesses: in a window of ten
minutes a conversation counts once, with the mean of its answers. Nothing is compared that is older than ``SLACK_US``
beside the newest, so a window that ended before is over, and put together for good. The sum is the same, to the digit,
whenever that is done; the file is lost without harm.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from distill.audit.alarm import NO_FORTUNES, evidence_in, fortunes_after
from distill.audit.audited import Audited
from distill.audit.sample import SLACK_US
from distill.evaluate.intervals import mean_of
from distill.journal import read_placed
from nightschool.registry.routing import Measure
from nightschool.store.durable import new_file

_WINDOW_US = 10 * 60 * 1_000_000


class Scope(msgspec.Struct, frozen=True):
    """What is counted; a tally of anything else is of no use."""

    since: str
    """Time of the first answers that count."""
    step_since: str
    """When the student got its present share."""
    measure: Measure
    bar: float


class Count(msgspec.Struct, frozen=True):
    """Conversations, each in a window of its own."""

    conversations: int = 0
    total: float = 0.0
    """Of their agreements."""

    @property
    def mean(self) -> float | None:
        return self.total / self.conversations if self.conversations else None


class Tally(msgspec.Struct, frozen=True):
    """Sums, in the order of time."""

    scope: Scope
    place: int = 0
    """Where the first comparison stands that is not among them."""
    window: int = 0
    """Number of the first that is not."""
    all: Count = Count()
    step: Count = Count()
    """At the present share."""
    fortunes: tuple[float, ...] = NO_FORTUNES
    newest: str | None = None
    """When the newest answer with an agreement was asked."""

    @property
    def evidence(self) -> float:
        """Against the student."""
        return evidence_in(self.fortunes)


class Standing(NamedTuple):
    """Of a student, now."""

    tally: Tally
    """Of all comparisons."""
    recent: Sequence[Audited]
    """Those of windows that are not over, and maybe some before."""


def standing(journal: Path, scope: Scope) -> Standing:
    """Of the comparisons in a journal; what was put together before is taken from beside it."""
    known = _known(journal, scope)
    return _stands(known, read_placed(journal, Audited, known.place))


def put_together(journal: Path, scope: Scope) -> Standing:
    """The same, having written down what windows come to that are over; one process does it at a time."""
    known = _known(journal, scope)
    lines = read_placed(journal, Audited, known.place)
    over = max((_window(line, -SLACK_US) for _, line in lines), default=0)
    if over > known.window:
        tally = _with(known, (line for _, line in lines if _window(line) < over))
        tally = replace(tally, window=over, place=min(place for place, line in lines if _window(line) >= over))
        with new_file(_file_of(journal)) as file:
            file.write(msgspec.json.encode(tally))
    return _stands(known, lines)


def _stands(known: Tally, lines: Sequence[tuple[int, Audited]]) -> Standing:
    recent = [line for _, line in lines]
    return Standing(_with(known, recent), recent)


def _known(journal: Path, scope: Scope) -> Tally:
    with suppress(FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        tally = msgspec.json.decode(_file_of(journal).read_bytes(), type=Tally)
        if tally.scope == scope:
            return tally
    return Tally(scope)


def _with(tally: Tally, comparisons: Iterable[Audited]) -> Tally:
    """Of the comparisons, those that are not in it already, in the order of time. An exchange counts once."""
    scope = tally.scope
    new = {each.exchange: each for each in comparisons if each.time >= scope.since and _window(each) >= tally.window}
    compared = sorted(
        (each for each in new.values() if each.agreement is not None and each.measure == scope.measure),
        key=lambda each: (each.time, each.exchange),
    )
    if not compared:
        return tally
    agreements = _agreements(compared)
    return replace(
        tally,
        all=_more(tally.all, agreements),
        step=_more(tally.step, _agreements([each for each in compared if each.time >= scope.step_since])),
        fortunes=fortunes_after(tally.fortunes, agreements, scope.bar),
        newest=max(compared[-1].time, tally.newest or ""),
    )


def _agreements(compared: Iterable[Audited]) -> list[float]:
    """One for each conversation and window, in the order in which they began."""
    found: dict[tuple[str, int], list[float]] = defaultdict(list)
    for each in compared:
        assert each.agreement is not None
        found[each.conversation or each.exchange, _window(each)].append(each.agreement)
    return [mean_of(agreements) for agreements in found.values()]


def _more(count: Count, agreements: Sequence[float]) -> Count:
    total = count.total
    for agreement in agreements:  # one by one: however many there are at a time, the sum is the same to the digit
        total += agreement
    return Count(count.conversations + len(agreements), total)


def _window(audited: Audited, later_us: int = 0) -> int:
    return (int(datetime.fromisoformat(audited.time).timestamp() * 1e6) + later_us) // _WINDOW_US


def _file_of(journal: Path) -> Path:
    return journal.with_suffix(".tally.json")
