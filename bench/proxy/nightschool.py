"""nightschool as a user starts it: `nightschool proxy --config FILE`, everything recorded, prices and workloads
configured."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path

import nightschool
from bench.proxy import peer, probe, process, traffic
from bench.proxy.child import Child
from bench.proxy.cores import Cores
from bench.proxy.failure import BenchFailure
from bench.proxy.peer import Peer, Records

_SETTLES_WITHIN_S = 120.0
_ASLEEP_S = 1.2  # longer than the recorder's own period
_SEGMENT_S = 2.0
"""Five times shorter than the default: the recorder is done soon after the last answer, and has more to do."""


def start(
    stack: ExitStack,
    *,
    upstream_port: int,
    cores: Cores,
    folder: Path,
    workers: int = 1,
    env: Mapping[str, str] | None = None,
) -> Peer:
    """The proxy in front of the upstream, ended by ``stack``: its workers on their cores, supervisor and recorder
    with the load."""
    folder.mkdir(parents=True)
    config = folder / "nightschool.yaml"
    config.write_text(json.dumps(_config(upstream_port, workers), indent=1))  # JSON is YAML
    program = str(Path(sys.executable).with_name("nightschool"))
    child = stack.enter_context(
        Child([program, "proxy", "--config", str(config)], cores=cores.load, log=folder / "nightschool.log", env=env)
    )
    port = int(child.wait_for(r"listening on http://127\.0\.0\.1:(\d+)", within_s=60)[1])
    running = {pid: process.command_line(pid) for pid in child.descendants()}
    forwarding = _running(running, "proxy.worker")
    recording = _running(running, "proxy.recorder")
    if len(forwarding) != workers or len(recording) != 1:
        raise BenchFailure(f"the proxy runs {running}, not {workers} workers and a recorder:\n{child.tail()}")
    for pid, core in zip(forwarding, cores.for_workers(workers), strict=True):
        process.pin(pid, {core})
    return Peer(
        name=peer.NIGHTSCHOOL,
        version=version("nightschool"),
        port=port,
        bodies=probe.learn_bodies(port),
        workers=tuple(forwarding),
        beside={"recorder": recording[0], "supervisor": child.pid},
        rest=partial(_rest, recording[0]),
        settle=partial(_settle, folder / "data"),
        child=child,
        records=Records("x-nightschool-id", partial(_stored, folder)),
    )


def recorded(folder: Path) -> int:
    """Exchanges in the store that are whole: request, answer and status."""
    return _stored(folder).total()


def _stored(folder: Path) -> Counter[str]:
    with nightschool.open_store(folder / "data") as store:
        found = store.sql("select id from exchanges where complete and status = 200 and response is not null")
        return Counter(identity for (identity,) in found.fetchall())


def _config(upstream_port: int, workers: int) -> dict[str, object]:
    return {
        "listen": "127.0.0.1:0",
        "workers": workers,
        "data": "data",
        "upstreams": {"stub": {"base_url": f"http://127.0.0.1:{upstream_port}/v1"}},
        "prices": {traffic.MODEL: {"input": 2.5, "cached_input": 1.25, "output": 10.0}},
        "workloads": {
            "summaries": {"when": {"tag": {"feature": "summary"}}},
            "pii-redaction": {"when": {"tool": "redact", "model": "bench-*"}},
        },
        "record": {"bodies": "full", "segment_s": _SEGMENT_S},
        "console": {"listen": "127.0.0.1:0"},
    }


def _running(commands: dict[int, list[str]], module: str) -> Sequence[int]:
    return [pid for pid, command in commands.items() if module in command]


def _rest(recorder: int) -> None:
    """Until the worker has closed its log and the recorder has gone to sleep over what is too little to be written."""
    time.sleep(_SEGMENT_S)
    end = time.monotonic() + _SETTLES_WITHIN_S
    while time.monotonic() < end:
        before = process.cpu_s(recorder)
        time.sleep(_ASLEEP_S)
        if process.cpu_s(recorder) - before < _ASLEEP_S / 100:
            return
    raise BenchFailure(f"the recorder is still busy after {_SETTLES_WITHIN_S:.0f} s")


def _settle(data: Path) -> None:
    """Until every log has been turned into Parquet and deleted; a worker opens the next one with its next exchange."""
    end = time.monotonic() + _SETTLES_WITHIN_S
    while any((data / "wal").glob("*.wal")):
        if time.monotonic() > end:
            raise BenchFailure(f"the recorder has not caught up within {_SETTLES_WITHIN_S:.0f} s")
        time.sleep(0.1)
