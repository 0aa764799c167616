"""Numbers -> pictures: SVG that a page holds itself, drawn in the page's own colours, with a title on every part."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

WIDTH, HEIGHT = 600, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 12, 24


class Series(NamedTuple):
    """One colour of a chart: ``kind`` names its class in the style sheet."""

    name: str
    kind: str
    values: Sequence[float | None]


def bars(labels: Sequence[str], series: Sequence[Series], title: str, *, unit: str = "") -> Markup:
    """A bar for each label, the series on top of one another."""
    totals = [math.fsum(one.values[n] or 0 for one in series) for n in range(len(labels))]
    top = _ceiling(max(totals, default=0))
    step = (WIDTH - _LEFT - _RIGHT) / max(len(labels), 1)
    parts = []
    for n, label in enumerate(labels):
        floor = 0.0
        for one in series:
            value = one.values[n] or 0
            if value:
                y, height = _y(floor + value, 0, top), _y(floor, 0, top) - _y(floor + value, 0, top)
                tip = escape(f"{label}: {value:,.6g}{unit} {one.name}")
                parts.append(
                    f'<rect class="{one.kind}" x="{_LEFT + n * step + 0.5:.2f}" y="{y:.2f}" '
                    f'width="{max(step - 1, 0.5):.2f}" height="{height:.2f}"><title>{tip}</title></rect>'
                )
            floor += value
    marks = [(n, label) for n, label in enumerate(labels) if n % max(1, math.ceil(len(labels) / 6)) == 0]
    ticks = [(_LEFT + (n + 0.5) * step, label) for n, label in marks]
    return _framed(title, [*_grid(0, top, unit, _number), *_ticks(ticks), *parts])


def path(
    points: Sequence[tuple[float, float]],
    title: str,
    *,
    lines: Sequence[tuple[float, str]] = (),
    x_title: str = "",
    dots: bool = False,
    more: Sequence[Sequence[tuple[float, float]]] = (),
    told: Callable[[float], str] | None = None,
) -> Markup:
    """Lines through points, with named lines across: a loss curve, the evidence of a gate.

    ``more`` are further lines, drawn in the second colour; ``told`` writes the numbers at the side.
    """
    every = [point for one in (points, *more) for point in one]
    if not every:
        return Markup("")
    heights = [y for _, y in every] + [y for y, _ in lines]
    low, high = _span(min(heights), max(heights))
    first, last = min(x for x, _ in every), max(x for x, _ in every)

    def place(x: float, y: float) -> tuple[float, float]:
        along = (x - first) / (last - first) if last > first else 0.5
        return _LEFT + along * (WIDTH - _LEFT - _RIGHT), _y(y, low, high)

    parts = [_line(points, place, "line")]
    parts += [_line(one, place, "line other") for one in more]
    if dots:
        parts += [
            f'<circle class="dot" cx="{x:.2f}" cy="{y:.2f}" r="3"/>'
            for x, y in (place(*point) for one in (more or [points]) for point in one)
        ]
    for y, name in lines:
        at = _y(y, low, high)
        parts.append(f'<line class="limit" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.2f}" y2="{at:.2f}"/>')
        parts.append(
            f'<text class="limit" x="{WIDTH - _RIGHT}" y="{at - 4:.2f}" text-anchor="end">{escape(name)}</text>'
        )
    ends = [(_LEFT, f"{first:,.4g}"), (WIDTH - _RIGHT, f"{last:,.4g}{' ' + x_title if x_title else ''}")]
    return _framed(title, [*_grid(low, high, "", told or _number), *_ticks(ends, spread=True), *parts])


def spark(values: Sequence[float]) -> Markup:
    """A row of small bars inside of a line of text; decoration, so it has no name."""
    top = max(values, default=0) or 1
    rects = "".join(
        f'<rect class="teacher" x="{4 * n}" y="{16 - 16 * value / top:.1f}" width="3" height="{16 * value / top:.1f}"/>'
        for n, value in enumerate(values)
    )
    return Markup(f'<svg class="spark" viewBox="0 0 {4 * len(values)} 16" aria-hidden="true">{rects}</svg>')


def _framed(title: str, parts: Sequence[str]) -> Markup:
    inner = "".join(parts)
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{inner}</svg>'
    )


def _line(
    points: Sequence[tuple[float, float]], place: Callable[[float, float], tuple[float, float]], kind: str
) -> str:
    told = " ".join(f"{x:.2f},{y:.2f}" for x, y in (place(*point) for point in points))
    return f'<polyline class="{kind}" points="{told}"/>'


def _grid(low: float, high: float, unit: str, told: Callable[[float], str]) -> list[str]:
    parts = []
    for n in range(3):
        value = low + (high - low) * n / 2
        y = _y(value, low, high)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.2f}" y2="{y:.2f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.2f}" text-anchor="end">{escape(told(value))}{unit}</text>')
    return parts


def _ticks(ticks: Sequence[tuple[float, str]], *, spread: bool = False) -> list[str]:
    anchors = ["start", "end"] if spread else ["middle"] * len(ticks)
    return [
        f'<text x="{x:.2f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{escape(label)}</text>'
        for (x, label), anchor in zip(ticks, anchors, strict=True)
    ]


def _y(value: float, low: float, high: float) -> float:
    return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)


def _ceiling(value: float) -> float:
    """A round number that is not below; 1 where there is nothing that could be seen."""
    if value < sys.float_info.min:
        return 1.0
    unit = 10 ** math.floor(math.log10(value))
    return float(next(step * unit for step in (1, 2, 4, 5, 10) if step * unit >= value))


def _span(low: float, high: float) -> tuple[float, float]:
    room = (high - low) * 0.08 or max(abs(high), 1) * 0.1
    return (0.0 if low >= 0 and low < high / 2 else low - room), high + room


def _number(value: float) -> str:
    if abs(value) >= 10_000:
        return f"{value / 1000:,.0f}k"
    return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
