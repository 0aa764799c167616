"""Files and folders that are either wholly there after a crash, or not at all.

What root makes in somebody's folder is given to that folder's owner: a command of root's must not lock the service out.
"""

from __future__ import annotations

import os
import stat
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
    for path in [*filled.iterdir(), filled]:
        descriptor = os.open(path, os.O_RDONLY | (os.O_NOFOLLOW if _is_root() else 0))
        try:
            os.fsync(descriptor)
            _give_away(descriptor, target.parent)
        finally:
            os.close(descriptor)
    filled.replace(target)
    sync_folder(target.parent)


def make_folder(folder: Path) -> None:
    """Create ``folder`` and its missing parents durably."""
    missing = [folder, *folder.parents]
    missing = missing[: next(index for index, path in enumerate(missing) if path.is_dir())]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        if _is_root():
            _give_away_folder(path)
        sync_folder(path.parent)


def open_private(path: Path | str, flags: int) -> int:
    """A descriptor of a file for its owner alone, which is made where there is none."""
    if not _is_root():
        return os.open(path, flags | os.O_CREAT, PRIVATE)
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, PRIVATE)
    _give_away(descriptor, Path(path).parent)
    return descriptor


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
            return open(path, "wb", opener=open_private)


def _is_root() -> bool:
    return os.geteuid() == 0


def _give_away_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _give_away(descriptor, path.parent)
    finally:
        os.close(descriptor)


def _give_away(descriptor: int, folder: Path) -> None:
    """Give what is root's to the owner of ``folder``, in which it stands.

    The owner may have put a link there to a file of root's that is none of his business: whoever opens the descriptor
    follows no symbolic link, and a file with a second name stays as it is.
    """
    made, owner = os.fstat(descriptor), folder.stat()
    if not _is_root() or made.st_uid != 0 or (made.st_nlink > 1 and not stat.S_ISDIR(made.st_mode)):
        return
    if (owner.st_uid, owner.st_gid) != (made.st_uid, made.st_gid):
        with suppress(OSError):  # in some containers, and on some shared disks, root may not do that
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
