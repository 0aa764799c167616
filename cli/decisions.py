"""Decisions of the gate on the screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from cli.cells import harmless
from cli.screen import Column, console, table_that_fits
from distill.gate.decide import LEVEL, Decision
from distill.gate.dossier import Dossier, Replay
from distill.gate.slices import STATUS_WORDS, Slice

_SLICES = (
    Column("slice", 12),
    Column("rows", 5, right=True),
    Column("teacher", 7, right=True, may_go=2),
    Column("student", 7, right=True, may_go=1),
    Column("difference", 10, right=True),
    Column("at worst", 8, right=True),
    Column("", 10),
)


def print_decision(decision: Decision, dossier: Path | None) -> None:
    """For people: the verdict, why, and the figures."""
    print(f"{decision.verdict}: {harmless(decision.reasons[0])}")
    for reason in decision.reasons[1:]:
        print(f"{'':<{len(decision.verdict)}}  {harmless(reason)}")
    print()
    for label, value in _lines(decision):
        print(f"{label:<18} {value}")
    if decision.slices:
        print()
        output = console()
        output.print(table_that_fits(_SLICES, [_cells(one) for one in decision.slices], output.width))
    if dossier is not None:
        print(f"\nkept in {dossier}")


def print_decision_json(decision: Decision, dossier: Path | None) -> None:
    """For scripts: all but the path of the evidence, which is in the dossier."""
    fields = msgspec.to_builtins(decision)
    del fields["path"]
    print(msgspec.json.format(msgspec.json.encode(fields | {"dossier": dossier and str(dossier)})).decode())


def print_replay(dossier: Dossier, made: Replay, *, as_json: bool) -> None:
    """What was decided, and whether it comes out again."""
    agrees = not made.differences
    if as_json:
        told = {
            "agrees": agrees,
            "differences": made.differences,
            "verdict": made.again.verdict,
            "e_value": made.again.e_value,
            "recorded": {"verdict": made.recorded.verdict, "e_value": made.recorded.e_value},
        }
        print(msgspec.json.format(msgspec.json.encode(told)).decode())
        return
    print(f"decided {dossier.decided}: {made.recorded.verdict}, evidence {made.recorded.e_value!r}")
    print(f"again   {made.again.verdict}, evidence {made.again.e_value!r}")
    print("agrees in every field" if agrees else f"DIFFERS in {', '.join(made.differences)}")


def _lines(decision: Decision) -> Iterator[tuple[str, str]]:
    yield "criterion", decision.criterion + (f", margin {decision.margin:g}" if decision.criterion == "parity" else "")
    yield "rows", f"{decision.rows:,} test groups{_left_out(decision)}"
    yield "evidence", f"{decision.e_value:.4g} of {decision.threshold:.4g} for it"
    yield "", f"{decision.harm_e_value:.4g} of {decision.harm_threshold:.4g} against it"
    if decision.mean_difference is not None:
        yield "teacher, student", f"{decision.teacher:.4f}, {decision.student:.4f}"
        yield "difference", f"{decision.mean_difference:+.4f}"
        yield f"{LEVEL:.0%} at any time", _interval(decision.interval)
    if decision.bootstrap_interval is not None:
        yield f"{LEVEL:.0%} bootstrap", _interval(decision.bootstrap_interval)
    if decision.verdict == "undecided":
        needed = decision.rows_needed
        yield "rows needed", "no number in sight" if needed is None else f"about {needed:,} more"
    for guard in decision.guards:
        if guard.holds is not None:
            held = "holds" if guard.holds else "BROKEN"
            yield guard.name, f"{guard.student:.4g}, limit {guard.limit:.4g}: {held}"


def _left_out(decision: Decision) -> str:
    told = [f"{count:,} {kind}" for kind, count in decision.unscored.items()]
    if decision.set_aside:
        told.append(f"{decision.set_aside:,} set aside: only the teacher's own answer is known")
    return f" ({', '.join(told)})" if told else ""


def _interval(interval: tuple[float, float]) -> str:
    return f"{interval[0]:+.4f} to {interval[1]:+.4f}"


def _cells(one: Slice) -> list[str]:
    return [
        one.name,
        f"{one.rows:,}",
        f"{one.teacher:.3f}",
        f"{one.student:.3f}",
        f"{one.mean_difference:+.3f}",
        f"{one.lower_bound:+.3f}",
        STATUS_WORDS[one.status],
    ]
