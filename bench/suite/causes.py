"""Why targets are missed, and what would mend that: `bench/causes.yaml`, written by hand."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import msgspec
import yaml

from bench.proxy.failure import BenchFailure


class Cause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one missed figure."""

    cause: str
    mend: str


class Missed(NamedTuple):
    """A figure by its benchmark and its name."""

    benchmark: str
    name: str


class Causes:
    """By the name of the figure, in which ``*`` stands for anything, or by ``BENCHMARK/NAME``."""

    def __init__(self, known: dict[str, Cause]) -> None:
        self._known = known

    def of(self, missed: Missed) -> Cause | None:
        """The first that fits."""
        return next((cause for name, cause in self._known.items() if _fits(name, missed)), None)

    def idle(self, missed: Iterable[Missed]) -> list[str]:
        """Entries that explain nothing: the figure is met by now, or is called something else."""
        all_missed = list(missed)
        return [name for name in self._known if not any(_fits(name, each) for each in all_missed)]


def read_causes(path: Path) -> Causes:
    """None is there, none is known."""
    if not path.exists():
        return Causes({})
    try:
        return Causes(msgspec.convert(yaml.safe_load(path.read_text()) or {}, dict[str, Cause]))
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise BenchFailure(f"{path.name}: {error}; an entry is FIGURE: {{cause: …, mend: …}}") from error


def _fits(pattern: str, missed: Missed) -> bool:
    return any(fnmatchcase(name, pattern) for name in (missed.name, f"{missed.benchmark}/{missed.name}"))
