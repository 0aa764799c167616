"""Nothing that is tested was learned: looked up in the files themselves, after they are written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from distill.dataset.identity import keys_of
from nightschool.errors import NightschoolError
from nightschool.wire import json_text

_COLUMNS = ["id", "group", "messages", "learn"]


class Leak(NightschoolError):
    """An input, or a group, stands on both sides; no dataset is made."""

    def __init__(self, what: str, tested: str, learned: str) -> None:
        super().__init__(
            f"it would test what it trains: {what} of exchange {tested} is on the training side, too ({learned})",
            remedy="this is a fault of nightschool, please report it; nothing was written",
        )


class Shared(NamedTuple):
    """What stands on both sides."""

    key: int | str
    tested: str
    """An exchange that has it."""
    learned: str
    """One of the training side."""

    @property
    def is_group(self) -> bool:
        """Else it is an exact input."""
        return isinstance(self.key, str)


class _Input(NamedTuple):
    key: int | str
    id: str


def check_leakage(folder: Path) -> None:
    """Raise Leak if an exact input or a group of the training file is in the test or the validation file."""
    for found in shared(folder):
        raise Leak("the group" if found.is_group else "the exact input", found.tested, found.learned)


def shared(folder: Path) -> Iterator[Shared]:
    """Each time that an exact input or a group of the test or validation file is in the training file."""
    held_out = {found.key: found.id for name in ("test", "validation") for found in _inputs(folder / f"{name}.parquet")}
    for learned in _inputs(folder / "train.parquet"):
        if learned.key in held_out:
            yield Shared(learned.key, held_out[learned.key], learned.id)


def _inputs(path: Path) -> Iterator[_Input]:
    """The group of each example, and the input of each of its answers."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(500, columns=_COLUMNS):
            for row in batch.to_pylist():
                yield _Input(row["group"], row["id"])
                messages = json_text.decode(row["messages"].encode())
                for position in row["learn"]:
                    yield _Input(keys_of(messages[:position], None).input, row["id"])
