"""A change of the routing state, with its author, its time, its reason, and the state before it.

    lock -> read -> step (pure) -> append to the history -> replace the file

A crash between the last two leaves a line about a change that never came into force: its revision is taken by the
next change, and of several lines with one revision the last one counts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from nightschool.registry.routing import FILE, Placed, RoutingState, Students, read_routing, registry_of
from nightschool.store.durable import make_folder, new_file, open_private
from nightschool.store.lock import lock

HISTORY = "history.jsonl"


class Change(msgspec.Struct, kw_only=True, frozen=True):
    """A line of the history."""

    revision: int
    """Of the state after it."""
    time: str
    author: str
    """A person's login, or ``job:`` and the name of what did it."""
    workload: str
    action: str
    """Such as ``promote``, ``rollback``, ``ramp``."""
    reason: str
    before: Students
    after: Students


def change_students(
    data: Path,
    workload: str,
    step: Callable[[Students], Students],
    *,
    author: str,
    action: str,
    reason: str,
    now: datetime | None = None,
) -> Change | None:
    """Replace the students of a workload by ``step`` of them; None where that changes nothing.

    ``step`` may be refused by raising; it runs under the lock of all changes, so it must be quick. Raises
    RegistryError where the state in force cannot be read: a change never builds on a guess.
    """
    folder = registry_of(data)
    make_folder(folder)
    with lock(folder / "routing.lock"):
        state = read_routing(data)
        before = state.students_of(workload)
        after = step(before)
        if after == before:
            return None
        change = Change(
            revision=state.revision + 1,
            time=(now or datetime.now(UTC)).isoformat(timespec="milliseconds"),
            author=author,
            workload=workload,
            action=action,
            reason=reason,
            before=before,
            after=after,
        )
        _append(folder / HISTORY, change)
        _write(folder / FILE, state, change)
        return change


def read_history(data: Path, workload: str | None = None) -> list[Change]:
    """Changes that came into force, the oldest first; a line that was cut by a crash is no change."""
    try:
        lines = (registry_of(data) / HISTORY).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    in_force = read_routing(data).revision
    by_revision: dict[int, Change] = {}
    for line in lines:
        change = _decoded(line)
        if change is not None and change.revision <= in_force:
            by_revision[change.revision] = change
    changes = [by_revision[revision] for revision in sorted(by_revision)]
    return [change for change in changes if workload in (None, change.workload)]


def answering_since(history: Sequence[Change], placed: Placed) -> str:
    """When the adapter began to answer, without a break until now."""
    since = placed.since
    for change in reversed(history):
        if placed.adapter not in (each.adapter for each in change.after.answering()):
            break
        since = min(since, change.time)
    return since


def _decoded(line: bytes) -> Change | None:
    try:
        return msgspec.json.decode(line, type=Change)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _append(path: Path, change: Change) -> None:
    descriptor = open_private(path, os.O_RDWR | os.O_APPEND)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, (b"\n" if torn else b"") + msgspec.json.encode(change) + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, state: RoutingState, change: Change) -> None:
    workloads = {**state.workloads, change.workload: change.after}
    changed = msgspec.structs.replace(state, revision=change.revision, workloads=workloads)
    with new_file(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(changed), indent=1))
