"""Exchanges made by hand, filed as the recorder would, and datasets built of them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

import nightschool
from distill.dataset.build import build
from distill.dataset.settings import Settings
from distill.dataset.snapshot import DatasetManifest, folder_of
from distill.selection import Selection
from nightschool.record import Record, id_text, new_id
from nightschool.store.manifest import prepare_folder, publish
from nightschool.store.sealer import Sealer
from nightschool.wire.fingerprint import fingerprint
from nightschool.wire.request import RequestBody, read_request

NOON_US = 1_773_144_000_000_000
DAY_US = 86_400_000_000
FEW = Settings(min_examples=1)
SIDES = ("train", "validation", "test")

Message = dict[str, Any]


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def says(text: str) -> Message:
    return {"role": "assistant", "content": text}


def calls(name: str, arguments: str) -> Message:
    function = {"name": name, "arguments": arguments}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": function}]}


def tool(name: str, **properties: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {key: {"type": kind} for key, kind in properties.items()}}
    return {"type": "function", "function": {"name": name, "parameters": {**parameters, "required": [*properties]}}}


def asked(
    number: int,
    *messages: Message,
    answer: Message | None = None,
    body: dict[str, Any] | None = None,
    **told: Any,
) -> Record:
    """An exchange, a second after that of the number before; ``body`` is more of its request, ``told`` its columns."""
    time_us = told.pop("time_us", NOON_US + number * 1_000_000)
    choice = {"index": 0, "message": answer or says(f"answer {number}"), "finish_reason": "stop"}
    request = msgspec.json.encode({"model": "m", "messages": messages, **(body or {})})
    columns: dict[str, Any] = {
        "workload": "w",
        "endpoint": "/chat/completions",
        "status": 200,
        "finish_reason": "stop",
        "request": request.decode(),
        "fingerprint": fingerprint(read_request(request) or RequestBody()),
        "response": msgspec.json.encode({"choices": [choice]}).decode(),
    }
    return Record(id=identity(number), time_us=time_us, **{**columns, **told})


def identity(number: int) -> str:
    return id_text(new_id(NOON_US, number.to_bytes(10, "big")))


def file(folder: Path, records: Iterable[Record]) -> None:
    """Add exchanges to the store."""
    prepare_folder(folder)
    with Sealer(folder, split="day") as sealer:
        for record in records:
            sealer.add(record)
        sealer.seal()
        publish(folder, sealer.added_to)


def built(folder: Path, settings: Settings = FEW, **told: Any) -> DatasetManifest:
    return build(folder, Selection("w"), settings, **told)


def examples(folder: Path, manifest: DatasetManifest) -> dict[str, list[dict[str, Any]]]:
    """The rows of each side."""
    place = folder_of(folder, manifest)
    return {side: pq.read_table(place / f"{side}.parquet").to_pylist() for side in SIDES}


def all_examples(folder: Path, manifest: DatasetManifest) -> list[dict[str, Any]]:
    return [row for rows in examples(folder, manifest).values() for row in rows]


def excluded(folder: Path, manifest: DatasetManifest) -> dict[str, tuple[str, str | None]]:
    """Reason and detail by id."""
    rows = pq.read_table(folder_of(folder, manifest) / "excluded.parquet").to_pylist()
    return {row["id"]: (row["reason"], row["detail"]) for row in rows}


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(nightschool.open_store(folder)) as store:
        return store.execute(sql).fetchall()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of every dataset, by its path."""
    place = folder / "datasets"
    paths = [path for path in place.rglob("*") if path.is_file() and path.name != "build.lock"]
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in paths}
