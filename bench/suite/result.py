"""What one run of a benchmark has measured, with all that is needed to believe it: a file of JSON each."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import msgspec

from bench.figure import Measured
from bench.proxy.failure import BenchFailure
from bench.proxy.machine import Machine


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Either ``measured`` or ``failure`` is there."""

    benchmark: str
    command: str
    """As somebody would type it in the project's folder."""
    code: str
    """The commit, and a mark of what had been changed since."""
    begun: datetime
    seconds: float
    quick: bool
    """It shows that everything works, and no more."""
    machine: Machine
    versions: dict[str, str]
    measured: Measured | None = None
    failure: str = ""


class Kept:
    """Results by benchmark: the last attempt of each here, and the last good one of each, which is committed."""

    def __init__(self, attempts: Path, good: Path) -> None:
        self._attempts = attempts
        self._good = good

    def attempt(self, benchmark: str) -> Result | None:
        """The last one here, failed or not."""
        return _read(self._attempts / f"{benchmark}.json")

    def good(self, benchmark: str) -> Result | None:
        """The newest that has measured something, wherever it lies."""
        found = [self.attempt(benchmark), _read(self._good / f"{benchmark}.json")]
        return max(
            (each for each in found if each is not None and each.measured is not None),
            key=lambda result: result.begun,
            default=None,
        )

    def keep(self, result: Result) -> None:
        """A failed attempt does not take the place of what was measured before."""
        _write(self._attempts / f"{result.benchmark}.json", result)
        if result.measured is not None:
            _write(self._good / f"{result.benchmark}.json", result)


def _read(path: Path) -> Result | None:
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Result)
    except msgspec.DecodeError as error:
        raise BenchFailure(f"{path.name} cannot be read: {error}; mend it or delete it") from error


def _write(path: Path, result: Result) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    os.replace(unfinished, path)
