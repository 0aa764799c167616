"""The text of the configuration in force, where the workers of one proxy share files.

A worker that replaces another while the file on the disk is a bad one begins with it, so that all go on with the
configuration before.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class Accepted:
    """One file in a folder that lives as long as the proxy; without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._file = None if folder is None else folder / "accepted.yaml"

    def keep(self, content: bytes) -> None:
        if self._file is None:
            return
        hidden = self._file.with_name(f".accepted-{os.getpid()}.yaml")
        with contextlib.suppress(OSError):  # the folder is full, or gone: what was kept before stays
            hidden.write_bytes(content)
            hidden.replace(self._file)

    def read(self) -> bytes | None:
        """None where nothing was ever kept."""
        if self._file is None or not self._file.exists():
            return None
        return self._file.read_bytes()
