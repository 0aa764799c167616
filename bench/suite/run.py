"""One benchmark in a process of its own, and what came of it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.figure import read_figures
from bench.proxy.cores import divide
from bench.proxy.machine import describe
from bench.suite.catalog import Benchmark
from bench.suite.code import code_of, versions
from bench.suite.result import Kept, Result

_PATH = re.compile(r"(?<![\w.])(?:/[\w.@+-]+)+/([\w.@+-]+)")


def needs_run(benchmark: Benchmark, kept: Kept, *, code: str, again: bool) -> bool:
    """Whether there is no result of this very code yet."""
    last = kept.good(benchmark.name)
    return again or last is None or not code or last.code != code


def run(benchmark: Benchmark, *, root: Path, work: Path, quick: bool) -> Result:
    """To its end; what it says goes to a log in ``work``."""
    work.mkdir(parents=True, exist_ok=True)
    written, log = work / f"{benchmark.name}.figures", work / f"{benchmark.name}.log"
    written.unlink(missing_ok=True)
    arguments = [benchmark.module, *benchmark.arguments, *(benchmark.quick if quick else ())]
    before, code = describe(divide()), code_of(root, benchmark.measures)
    begun, started = datetime.now(UTC), time.monotonic()
    with log.open("wb") as output:
        command = [sys.executable, "-m", *arguments, "--json", str(written)]
        status = subprocess.run(command, cwd=root, stdout=output, stderr=output, check=False).returncode
    result = Result(
        benchmark=benchmark.name,
        command=f"python -m {' '.join(arguments)}",
        code=code,
        begun=begun,
        seconds=round(time.monotonic() - started, 1),
        quick=quick,
        machine=before,
        versions=versions(),
    )
    if not written.exists():
        return msgspec.structs.replace(result, failure=f"it ended with status {status}: {last_words(log)}")
    try:
        measured = read_figures(written)
    except msgspec.DecodeError as error:
        return msgspec.structs.replace(result, failure=f"its figures cannot be read: {error}")
    return msgspec.structs.replace(result, measured=measured, versions=result.versions | measured.versions)


def last_words(log: Path) -> str:
    """The last line that says something, without folders of this machine."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return without_folders(lines[-1]) if lines else "it said nothing"


def without_folders(text: str) -> str:
    """Of each absolute path only the name."""
    return _PATH.sub(r"\1", text)
