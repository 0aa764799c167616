"""What the rows of a dataset say, beyond its card: how long, when, which tools and answers, what both sides share.

    files -> batches of a few columns -> counts

A dataset never changes, so this is found out once, by its hash, on a thread of its own: pages do not wait for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from distill.dataset.card import some_ids
from distill.dataset.leakage import shared
from distill.dataset.sides import SIDES
from distill.dataset.snapshot import DatasetManifest
from distill.score.message import calls_of, text_of
from nightschool.wire import json_text

_BATCH = 200
_PATIENCE_S = 1.5
_MOST_KEPT = 50
_LENGTHS = (100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
_LONGEST_ANSWER = 40
_MOST_ANSWERS = 40
"""Answers that are more various than this are no labels."""
_MOST_BUCKETS = 60
_STEPS = (
    (timedelta(hours=1), "hour", "%d %b %H:00"),
    (timedelta(days=1), "day", "%d %b"),
    (timedelta(days=7), "week", "%d %b %Y"),
)

BySide = dict[str, list[int]]
"""A number for each label, by side."""


class Distribution(NamedTuple):
    """How often each of a few things comes on each side."""

    labels: list[str]
    by_side: BySide


class Facts(NamedTuple):
    """Of all rows."""

    lengths: Distribution
    """Characters of whole conversations."""
    times: Distribution
    step: str
    """What a bar of ``times`` stands for."""
    tools: Distribution
    answers: Distribution | None
    """None where answers are free text."""
    learned: dict[str, int]
    """Answers by side."""
    common_inputs: int
    common_groups: int
    leaks: list[str]
    """Exchanges of the test and validation side that share something with the training side."""
    excluded: dict[str, list[str]]
    """A few exchanges by reason."""


class AllFacts:
    """Of the datasets of one data folder."""

    def __init__(self) -> None:
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="dataset-facts")
        self._known: dict[str, Future[Facts]] = {}

    def of(self, manifest: DatasetManifest, folder: Path) -> Facts | None:
        """None while they are being found out; raises DAMAGE for damaged files."""
        known = self._known.get(manifest.hash)
        if known is None or (known.done() and known.exception() is not None):
            if len(self._known) >= _MOST_KEPT:
                self._known.pop(next(iter(self._known)))
            known = self._known[manifest.hash] = self._reading.submit(_read, folder)
        wait([known], _PATIENCE_S)
        return known.result() if known.done() else None


def _read(folder: Path) -> Facts:
    lengths, times = _lengths(folder), _times(folder)
    tools: dict[str, Counter[str]] = {}
    answers: dict[str, Counter[str]] = {}
    learned: dict[str, int] = {}
    for side in SIDES:
        tools[side], answers[side], learned[side] = _said(folder / f"{side}.parquet")
    leaks = list(shared(folder))
    return Facts(
        lengths=lengths,
        times=times[0],
        step=times[1],
        tools=_most_common(tools),
        answers=_labels(answers, learned),
        learned=learned,
        common_inputs=len({leak.key for leak in leaks if not leak.is_group}),
        common_groups=len({leak.key for leak in leaks if leak.is_group}),
        leaks=list(dict.fromkeys(leak.tested for leak in leaks))[:10],
        excluded=some_ids(folder),
    )


def _column(path: Path, name: str) -> Iterator[pa.ChunkedArray[Any]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH, columns=[name]):
            yield pa.chunked_array([batch.column(0)])


def _lengths(folder: Path) -> Distribution:
    counts: BySide = {}
    for side in SIDES:
        of_side = [0] * (len(_LENGTHS) + 1)
        for texts in _column(folder / f"{side}.parquet", "messages"):
            for length in pc.utf8_length(texts).to_pylist():
                of_side[sum(length >= limit for limit in _LENGTHS)] += 1
        counts[side] = of_side
    labels = [*(f"< {limit:,}" for limit in _LENGTHS), f"{_LENGTHS[-1]:,} and more"]
    return _without_empty_ends(Distribution(labels, counts))


def _times(folder: Path) -> tuple[Distribution, str]:
    """By hour, day or week, so that there are not too many bars."""
    hours: dict[str, Counter[datetime]] = {side: Counter() for side in SIDES}
    for side in SIDES:
        for times in _column(folder / f"{side}.parquet", "time"):
            hours[side].update(_floor(time, timedelta(hours=1)) for time in times.to_pylist() if time is not None)
    known = [hour for counts in hours.values() for hour in counts]
    if not known:
        return Distribution([], {side: [] for side in SIDES}), "day"
    step, name, form = _step(max(known) - min(known))
    first = _floor(min(known), step)
    count = (max(known) - first) // step + 1
    by_side = {side: [0] * count for side in SIDES}
    for side, counts in hours.items():
        for hour, rows in counts.items():
            by_side[side][(hour - first) // step] += rows
    return Distribution([(first + n * step).strftime(form) for n in range(count)], by_side), name


def _step(reach: timedelta) -> tuple[timedelta, str, str]:
    """Length, name and form of a bar, so that a reach takes no more than ``_MOST_BUCKETS`` of them."""
    for step, name, form in _STEPS:
        if reach / step < _MOST_BUCKETS:
            return step, name, form
    return reach / _MOST_BUCKETS, "span", "%d %b %Y"


def _floor(time: datetime, step: timedelta) -> datetime:
    begin = datetime(2001, 1, 1, tzinfo=UTC)  # a Monday
    return begin + (time.astimezone(UTC) - begin) // step * step


def _said(path: Path) -> tuple[Counter[str], Counter[str], int]:
    """Of the answers to learn: tools by name, short texts, and how many answers there are."""
    tools: Counter[str] = Counter()
    texts: Counter[str] = Counter()
    learned = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH, columns=["messages", "learn"]):
            for row in batch.to_pylist():
                messages: list[dict[str, Any]] = json_text.decode(row["messages"].encode("utf-8", "replace"))
                for place in row["learn"]:
                    learned += 1
                    called = {call.name for call in calls_of(messages[place])}
                    tools.update(called)
                    text = text_of(messages[place]).strip()
                    if not called and len(texts) <= _MOST_ANSWERS:
                        texts[text if len(text) <= _LONGEST_ANSWER else ""] += 1
    return tools, texts, learned


def _labels(answers: dict[str, Counter[str]], learned: dict[str, int]) -> Distribution | None:
    """Answers as labels, where there are few and each comes several times."""
    together = sum(answers.values(), Counter[str]())
    is_closed = "" not in together and len(together) <= _MOST_ANSWERS and 2 * len(together) <= sum(learned.values())
    return _most_common(answers) if together and is_closed else None


def _most_common(counts: dict[str, Counter[str]]) -> Distribution:
    names = [name for name, _ in sum(counts.values(), Counter[str]()).most_common(_MOST_ANSWERS)]
    return Distribution(names, {side: [of[name] for name in names] for side, of in counts.items()})


def _without_empty_ends(whole: Distribution) -> Distribution:
    filled = [n for n in range(len(whole.labels)) if any(counts[n] for counts in whole.by_side.values())]
    if not filled:
        return Distribution([], {side: [] for side in whole.by_side})
    part = slice(filled[0], filled[-1] + 1)
    return Distribution(whole.labels[part], {side: counts[part] for side, counts in whole.by_side.items()})
