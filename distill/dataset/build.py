"""The store -> a dataset, whole or not at all.

    gather (facts of every exchange) -> plan (duplicates, episodes, sides, caps) -> draft (the chosen ones, read again)
      -> compare (near duplicates, novelty) -> write -> check for leakage -> keep the assignments -> publish

The assignments are kept before the dataset becomes visible: a kill between the two leaves assignments that the next
build would have made.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from distill.dataset.card import card_of
from distill.dataset.chat import Fits
from distill.dataset.draft import write_drafts
from distill.dataset.gather import SCRATCH, gather, prepare, tool_book
from distill.dataset.leakage import check_leakage
from distill.dataset.plan import choose, find_turns
from distill.dataset.reasons import REASONS
from distill.dataset.settings import Settings
from distill.dataset.sides import SIDES, assign, new_assignments, remember
from distill.dataset.snapshot import CARD, MANIFEST, DatasetManifest, Side, publish, unfinished
from distill.dataset.soft import SoftBook
from distill.dataset.write import Comparison, write_excluded, write_sides
from distill.room import room_on_the_disk
from distill.selection import Selection, UnknownWorkload
from distill.workloads.selected import condition_of
from nightschool.digest import digest_of
from nightschool.errors import NightschoolError
from nightschool.store.durable import make_folder
from nightschool.store.filter import moment
from nightschool.store.query import ask

_MAKE_ROOM = "make room (old datasets can be deleted), take fewer exchanges with --since, or lower max_examples"
FILES = (*(f"{side}.parquet" for side in SIDES), "excluded.parquet")


class TooFewExamples(NightschoolError):
    """There is less to learn from than ``min_examples``."""


@dataclass(frozen=True)
class _Found:
    """What the store gave."""

    exchanges: int
    first: datetime
    last: datetime
    sides: dict[str, Side]
    exclusions: dict[str, int]
    held: int
    merged: int
    unchecked: int
    assignments: pa.Table


def build(
    folder: Path,
    selection: Selection,
    settings: Settings,
    *,
    fits: Fits | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> DatasetManifest:
    """Build the dataset of what is recorded now, and return its manifest; one that is there already stays as it is.

    ``fits`` says which chats a student can be trained on: whoever knows the tokenizer gives it. ``progress`` hears how
    many exchanges have been read.
    """
    with unfinished(folder) as work, room_on_the_disk(work, "no dataset was built", _MAKE_ROOM):
        filled = work / "dataset"

        def read(store: duckdb.DuckDBPyConnection) -> _Found:
            _empty(work, filled)
            prepare(store, work, condition_of(store, folder, selection))
            return _read(store, work, filled, selection, settings, fits, progress)

        found = ask(folder, read, selection.window)
        comparison = Comparison(work / "drafts.parquet")
        write_sides(work / "drafts.parquet", filled, comparison)
        check_leakage(filled)
        manifest = _manifest(filled, selection, settings, found, comparison)
        (filled / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        (filled / CARD).write_text(card_of(manifest, filled), encoding="utf-8")
        remember(folder, found.assignments)
        return publish(folder, filled, manifest)


def _empty(work: Path, filled: Path) -> None:
    """A damaged file may have the question asked twice."""
    for path in sorted(work.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    make_folder(filled)


def _read(
    store: duckdb.DuckDBPyConnection,
    work: Path,
    filled: Path,
    selection: Selection,
    settings: Settings,
    fits: Fits | None,
    progress: Callable[[int], object],
) -> _Found:
    book = tool_book(store)
    if not gather(store, book, fits=fits, progress=progress):
        raise _nothing(store, selection)
    find_turns(store)
    assign(store, test_share=settings.test_share)
    choose(store, settings)
    soft = SoftBook(store, work / "logprobs")
    found = _found(store, soft)
    _check_enough(found, selection, settings)
    write_drafts(store, work / "drafts.parquet", book, soft)
    write_excluded(store, filled / "excluded.parquet")
    store.execute(f"detach {SCRATCH}")
    return found


def _found(store: duckdb.DuckDBPyConnection, soft: SoftBook) -> _Found:
    exchanges, first, last = _row(store, f"select count(*), min(time), max(time) from {SCRATCH}.facts")
    kept = f"(select * from {SCRATCH}.chosen where reason is null)"
    sides = {side: Side() for side in SIDES}
    query = f"""
        select side, count(*), sum(turns)::bigint, count(distinct root), count(*) filter (labelled),
               count(*) filter (newest), max(members)
        from (select *, count(*) over (partition by root) as members from {kept} join
              (select row, labelled from {SCRATCH}.facts) using (row)) group by side"""
    for side, *counts in store.execute(query).fetchall():
        values = (*counts, soft.by_side[side])
        sides[side] = Side(**dict(zip(Side.__struct_fields__, values, strict=True)))
    excluded = dict(store.execute(f"select reason, count(*) from {SCRATCH}.excluded group by reason").fetchall())
    (merged,) = _row(store, f"select count(*) from {SCRATCH}.turns where multiplicity > 1")
    (unchecked,) = _row(store, f"select count(*) from {SCRATCH}.facts where unchecked and reason is null")
    answers = sum(side.answers for side in sides.values())
    if answers + sum(excluded.values()) != exchanges:
        raise AssertionError(f"{exchanges} exchanges, but {answers} answers and {sum(excluded.values())} left out")
    return _Found(
        exchanges=exchanges,
        first=first,
        last=last,
        sides=sides,
        exclusions={reason: excluded[reason] for reason in REASONS if reason in excluded},
        held=answers - sum(side.examples for side in sides.values()),
        merged=merged,
        unchecked=unchecked,
        assignments=new_assignments(store),
    )


def _row(store: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = store.execute(query).fetchone()
    assert row is not None
    return row


def _nothing(store: duckdb.DuckDBPyConnection, selection: Selection) -> NightschoolError:
    query = "select workload, count(*) from exchanges group by all order by 2 desc, 1 limit 8"
    there = [f"{name or 'without a workload'} ({count:,})" for name, count in store.execute(query).fetchall()]
    return UnknownWorkload(
        f"no exchange is recorded for {selection.in_words()}" + (f"; there are: {', '.join(there)}" if there else ""),
        remedy="send traffic through `nightschool proxy`, import it with `nightschool logs import --workload NAME`, "
        "or give the id of a group without a name, which `nightschool workloads` lists",
    )


def _check_enough(found: _Found, selection: Selection, settings: Settings) -> None:
    answers = found.sides["train"].answers
    if answers >= settings.min_examples:
        return
    lost = Counter({reason: count for reason, count in found.exclusions.items()})
    told = ", ".join(f"{count:,} {reason}" for reason, count in lost.most_common(4))
    raise TooFewExamples(
        f"{selection.workload} has {answers:,} answers to learn from, and distill.min_examples is "
        f"{settings.min_examples:,}: {found.exchanges:,} exchanges" + (f", left out: {told}" if told else ""),
        remedy=_rate(found, settings.min_examples - answers) + "or set `min_examples` lower for this workload",
    )


def _rate(found: _Found, missing: int) -> str:
    """How long to wait, where the traffic tells."""
    days = (found.last - found.first) / timedelta(days=1)
    rate = found.sides["train"].answers / days if days >= 1 else 0
    return f"wait for about {missing / rate:,.0f} more days of such traffic, " if rate else "record more of it, "


def _manifest(
    filled: Path, selection: Selection, settings: Settings, found: _Found, comparison: Comparison
) -> DatasetManifest:
    files = {name: digest_of(filled / name) for name in FILES}
    window = [None if limit is None else moment(limit).isoformat() for limit in _limits(selection)]
    content = msgspec.json.encode([files, settings, selection.workload, selection.in_words()])
    digest = hashlib.sha256(content).hexdigest()
    return DatasetManifest(
        workload=selection.workload,
        name=f"{found.last.astimezone(UTC):%Y%m%d}-{digest[:12]}",
        hash=digest,
        source=selection.in_words(),
        since=window[0],
        until=window[1],
        first=found.first.astimezone(UTC).isoformat(),
        last=found.last.astimezone(UTC).isoformat(),
        exchanges=found.exchanges,
        settings=settings,
        newest_from=(found.last.astimezone(UTC) - timedelta(days=settings.newest_days)).isoformat(),
        sides=found.sides,
        exclusions=found.exclusions,
        held_in_longer=found.held,
        merged=found.merged,
        unchecked_calls=found.unchecked,
        near_clusters=comparison.near_clusters,
        novelty=comparison.of_test,
        files=files,
    )


def _limits(selection: Selection) -> tuple[int | None, int | None]:
    return selection.window.since_us, selection.window.until_us
