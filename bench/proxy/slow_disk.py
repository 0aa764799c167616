"""A disk that is slow for one process and its children, whatever it is written in: `slow_disk.c`, compiled here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from bench.proxy.failure import PeerMissing

_SOURCE = Path(__file__).with_name("slow_disk.c")


def slow_disk(data: Path, *, hold_ms: int, folder: Path) -> dict[str, str]:
    """The environment in which every write and sync below ``data`` takes ``hold_ms`` longer.

    ``folder`` is where the library is put. Fails without a C compiler.
    """
    if (compiler := shutil.which("cc") or shutil.which("gcc")) is None:
        raise PeerMissing("a slow disk needs a C compiler (Debian: apt-get install gcc libc6-dev)")
    library = folder / "slow_disk.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerMissing(f"slow_disk.c could not be compiled: {done.stderr.strip()[-300:]}")
    return {"LD_PRELOAD": str(library), "SLOW_DISK_FOLDER": str(data.resolve()), "SLOW_DISK_MS": str(hold_ms)}
