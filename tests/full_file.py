"""A file that takes nothing, as on a disk that is full."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

_FULL = os.makedev(1, 7)


def make_full_file(path: Path) -> None:
    """``/dev/full`` under another name; root follows no link in a data folder, so it gets the device itself."""
    if os.geteuid() != 0:
        path.symlink_to("/dev/full")
        return
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, _FULL)
    except OSError as error:
        pytest.skip(f"root cannot make a device here: {error.strerror}")
