"""Where a demo keeps what it writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from demo.engine import ROOT


@dataclass(frozen=True)
class Place:
    """A folder below ``.demo``; everything of one demo is in it."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "nightschool.yaml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def prompt(self) -> Path:
        return self.folder / "prompt.txt"

    @property
    def truth(self) -> Path:
        """What is truly in each text, as JSON."""
        return self.folder / "truth.json"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    def texts(self, part: str) -> Path:
        """Texts for one run of the app, as JSON."""
        return self.folder / f"texts-{part}.json"

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


def place_named(name: str) -> Place:
    folder = ROOT / ".demo" / name
    folder.mkdir(parents=True, exist_ok=True)
    return Place(folder)
