"""A configuration and a store for commands to look at."""

from __future__ import annotations

from pathlib import Path

from nightschool.store.absorb import absorb, finished_logs
from nightschool.store.manifest import prepare_folder
from tests.store.logs import HOUR_US, NOON_US, end, exchange, feedback, request, text_id, write_log

CONFIG = """
data: ./data
upstreams: {main: {base_url: "http://127.0.0.1:9/v1"}}
prices: {gpt-x: {input: 1.0, output: 2.0}}
"""
IDS = [text_id(NOON_US + n * HOUR_US, n) for n in range(4)]


def configure(folder: Path) -> Path:
    """Write nightschool.yaml; returns the data folder, which is not made."""
    (folder / "nightschool.yaml").write_text(CONFIG)
    return folder / "data"


def recorded(folder: Path) -> Path:
    """A triage call with feedback, a plain one with a tag, one that was refused, and one still in a log."""
    data = configure(folder)
    prepare_folder(data)
    times = [NOON_US + n * HOUR_US for n in range(4)]
    frames = [
        exchange(times[0], 0, workload="triage", question="Where is\nmy parcel?", answer="It is [late]."),
        exchange(times[1], 1, tags={"feature": "inbox"}, client="cafe"),
        [*request(times[2], 2), *end(times[2], 2, status=429)],
        feedback(times[0], 0, score=0.5),
    ]
    write_log(data, frames)
    absorb(data, finished_logs(data))
    write_log(data, [exchange(times[3], 3, question="the newest")])
    return data
