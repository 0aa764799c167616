"""Who judges, as the configuration names it."""

from __future__ import annotations

from typing import NamedTuple

from distill.judge.rubric import GENERAL
from nightschool.config import Judge, Upstream
from nightschool.record import Price


class Judging(NamedTuple):
    """A judge as the configuration names it."""

    config: Judge
    upstream: Upstream
    price: Price | None

    @property
    def rubric(self) -> str:
        return self.config.rubric or GENERAL
