"""Files and folders that are either wholly there after a crash, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

PRIVATE = 0o600
"""Recorded traffic is nobody's business but that of the account that runs the proxy."""
UNFINISHED = ".tmp"
"""Ending of a file that was never finished, if no process is writing it."""


def sync_folder(folder: Path) -> None:
    """Make what was created, renamed or deleted in ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish_folder(filled: Path, target: Path) -> None:
    """Give a filled folder its name by one rename, once all that is in it is on the disk.

    ``target`` does not exist yet; its parent does, on the same disk.
    """
    for path in filled.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    sync_folder(filled)
    filled.replace(target)
    sync_folder(target.parent)


def make_folder(folder: Path) -> None:
    """Create ``folder`` and its missing parents durably."""
    missing = [folder, *folder.parents]
    missing = missing[: next(index for index, path in enumerate(missing) if path.is_dir())]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        sync_folder(path.parent)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to fill, which takes the name ``path`` when the block ends well, replacing what has it.

    Missing folders are made. An error leaves nothing behind.
    """
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        with _create(unfinished) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _create(path: Path) -> BinaryIO:
    while True:
        make_folder(path.parent)
        with suppress(FileNotFoundError):  # a sweep found the folder empty, and removed it
            return open(path, "wb", opener=_private)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE)
