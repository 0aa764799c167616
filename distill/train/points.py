"""The loss curve of a run: its points, and the table that an adapter keeps of them. Needs no torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import msgspec


class Point(msgspec.Struct, frozen=True):
    """One finished step, as it stands in the curve."""

    step: int
    epoch: float
    tokens: int
    """Of all steps so far, prompts and answers, shared beginnings counted for each sequence that has them."""
    seconds: float
    learning_rate: float
    train_loss: float
    """Nats per learned token of this step, weighted as in training."""
    validation_loss: float | None


def curve_csv(points: Sequence[Point]) -> str:
    """One line for each step, with the names of ``Point`` as its head."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(Point.__struct_fields__)
    lines.writerows(msgspec.structs.astuple(point) for point in points)
    return text.getvalue()


def read_curve(text: str) -> list[Point]:
    """The points of such a table; raises msgspec.DecodeError for what is none."""
    lines = csv.DictReader(io.StringIO(text))
    plain = [{name: value or None for name, value in line.items()} for line in lines]
    return msgspec.convert(plain, list[Point], strict=False)


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most so many of them, evenly spread: the looks at the validation side first, and the last in any case."""
    looks = [n for n, point in enumerate(points) if point.validation_loss is not None]
    kept = set(_spread(looks, most // 2))
    others = [n for n in range(len(points)) if n not in kept]
    kept |= set(_spread(others, most - len(kept)))
    return [points[n] for n in sorted(kept)]


def smoothed(points: Sequence[Point], most: int) -> list[tuple[float, float]]:
    """Step and training loss, as means over so many stretches at most."""
    width = max(1, -(-len(points) // most))
    parts = [points[begin : begin + width] for begin in range(0, len(points), width)]
    return [(part[-1].step, sum(point.train_loss for point in part) / len(part)) for part in parts]


def _spread(places: Sequence[int], most: int) -> list[int]:
    """Counted from the end, so that the last is one of them."""
    step = max(1, -(-len(places) // max(most, 1)))
    return list(reversed(places[::-1][::step]))
