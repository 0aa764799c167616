"""Which exchanges a workload's name means: those recorded under it, those of a fingerprint, or those of a condition.

With what was recorded before a rule gave them the name, where the configuration says in which groups that is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nightschool.config import Config
from nightschool.errors import NightschoolError
from nightschool.store.filter import Filter
from nightschool.store.reader import EVERYTHING, Window

_FINGERPRINT = "fingerprint:"
_SHORTEST_FINGERPRINT = 4


class UnknownWorkload(NightschoolError):
    """A name under which nothing is recorded."""


@dataclass(frozen=True)
class Selection:
    """A workload, as a command names it."""

    workload: str
    """The name in the column ``workload``, or ``fingerprint:`` and the beginning of one."""
    where: str | None = None
    """SQL that picks the exchanges instead; ``workload`` is then nothing but their name."""
    window: Window = EVERYTHING
    recorded_as: tuple[str, ...] = ()
    """Groups of exchanges without a name that belong to it, too."""

    @classmethod
    def configured(
        cls, config: Config, workload: str, *, where: str | None = None, window: Window = EVERYTHING
    ) -> Selection:
        """With the groups that the configuration says."""
        known = config.workloads.get(workload)
        return cls(workload, where, window, known.recorded_as if known is not None else ())

    def __post_init__(self) -> None:
        piece = self.fingerprint
        if not self.workload or (piece is not None and len(piece) < _SHORTEST_FINGERPRINT):
            raise UnknownWorkload(
                f"{self.workload!r} names no workload",
                remedy=f"give a name, or `{_FINGERPRINT}` and at least {_SHORTEST_FINGERPRINT} digits of a fingerprint",
            )

    @property
    def fingerprint(self) -> str | None:
        """The beginning of a fingerprint, where the name is one."""
        return self.workload.removeprefix(_FINGERPRINT) if self.workload.startswith(_FINGERPRINT) else None

    def condition(self) -> tuple[str, list[Any]]:
        """SQL over the columns of ``exchanges``, and the values of its question marks; without the groups."""
        sql, values = Filter(window=self.window, where=self.where).condition()
        if self.where is not None:
            return sql, values
        if self.fingerprint is not None:
            return f"{sql} and starts_with(fingerprint, ?)", [*values, self.fingerprint]
        return f"{sql} and workload = ?", [*values, self.workload]

    def in_words(self) -> str:
        """The condition for people, without the window."""
        if self.where is not None:
            return self.where
        if self.fingerprint is not None:
            return f"fingerprint begins with {self.fingerprint}"
        return " or ".join([f"workload = {self.workload}", *(f"recorded as {group}" for group in self.recorded_as)])
