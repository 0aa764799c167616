"""Whatever happens in whatever order, each exchange has its frames in order in one log."""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from nightschool.store import wal
from proxy.journal import TICK_S
from proxy.log import Log
from tests.proxy.journaling import SLOW_S, an_id, begin, end, logs, started
from tests.proxy.weathered_disk import Disk

OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["begin"] * 4 + ["part"] * 3 + ["end"] * 4 + ["rotate", "slow", "breathe"]),
        st.integers(0, 20),
        st.integers(0, 3000),
    ),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(OPERATIONS)
def test_each_exchange_has_exactly_its_frames_in_order_in_one_log(operations: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wanted, lost = asyncio.run(_played(Path(folder), operations))
        found: dict[bytes, list[tuple[str, int, bytes]]] = defaultdict(list)
        for name, frames in logs(Path(folder)).items():
            for frame in frames:
                if frame.kind in (wal.REQUEST, wal.PART, wal.END):
                    found[_id_of(frame)].append((name, frame.kind, frame.body))

    assert lost == 0
    assert {key: [frame[1:] for frame in frames] for key, frames in found.items()} == wanted
    assert all(len({name for name, _, _ in frames}) == 1 for frames in found.values())


async def _played(folder: Path, operations: list[tuple[str, int, int]]) -> tuple[dict[bytes, list[Any]], int]:
    wanted: dict[bytes, list[Any]] = {}
    open_ones: list[tuple[int, Log]] = []
    disk = Disk()
    async with started(folder, disk, fsync="off", segment_bytes=4000) as journal:
        for operation, which, size in operations:
            body = bytes([which]) * size
            number, log = open_ones[which % len(open_ones)] if open_ones else (-1, None)
            disk.write_s = SLOW_S if operation == "slow" else 0.0
            if operation == "begin":
                number = len(wanted)
                open_ones.append((number, begin(journal, number, body)))
                wanted[an_id(number)] = [(wal.REQUEST, body)]
            elif operation == "rotate":
                journal.rotate()
            elif operation == "breathe":
                await asyncio.sleep(TICK_S / 2)
            elif log is not None and operation in ("part", "slow"):
                journal.part(log, an_id(number), (body,))
                wanted[an_id(number)].append((wal.PART, body))
            elif log is not None:
                end(journal, log, number, body)
                wanted[an_id(number)].append((wal.END, body))
                open_ones.remove((number, log))
        for number, log in open_ones:
            end(journal, log, number, b"")
            wanted[an_id(number)].append((wal.END, b""))
    return wanted, journal.state.lost


def _id_of(frame: wal.Frame) -> bytes:
    if frame.kind == wal.REQUEST:
        return wal.decode_request(frame.meta).id
    return wal.decode_part(frame.meta).id if frame.kind == wal.PART else wal.decode_end(frame.meta).id
