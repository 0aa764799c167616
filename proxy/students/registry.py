"""What the registry says, followed while a worker runs.

    routing.json, replicas.json ── changed? ──► decoded ──► Registered, one value for both

A file that cannot be read is told once, and what it said before stays in force; one that is not there says nothing. A
look costs two ``stat`` and reads a file only when it has changed; it may block, so a worker looks from a thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from msgspec.structs import replace

from nightschool.config import Upstream
from nightschool.errors import RegistryError
from nightschool.registry import replicas, routing
from nightschool.registry.replicas import ReplicaStates, decode_replicas
from nightschool.registry.routing import RoutingState, decode_routing, registry_of

LOOK_EVERY_S = 0.25
"""Often enough that a withdrawal reaches the next request within a second, also where the machine is busy."""

_Version = tuple[int, ...] | None
_Said = TypeVar("_Said")

log = logging.getLogger("nightschool.registry")


class Registered(NamedTuple):
    """In force together."""

    routing: RoutingState = RoutingState()
    replicas: ReplicaStates = ReplicaStates()


NOTHING = Registered()


class Registry:
    """``count`` is told of every change: file, and ``taken_over`` or ``refused``."""

    def __init__(self, data: Path, count: Callable[[str, str], None]) -> None:
        folder = registry_of(data)
        self._routing = _File(folder / routing.FILE, decode_routing, RoutingState(), count)
        self._replicas = _File(folder / replicas.FILE, _reachable, ReplicaStates(), count)
        self._told = NOTHING

    def look(self) -> Registered | None:
        """What is in force now, or None if that is what was told before."""
        said = Registered(self._routing.look(), self._replicas.look())
        if said.routing == self._told.routing and said.replicas.replicas == self._told.replicas.replicas:
            return None  # the time at which replicas were looked at changes all the while
        self._told = said
        return said


def _reachable(content: bytes, path: Path) -> ReplicaStates:
    """Without what is there for people, which changes every second while an engine starts."""
    states = decode_replicas(content, path)
    for each in states.replicas:
        try:
            Upstream(base_url=api_of(each.url))
        except ValueError as error:
            raise RegistryError(
                f"{path} has {each.url!r} for the address of a replica",
                remedy="delete the file: teachers answer until it is written anew",
            ) from error
    return replace(states, replicas=tuple(replace(each, why=None, faults={}) for each in states.replicas))


def api_of(url: str) -> str:
    """Below which a replica has the paths of the API."""
    return f"{url.rstrip('/')}/v1"


class _File(Generic[_Said]):
    def __init__(
        self, path: Path, decode: Callable[[bytes, Path], _Said], nothing: _Said, count: Callable[[str, str], None]
    ) -> None:
        self._path = path
        self._decode = decode
        self._nothing = nothing
        self._count = count
        self._seen: _Version = None
        self._unread: _Version = None
        """What could not be read, and was told. It is tried again: a file may become readable without a change."""
        self._said = nothing

    def look(self) -> _Said:
        version = self._version()
        if version == self._seen:
            return self._said
        if version is None:
            self._seen, self._said = None, self._nothing
            return self._said
        try:
            content = self._path.read_bytes()
        except OSError as error:
            if version != self._unread:
                self._refuse(error)
            self._unread = version
            return self._said
        self._seen, self._unread = version, None
        try:
            self._said = self._decode(content, self._path)
        except (RegistryError, RecursionError) as error:
            self._refuse(error)
        else:
            self._count(self._path.name, "taken_over")
        return self._said

    def _refuse(self, error: Exception) -> None:
        self._count(self._path.name, "refused")
        log.error("registry_refused path=%s; what it said before stays in force\n%s", self._path, error)

    def _version(self) -> _Version:
        """Changes whenever the file does; None where there is none."""
        try:
            found = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return (-1, error.errno or 0)
        return found.st_ino, found.st_mtime_ns, found.st_size
