"""The loss curve of a run: as a picture for people."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from distill.train.points import Point

_SMOOTH_STEPS = 40
"""The picture shows means over about this many steps of all."""


def curve_png(points: Sequence[Point], title: str, best_step: int) -> bytes:
    """Training loss, smoothed, and validation loss over the epochs, with the step that was kept."""
    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    width = max(1, len(points) // _SMOOTH_STEPS)
    parts = [points[begin : begin + width] for begin in range(0, len(points), width)]
    axes.plot(
        [part[-1].epoch for part in parts],
        [sum(point.train_loss for point in part) / len(part) for part in parts],
        color="#8a8f98",
        label="training" if width == 1 else f"training, mean over {width} steps",
    )
    looks = [(point.epoch, point.validation_loss) for point in points if point.validation_loss is not None]
    if looks:
        axes.plot(*zip(*looks, strict=True), color="#2458c5", marker="o", markersize=3, label="validation")
    kept = next((point.epoch for point in points if point.step == best_step), None)
    if kept is not None:
        axes.axvline(kept, color="#2458c5", linewidth=0.8, linestyle=":", label=f"kept: step {best_step}")
    axes.set(xlabel="epochs", ylabel="nats per learned token", title=title)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    data = io.BytesIO()
    FigureCanvasAgg(figure).print_png(data)
    return data.getvalue()
