"""A full disk, told as what it is."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nightschool.errors import NightschoolError
from nightschool.store.query import QueryFailed


class DiskFull(NightschoolError):
    """There is no room for what was to be written; nothing half-written was kept."""


@contextmanager
def room_on_the_disk(place: Path, consequence: str, remedy: str) -> Iterator[None]:
    """Turn the errors of a full disk, Python's and DuckDB's, into DiskFull.

    ``consequence`` goes on from "the disk is full, so …".
    """
    full = DiskFull(f"the disk of {place.parent} is full, so {consequence}", remedy=remedy)
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise full from error
    except QueryFailed as error:
        if "No space left on device" not in error.problem:
            raise
        raise full from error
