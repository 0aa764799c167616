"""What was seen -> what was to hold, met or missed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from bench.soak.imports import Imports
from bench.soak.load import Ledger
from bench.soak.memory import memory
from bench.soak.schedule import EVERY_S, ONCE, Fault
from bench.soak.stored import Held, different, missing
from bench.soak.told import Outage, mixed_up, unexpected
from bench.soak.watch import Watched, settled

SHOWN = 5
"""Faults of a kind that are told word for word."""
ALLOWED_BYTES = {"supervisor": 4 << 20, "worker": 4 << 20, "recorder": 16 << 20}
"""Growth of a floor that is none: a new size of some table, pages that the recorder's columns have left in pieces."""
ALLOWED_DESCRIPTORS = 3
"""A log that is open, a client that asks for the metrics."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the result."""

    what: str
    value: str
    limit: str
    met: bool
    faults: list[str] = []


class Leftovers(NamedTuple):
    """What was open before the load came, and after it had gone."""

    before: Mapping[str, int]
    """File descriptors by role."""
    after: Mapping[str, int]
    open_requests: int


class Counts(NamedTuple):
    """Of the proxy's own metrics, its log, and its end."""

    records_lost: int
    reloads: int
    refused_reloads: int
    tracebacks: int
    exit_code: int
    logs_left: int


def of_answers(ledger: Ledger, outages: Sequence[Outage]) -> list[Check]:
    """What clients saw."""
    wrong = [f"{each.question.text}: {fault}" for each in ledger.told if (fault := mixed_up(each))]
    odd = [fault for each in ledger.told if (fault := unexpected(each, outages))]
    students = sum(each.target == "student" and each.end == "whole" for each in ledger.told)
    return [
        _none("wrong or mixed-up answers", wrong),
        _none("requests that failed and should not have", odd),
        Check(what="answers of students", value=f"{students:,}", limit="> 0", met=students > 0),
    ]


def of_store(ledger: Ledger, held: Held, imports: Imports, outages: Sequence[Outage]) -> list[Check]:
    """What was kept of it."""
    acknowledged = sum(each.acknowledged for each in ledger.told)
    unknown = [identity for identity in imports.ids if identity not in held.records]
    given = Counter(ledger.feedback)
    lost = [identity for identity, count in given.items() if held.feedback[identity] != count]
    return [
        Check(what="answers acknowledged", value=f"{acknowledged:,}", limit="> 0", met=acknowledged > 0),
        _none("of answers, not in the store", missing(held, ledger.told, outages)),
        _none("in the store twice", held.twice),
        _none("records that differ from the answer", different(held, ledger.told)),
        _none(f"of {len(ledger.feedback):,} feedbacks, missing or doubled", lost),
        _none(f"of {len(imports.ids):,} imported, not in the store", unknown),
    ]


def of_processes(watched: Mapping[int, Watched]) -> list[Check]:
    """Memory; a process that was killed early is not judged, its successor is."""
    last_seen = max((each.at_s[-1] for each in watched.values()), default=0.0)
    checks = []
    for pid, each in watched.items():
        if each.at_s[-1] < 0.9 * last_seen:
            continue
        found = memory(each.at_s, each.resident_bytes)
        if found is None:
            continue
        allowed = ALLOWED_BYTES[each.role]
        sizes = " ".join(f"{size / 2**20:.1f}" for size in found.at_quarters)
        checks.append(
            Check(
                what=f"{each.role} {pid}: MiB at 25, 50, 75, 100 %",
                value=f"{sizes}, most {found.most / 2**20:.0f}; floor {found.growth / 2**20:+.1f}",
                limit=f"<= +{allowed >> 20}",
                met=found.growth <= allowed,
            )
        )
    return checks


def of_leftovers(left: Leftovers) -> list[Check]:
    """What stays open when nobody asks any more."""
    before, after = (
        ", ".join(f"{role} {count}" for role, count in sorted(each.items())) for each in (left.before, left.after)
    )
    return [
        Check(
            what="file descriptors after the load",
            value=after,
            limit=f"<= {before}, +{ALLOWED_DESCRIPTORS}",
            met=settled(left.after, left.before, allowed=ALLOWED_DESCRIPTORS),
        ),
        Check(
            what="open requests after the load",
            value=str(left.open_requests),
            limit="0",
            met=left.open_requests == 0,
        ),
    ]


def of_counts(counts: Counts, done: Mapping[Fault, int]) -> list[Check]:
    """What the proxy says of itself, and whether it was tried at all."""
    undone = [fault for fault in (*EVERY_S, *ONCE) if not done.get(fault)]
    return [
        _number("records lost, by its own count", counts.records_lost, 0),
        _number("tracebacks in its log", counts.tracebacks, 0),
        _number("exit code", counts.exit_code, 0),
        _number("logs that nobody has filed", counts.logs_left, 0),
        _none("faults that never came", [str(fault) for fault in undone]),
        Check(
            what="reloads taken over, refused",
            value=f"{counts.reloads}, {counts.refused_reloads}",
            limit="> 0 each",
            met=counts.reloads > 0 and counts.refused_reloads > 0,
        ),
    ]


def _none(what: str, faults: Sequence[str]) -> Check:
    return Check(what=what, value=f"{len(faults):,}", limit="0", met=not faults, faults=list(faults[:SHOWN]))


def _number(what: str, value: int, limit: int) -> Check:
    return Check(what=what, value=str(value), limit=str(limit), met=value == limit)
