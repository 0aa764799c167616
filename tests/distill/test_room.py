"""A disk without room."""

from __future__ import annotations

import errno
from pathlib import Path

import duckdb
import pytest

from distill.room import DiskFull, room_on_the_disk
from nightschool.store.query import QueryFailed


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        QueryFailed(duckdb.IOException('Could not write file "x": No space left on device')),
    ],
)
def test_a_full_disk_is_told_as_what_it_is(error: Exception) -> None:
    full = pytest.raises(DiskFull, match="disk of /data/datasets is full, so nothing was built\n  try: make room")
    with full, room_on_the_disk(Path("/data/datasets/x"), "nothing was built", "make room"):
        raise error


@pytest.mark.parametrize("error", [OSError(errno.EIO, "bad disk"), QueryFailed(duckdb.ParserException("no"))])
def test_other_errors_pass(error: Exception) -> None:
    with pytest.raises(type(error)), room_on_the_disk(Path("/data/datasets/x"), "", ""):
        raise error
