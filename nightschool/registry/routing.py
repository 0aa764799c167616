"""The routing state: which student answers how much of each workload. One small file, replaced as a whole.

    data/registry/routing.json     in force now; proxies look at it about once a second
    data/registry/history.jsonl    one line per change: who, when, why, the state before it and after it

Pure values here; `nightschool.registry.steps` says what a change does to them, `nightschool.registry.change` makes it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from nightschool.errors import RegistryError

FORMAT_VERSION = 1
FOLDER = "registry"
FILE = "routing.json"

Stage = Literal["none", "evaluating", "qualified", "canary", "live"]


class Measure(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """By what an agreement was measured: numbers of two measures are never compared."""

    scorer: str
    """Its name; where a judge had scored the evaluation, ``exact``."""
    spans: dict[str, str] = {}
    """``evaluate.spans`` at that time, where the scorer reads them."""


class Placed(msgspec.Struct, kw_only=True, frozen=True):
    """An adapter that answers clients."""

    adapter: str
    share: float
    """Of the conversations, in per cent. Of a canary its own share; of a live adapter what canary and teacher leave."""
    fingerprints: tuple[str, ...]
    """Of the prompts that it was qualified on; a request with another one goes to the teacher."""
    agreement: float | None = None
    """Mean score of its test answers against the teacher's own, as the gate's evaluation measured it; null is unknown.

    What the audit holds its live answers to.
    """
    measure: Measure | None = None
    """Of ``agreement``; null in states that were written before it was kept."""
    since: str
    """Time of the change that gave it this share, UTC."""


class Candidate(msgspec.Struct, kw_only=True, frozen=True):
    """An adapter that replicas hold and that answers nobody yet."""

    adapter: str
    qualified: bool = False
    """The gate has let it pass; false while it is evaluated."""
    fingerprints: tuple[str, ...] = ()
    agreement: float | None = None
    measure: Measure | None = None


class Students(msgspec.Struct, kw_only=True, frozen=True):
    """Who may answer for one workload beside its teacher."""

    live: Placed | None = None
    canary: Placed | None = None
    """On its way up; it takes its share first."""
    candidate: Candidate | None = None
    """The newest one: it is being evaluated, or waits, qualified."""
    waiting: Candidate | None = None
    """Qualified, while a newer candidate is being evaluated; it is the candidate again if that one does not pass."""
    previous: Placed | None = None
    """Was live before ``live``; what a rollback of ``live`` returns to."""
    held: bool = False
    """No automatic step until a person says so."""
    withdrawn: tuple[str, ...] = ()
    """Adapters that were rolled back: no automatic step brings one back."""

    @property
    def stage(self) -> Stage:
        """How far the newest of them has come."""
        if self.canary is not None:
            return "canary"
        if self.candidate is not None:
            return "qualified" if self.candidate.qualified else "evaluating"
        return "none" if self.live is None else "live"

    @property
    def next_up(self) -> Candidate | None:
        """The qualified one that begins its ramp next."""
        if self.candidate is not None and self.candidate.qualified:
            return self.candidate
        return self.waiting

    def answering(self) -> tuple[Placed, ...]:
        """Those that answer clients, the canary first."""
        return tuple(each for each in (self.canary, self.live) if each is not None)

    def shares(self) -> tuple[tuple[Placed, float], ...]:
        """Those that answer, and their parts of the conversations in per cent; a live one has what a canary leaves."""
        taken = 0.0 if self.canary is None else self.canary.share
        return tuple((each, each.share if each is self.canary else 100 - taken) for each in self.answering())

    def wanted(self) -> tuple[str, ...]:
        """Adapters that every replica has to hold, those that answer first; one that can be rolled back to is kept."""
        named = (*self.answering(), self.candidate, self.waiting, self.previous)
        names = [each.adapter for each in named if each is not None]
        return tuple(dict.fromkeys(names))


NOBODY = Students()


class RoutingState(msgspec.Struct, kw_only=True, frozen=True):
    """The whole file."""

    format_version: int = FORMAT_VERSION
    revision: int = 0
    """Counts changes."""
    workloads: dict[str, Students] = {}

    def students_of(self, workload: str) -> Students:
        return self.workloads.get(workload, NOBODY)

    def wanted(self) -> tuple[str, ...]:
        """Adapters that every replica has to hold, for any workload."""
        return tuple(dict.fromkeys(name for students in self.workloads.values() for name in students.wanted()))


def this_moment() -> str:
    """As the changes of the state are told: UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def registry_of(data: Path) -> Path:
    return data / FOLDER


def read_routing(data: Path) -> RoutingState:
    """The state in force; nobody but teachers where there is no file. Raises RegistryError where it cannot be read."""
    path = registry_of(data) / FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return RoutingState()
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror or error}") from error
    return decode_routing(content, path)


def decode_routing(content: bytes, path: Path) -> RoutingState:
    """Raises RegistryError, also for a file of a newer version."""
    try:
        version = msgspec.json.decode(content, type=_Versioned).format_version
        if version <= FORMAT_VERSION:
            return msgspec.json.decode(content, type=RoutingState)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RegistryError(
            f"{path} is no routing state: {error}",
            remedy="`nightschool routes --history` shows the states before; restore the file from a backup, or delete "
            "it, and every teacher answers for itself",
        ) from error
    raise RegistryError(
        f"{path} has version {version}, and this nightschool reads versions up to {FORMAT_VERSION}",
        remedy="use the version of nightschool that wrote it, on every machine",
    )


class _Versioned(msgspec.Struct):
    format_version: int = FORMAT_VERSION
