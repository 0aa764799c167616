"""Files out of the store and into it, told to a person."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

import typer

from cli.screen import progress_bar
from nightschool.config import Config
from nightschool.errors import StoreError
from nightschool.prices import prices_of
from nightschool.redaction import redactor_of
from nightschool.store.durable import new_file
from nightschool.store.export import Format, export
from nightschool.store.filter import Filter
from nightschool.store.imports.importer import Imported, import_files
from nightschool.store.reader import take_snapshot

DAY_US = 86_400_000_000


def export_to(folder: Path, file: Path, form: Format, filters: Filter) -> None:
    """Write a file, whole or not at all, or standard output."""
    to_stdout = str(file) == "-"
    if to_stdout and form == "parquet" and sys.stdout.isatty():
        raise typer.BadParameter("Parquet is nothing for a terminal: name a file")
    most = sum(segment.rows for segment in take_snapshot(folder).segments("exchanges", filters.window))
    with progress_bar("exporting", most) as bar:
        result = export(folder, filters, form, opened(file), progress=bar)
    print(f"{result.rows:,} exchanges written to {'standard output' if to_stdout else file}", file=sys.stderr)
    for reason, count in result.left_out.most_common():
        print(f"{count:,} left out: {reason}", file=sys.stderr)


def import_from(folder: Path, files: Sequence[Path], config: Config, *, workload: str | None, as_json: bool) -> None:
    """Import the files and say what came of it."""
    sizes = {path: path.stat().st_size if path.is_file() else 0 for path in files}
    with progress_bar("importing", sum(sizes.values())) as bar:
        result = import_files(
            folder,
            files,
            prices=prices_of(config),
            workload=workload,
            redactor=redactor_of(config.record),
            progress=lambda path, done: bar(done + sum(sizes[before] for before in files[: files.index(path)])),
        )
    _name_faults(result, config)
    print(_as_json(result) if as_json else _in_words(result))


def opened(file: Path) -> Callable[[], AbstractContextManager[BinaryIO]]:
    """What opens a file that an option names; ``-`` is standard output."""
    return _Stdout() if str(file) == "-" else lambda: _replacing(file)


class _Stdout:
    """Standard output, once: what has been written to it cannot be taken back."""

    def __init__(self) -> None:
        self._used = False

    def __call__(self) -> AbstractContextManager[BinaryIO]:
        if self._used:
            raise StoreError("a damaged file of the store was set aside in the middle", remedy="run the command again")
        self._used = True
        return nullcontext(sys.stdout.buffer)


def _replacing(file: Path) -> AbstractContextManager[BinaryIO]:
    """A regular file is replaced when it is complete; a pipe or a device is written to."""
    return file.open("wb") if file.exists() and not file.is_file() else new_file(file)


def _name_faults(result: Imported, config: Config) -> None:
    for fault in result.faults:
        print(f"nightschool: {fault}", file=sys.stderr)
    if result.bad_items > len(result.faults):
        print(f"nightschool: and {result.bad_items - len(result.faults)} more", file=sys.stderr)
    days = config.record.retention_days
    if days is not None and result.oldest_us is not None and result.oldest_us < time.time_ns() // 1000 - days * DAY_US:
        print(f"nightschool: some are older than record.retention_days ({days}), and will be deleted", file=sys.stderr)


def _in_words(result: Imported) -> str:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in result.kinds.most_common())
    parts = [
        f"{result.exchanges:,} exchanges in {len(result.conversations):,} conversations imported",
        f"{result.feedback:,} with feedback" if result.feedback else "",
        f"{result.already_there:,} were there already" if result.already_there else "",
        f"{result.bad_items:,} could not be read" if result.bad_items else "",
    ]
    return f"{', '.join(filter(None, parts))} (from {kinds})"


def _as_json(result: Imported) -> str:
    return json.dumps(
        {
            "exchanges": result.exchanges,
            "conversations": len(result.conversations),
            "feedback": result.feedback,
            "already_there": result.already_there,
            "bad_items": result.bad_items,
            "kinds": dict(result.kinds),
            "faults": result.faults,
        },
        ensure_ascii=False,
    )
