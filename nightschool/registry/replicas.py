"""What the replicas hold, as the serve process last saw it: ``data/registry/replicas.json``, written by it alone.

A proxy sends a student's request only to a replica that is ready with the adapter. Replicas that nobody reconciles
are not in the file, and get no requests.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from nightschool.errors import RegistryError
from nightschool.registry.routing import registry_of
from nightschool.store.durable import make_folder, new_file

FORMAT_VERSION = 1
FILE = "replicas.json"
WRITTEN_EVERY = timedelta(seconds=5)
"""By the serve process, at least."""


class ReplicaState(msgspec.Struct, kw_only=True, frozen=True):
    """One vLLM server."""

    url: str
    """Its address without ``/v1``."""
    ready: bool
    """It answers, and it has the right base model and writes prompts by our template."""
    why: str | None = None
    """Why it is not ready, and what to do."""
    base: str | None = None
    """Name under which it serves the base model."""
    max_model_len: int | None = None
    """Its window in tokens."""
    adapters: tuple[str, ...] = ()
    """Loaded, warmed up, and ready to answer, under these very names."""
    stop_token_ids: tuple[int, ...] = ()
    """What ends an answer of our format, where the model's own configuration does not say so."""
    paused: bool = False
    """It gives its processor to a training run for now."""
    faults: dict[str, str] = {}
    """By adapter: why it could not be loaded."""
    passing: tuple[str, ...] = ()
    """Of ``faults`` those that may be gone when it is tried again: no answer in time, or no connection."""


class ReplicaStates(msgspec.Struct, kw_only=True, frozen=True):
    """The whole file."""

    format_version: int = FORMAT_VERSION
    time: str = ""
    replicas: tuple[ReplicaState, ...] = ()

    @property
    def is_kept_up(self) -> bool:
        """Whether a serve process is there, which writes it anew all the while."""
        return self.time != "" and datetime.now(UTC) - datetime.fromisoformat(self.time) < 4 * WRITTEN_EVERY

    def ready_with(self, adapter: str) -> tuple[ReplicaState, ...]:
        """Those that can answer for an adapter."""
        return tuple(each for each in self.replicas if each.ready and not each.paused and adapter in each.adapters)


def read_replicas(data: Path) -> ReplicaStates:
    """None at all where there is no file. Raises RegistryError where it cannot be read."""
    path = registry_of(data) / FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ReplicaStates()
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror or error}") from error
    return decode_replicas(content, path)


def decode_replicas(content: bytes, path: Path) -> ReplicaStates:
    """Raises RegistryError."""
    try:
        states = msgspec.json.decode(content, type=ReplicaStates)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RegistryError(
            f"{path} does not say what replicas hold: {error}",
            remedy="delete the file: teachers answer until it is written anew",
        ) from error
    if states.format_version > FORMAT_VERSION:
        raise RegistryError(
            f"{path} has version {states.format_version}, and this nightschool reads versions up to {FORMAT_VERSION}",
            remedy="use the version of nightschool that wrote it, on every machine",
        )
    return states


def write_replicas(data: Path, states: ReplicaStates) -> None:
    """Replace the file."""
    folder = registry_of(data)
    make_folder(folder)
    with new_file(folder / FILE) as file:
        file.write(msgspec.json.format(msgspec.json.encode(states), indent=1))
