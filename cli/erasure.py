"""Erasure, asked for and waited for."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from nightschool.errors import StoreError
from nightschool.store.absorb import absorb_now
from nightschool.store.erase import erase, find, unreadable
from nightschool.store.filter import Filter
from nightschool.store.listing import meant_id
from nightschool.store.manifest import read_manifest
from nightschool.store.quarantine import list_quarantine
from nightschool.store.sweep import GRACE_S, sweep

PATIENCE_S = 120.0
"""A worker closes its log after some seconds, and the recorder waits up to half a minute for others."""


def erase_matching(
    folder: Path, filters: Filter, *, ids: Sequence[str], equal: Mapping[str, str | None], asks: bool, now: bool
) -> None:
    """Find, ask, erase; waits for exchanges that are still in a log."""
    condition, values = filters.condition()
    for column, value in equal.items():
        if value is not None:
            condition, values = f"{condition} and {column} = ?", [*values, value]
    before = set(list_quarantine(folder))
    if ids:
        whole_ids = [meant_id(folder, piece) for piece in ids]
        condition, values = f"{condition} and id in (select unnest(?))", [*values, whole_ids]
    found = find(folder, condition, values)
    if found:
        if asks:
            typer.confirm(f"Erase {len(found):,} exchanges and the feedback about them for ever?", abort=True)
        _erase_all(folder, found)
    unsearched = [*unreadable(folder), *sorted(set(list_quarantine(folder)) - before)]
    _tell(len(found), sound=not unsearched)
    if found:
        _leave_disk(folder, now=now)
    if before:
        print(f"nightschool: {len(before)} files in quarantine were not searched", file=sys.stderr)
    if unsearched:
        raise StoreError(
            f"in {len(unsearched)} files that cannot be read nothing was erased: {', '.join(map(str, unsearched))}",
            remedy="restore them from a backup and run the command again; what lies in quarantine can be deleted",
        )


def _tell(found: int, *, sound: bool) -> None:
    if found:
        print(f"{found:,} exchanges erased{'' if sound else ' from what can be read'}")
    else:
        print(f"no exchange matches{'' if sound else ' in what can be read'}, nothing is erased")


def _leave_disk(folder: Path, *, now: bool) -> None:
    sweep(folder, grace_s=0 if now else GRACE_S)
    if read_manifest(folder).garbage:
        print(
            "the old files stay on the disk until a recorder deletes them, in ten minutes; see --now", file=sys.stderr
        )


def _erase_all(folder: Path, found: set[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    remaining = erase(folder, found)
    if remaining:
        print(f"{len(remaining):,} of them are in logs; waiting until these are sealed", file=sys.stderr)
    while remaining:
        if time.monotonic() > deadline:
            raise StoreError(
                f"{len(remaining)} of {len(found)} exchanges are in logs that are still being written",
                remedy="run the command again in a minute",
            )
        absorb_now(folder)
        remaining = erase(folder, remaining)
        if remaining:
            time.sleep(1)
