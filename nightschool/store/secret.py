"""Secrets of a data folder: random bytes that nobody chose, made by whoever needs them first, and kept."""

from __future__ import annotations

import os
from pathlib import Path

from nightschool.store.durable import make_folder, open_private


def kept_secret(data: Path, name: str) -> bytes:
    """32 bytes from ``data/keys/<name>.key``, the same for every process that asks."""
    path = data / "keys" / f"{name}.key"
    make_folder(path.parent)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    if not path.exists():
        with open(fresh, "wb", opener=open_private) as file:
            file.write(os.urandom(32))
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()
