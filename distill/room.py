"""A full disk, told as what it is."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nightschool.errors import NightschoolError
from nightschool.store.query import QueryFailed


class DiskFull(NightschoolError):
    """There is no room to build a dataset in; nothing of it was kept."""

    def __init__(self, place: Path) -> None:
        super().__init__(
            f"the disk of {place.parent} is full, so no dataset was built",
            remedy="make room (old datasets can be deleted), take fewer exchanges with --since, or lower max_examples",
        )


@contextmanager
def room_on_the_disk(place: Path) -> Iterator[None]:
    """Turn the errors of a full disk, Python's and DuckDB's, into DiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise DiskFull(place) from error
    except QueryFailed as error:
        if "No space left on device" not in error.problem:
            raise
        raise DiskFull(place) from error
