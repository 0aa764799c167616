"""Who has the processor, where one GPU is there for training and for serving: `distill.while_serving: pause`.

A training run holds ``data/registry/processor.lock``; the serve process sees it, writes down that its replicas are
paused, and lets them rest. The lock goes with the run, however that ends.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nightschool.errors import RegistryError
from nightschool.registry.replicas import read_replicas
from nightschool.registry.routing import registry_of
from nightschool.store.durable import make_folder
from nightschool.store.lock import is_locked, lock

LOCK = "processor.lock"
_LOOK_EVERY_S = 0.2


def processor_is_taken(data: Path) -> bool:
    """A training run has it, or waits for it."""
    return is_locked(registry_of(data) / LOCK)


@contextmanager
def processor_taken(data: Path, *, patience_s: float = 600.0) -> Iterator[None]:
    """Have every replica rest while the block runs; at once where no serve process is there to be asked.

    Raises RegistryError where the replicas go on for longer than ``patience_s``.
    """
    make_folder(registry_of(data))
    with lock(registry_of(data) / LOCK):
        deadline = time.monotonic() + patience_s
        while not _all_rest(data):
            if time.monotonic() > deadline:
                raise RegistryError(
                    f"replicas did not pause within {patience_s:.0f} s",
                    remedy="look at the log of `nightschool serve`, or set `distill.while_serving: share`",
                )
            time.sleep(_LOOK_EVERY_S)
        yield


def _all_rest(data: Path) -> bool:
    states = read_replicas(data)
    return not states.is_kept_up or all(each.paused and not each.ready for each in states.replicas)
