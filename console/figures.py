"""The figures of evaluations, reckoned once each."""

from __future__ import annotations

from pathlib import Path

from distill.evaluate.figures import Figures, figures_of
from distill.evaluate.result import ROWS

_MOST_KEPT = 100


class AllFigures:
    """Of finished evaluations, which never change."""

    def __init__(self) -> None:
        self._known: dict[Path, Figures] = {}

    def of(self, folder: Path) -> Figures:
        """Raises DAMAGE for damaged rows."""
        known = self._known.get(folder)
        if known is None:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            known = self._known[folder] = figures_of(folder / ROWS)
        return known
