"""Everything a run of the bench has measured, as it is written to ``proxy.json``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median
from typing import Self

import msgspec

from bench.proxy.losses import Loss
from bench.proxy.machine import Machine
from bench.proxy.memory import Growth, OpenStreams, Standing
from bench.proxy.rounds import Load, Window
from bench.proxy.scaling import Scaling


class Values(tuple[float, ...]):
    """One number per round."""

    @property
    def median(self) -> float:
        return median(self)

    def over(self, other: Self) -> Values:
        """Round by round."""
        return Values(mine / theirs for mine, theirs in zip(self, other, strict=True))

    def minus(self, other: Self) -> Values:
        """Round by round."""
        return Values(mine - theirs for mine, theirs in zip(self, other, strict=True))


class Results(msgspec.Struct, kw_only=True):
    """Filled as the bench goes on; what was left out stays None."""

    machine: Machine
    begun: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    versions: dict[str, str] = {}
    missing: dict[str, str] = {}
    """Peers without figures, and why."""
    windows: list[Window] = []
    growth: Growth | None = None
    open_streams: OpenStreams | None = None
    scaling: Scaling | None = None
    standing: list[Standing] = []
    losses: list[Loss] = []
    answered: int = 0
    """Exchanges that nightschool answered, all checked."""
    recorded: int = 0
    """Those of them that its store holds whole."""

    def drop(self, peer: str, why: str) -> None:
        """A peer that could not go on: it is named, and its figures, which would be of other rounds, are left out."""
        self.missing[peer] = why
        self.windows = [window for window in self.windows if window.peer != peer]

    def values(self, peer: str, load: Load, of: Callable[[Window], float]) -> Values:
        """A number of every round, in their order; empty when the peer was not measured."""
        windows = sorted(self.windows, key=lambda window: window.round)
        return Values(of(window) for window in windows if (window.peer, window.load) == (peer, load.name))
