"""A task's requests, sent by an application through the proxy to a scripted teacher, and recorded."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai

import nightschool
from bench.distill.task import Task
from bench.proxy.child import Child
from bench.proxy.failure import BenchFailure
from demo.engine import MODEL_FOLDER
from demo.scripted_upstream import upstream_in_thread

PROGRAM = str(Path(sys.executable).with_name("nightschool"))
CONFIG = "nightschool.yaml"
DATA = "data"


def record(task: Task, folder: Path, distill: dict[str, Any]) -> None:
    """Send the traffic; afterwards ``folder`` holds a configuration and a store with all of it."""
    with upstream_in_thread(answer=task.teacher) as upstream:
        configure(task, folder, upstream.base_url, distill)
        with _proxy(folder) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
            for case in task.traffic:
                client.chat.completions.create(**case.request)
    recorded = len(recorded_ids(folder))
    if recorded != len(task.traffic):
        raise BenchFailure(f"{len(task.traffic)} requests were sent, and {recorded} different ones are recorded")


def configure(task: Task, folder: Path, upstream_url: str, distill: dict[str, Any]) -> None:
    """Write the configuration: JSON is YAML."""
    config = {
        "listen": "127.0.0.1:0",
        "data": DATA,
        "upstreams": {"teacher": {"base_url": upstream_url}},
        "student": {"base_model": str(MODEL_FOLDER)},
        "workloads": {task.workload: {"when": task.when, "distill": distill}},
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=1))


def recorded_ids(folder: Path) -> dict[str, str]:
    """The id of the exchange by the text that was asked."""
    with nightschool.open_store(folder / DATA) as store:
        rows = store.sql("select id, request from exchanges where complete and status = 200").fetchall()
    return {json.loads(request)["messages"][-1]["content"]: identity for identity, request in rows}


@contextmanager
def _proxy(folder: Path) -> Iterator[str]:
    command = [PROGRAM, "proxy", "--config", str(folder / CONFIG)]
    with Child(command, cores=os.sched_getaffinity(0), log=folder / "proxy.log") as child:
        yield child.wait_for(r"listening on (http://\S+)", within_s=60)[1]
