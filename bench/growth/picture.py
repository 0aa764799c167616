"""All curves as one picture of small panels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from bench.growth.curve import Curve

COLUMNS = 4
_COLOURS = {"streams": "#2458c5", "store": "#2d8a5f", "workloads": "#b3541e", "adapters": "#7a3fa0"}


def draw(curves: Sequence[Curve], path: Path) -> None:
    """As PNG."""
    rows = -(-len(curves) // COLUMNS)
    figure = Figure(figsize=(3.4 * COLUMNS, 2.7 * rows), dpi=110, layout="constrained")
    for number, curve in enumerate(curves):
        _panel(figure.add_subplot(rows, COLUMNS, number + 1), curve)
    figure.suptitle(
        "Measured, and dashed what would be linear; the exponent is the slope of the upper half", fontsize=9
    )
    with path.open("wb") as file:
        FigureCanvasAgg(figure).print_png(file)


def _panel(axes: Any, curve: Curve) -> None:
    sizes, costs = zip(*curve.points, strict=True)
    axes.plot(sizes, costs, color=_COLOURS[curve.part], marker="o", markersize=3, linewidth=1.4)
    middle = len(sizes) // 2
    linear = [costs[middle] * size / sizes[middle] for size in sizes]
    low, high = min(costs) / 2.5, max(costs) * 2.5
    axes.plot(sizes, linear, color="#8a8f98", linestyle="--", linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel=curve.over, ylabel=curve.unit, ylim=(low, high))
    axes.set_title(f"{curve.what.replace('`', '')}\nexponent {curve.exponent:+.2f}", fontsize=8)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda cost, _: f"{cost:,g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.label.set_size(7)
    axes.yaxis.label.set_size(7)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
