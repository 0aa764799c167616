"""Logs as proxy workers write them, and a store made of such."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

import nightschool
from nightschool.record import Feedback, Price, id_text, new_id
from nightschool.store import wal

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
NOON_US = int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp()) * 1_000_000
PRICES = {"gpt-x": Price(1.0, 2.0)}

Frames = list[bytes]


def identity(time_us: int, number: int = 0) -> bytes:
    return new_id(time_us, number.to_bytes(10, "big"))


def text_id(time_us: int, number: int = 0) -> str:
    return id_text(identity(time_us, number))


def request(time_us: int, number: int = 0, *, question: str = "why?", **told: Any) -> Frames:
    """A REQUEST frame."""
    meta = wal.Request(
        id=identity(time_us, number),
        time_us=time_us,
        endpoint="/chat/completions",
        content_type="application/json",
        upstream="main",
        **told,
    )
    body = {"model": "gpt-x", "messages": [{"role": "user", "content": question}]}
    return wal.encode(wal.REQUEST, meta, [msgspec.json.encode(body)])


def end(time_us: int, number: int = 0, *, answer: str = "because", status: int = 200) -> Frames:
    """An END frame."""
    meta = wal.End(
        id=identity(time_us, number), status=status, content_type="application/json", latency_us=1500, overhead_us=200
    )
    body = {
        "object": "chat.completion",
        "model": "gpt-x",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
    return wal.encode(wal.END, meta, [msgspec.json.encode(body)])


def exchange(time_us: int, number: int = 0, *, question: str = "why?", answer: str = "because", **told: Any) -> Frames:
    return [*request(time_us, number, question=question, **told), *end(time_us, number, answer=answer)]


def feedback(time_us: int, number: int = 0, *, score: float = 1.0) -> Frames:
    return wal.encode(wal.FEEDBACK, Feedback(exchange_id=text_id(time_us, number), time_us=time_us, score=score))


def header(**told: Any) -> Frames:
    return wal.encode(wal.HEADER, wal.Header(prices=PRICES, **told))


def write_log(folder: Path, frames: Sequence[Frames], name: str = "20260310T120000Z-w-000001") -> Path:
    """A log that its worker has finished."""
    path = folder / "wal" / f"{name}.wal"
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = [*header(), *(part for frame in frames for part in frame), *wal.encode(wal.FINISHED, None)]
    path.write_bytes(b"".join(parts))
    return path


@contextmanager
def open_log(folder: Path, frames: Sequence[Frames], name: str = "20260310T130000Z-w-000002") -> Iterator[Path]:
    """A log that a worker is writing."""
    path = folder / "wal" / f"{name}.wal"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        os.write(descriptor, b"".join([*header(), *(part for frame in frames for part in frame)]))
        yield path
    finally:
        os.close(descriptor)


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(nightschool.open_store(folder)) as store:
        return store.execute(sql).fetchall()


def ids(folder: Path) -> list[str]:
    """Of all exchanges, oldest first, each as often as it is there."""
    return [identity for (identity,) in rows(folder, "select id from exchanges order by time, id")]
