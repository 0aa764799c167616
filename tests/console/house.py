"""A data folder with something for every page: traffic, what a night leaves, audits, feedback, a harmful text."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from distill.audit.audited import Audited, keep
from nightschool.record import Feedback
from nightschool.registry.replicas import ReplicaState, ReplicaStates, write_replicas
from nightschool.registry.routing import Measure, read_routing, this_moment
from nightschool.store.append import append
from nightschool.store.schema import table_of
from tests.distill.dataset.traffic import asked, calls, file, identity, says, tool, user
from tests.distill.evaluate.school import BASE_MODEL, SYSTEM, label_of, number_in
from tests.distill.night.school import School
from tests.fake_replica import FakeReplica, running_replica
from tests.running import start, write_config
from tests.waiting import until

RECENT, CALLS, HARMFUL = 5_000, 6_000, 7_000
"""Numbers of the first exchange of each kind."""
SCRIPT = '<script>window.harmed = true</script><img src="x" onerror="window.harmed = true">'
DISLIKED = identity(RECENT)
CALLED = identity(CALLS)


def mostly_right(model: str, messages: list[dict[str, Any]]) -> str:
    number = number_in(messages[-1]["content"])
    return "other thing" if number % 40 == 0 else label_of(number)


@dataclass(frozen=True)
class House:
    """Where it is, and who answers in it."""

    folder: Path
    adapter: str

    @property
    def data(self) -> Path:
        return self.folder / "data"


def furnished(folder: Path) -> House:
    """``folder`` gets ``nightschool.yaml`` and ``data``."""
    write_config(folder, config())
    data = folder / "data"
    with running_replica(FakeReplica(mostly_right)) as replica:
        school = School(data, replica.url)
        school.mail(400)
        assert school.night(ramp=[5, 50, 100]) == "promoted"
        adapter = school.answering[0][0]
        write_replicas(data, _replicas(replica.url, adapter))
    file(data, [*_recent(adapter), *_tool_calls(), *_harmful()])
    append(
        data, "feedback", table_of("feedback", [_feedback(DISLIKED, 0.0, "wrong box"), _feedback(CALLED, 1.0, None)])
    )
    keep(data, "w", adapter, [_audited(number) for number in range(1, 9)])
    return House(folder, adapter)


def config(**sections: Any) -> dict[str, Any]:
    """Of the console, and of everything that it shows."""
    return {
        "data": "data",
        "upstreams": {"teacher": {"base_url": "http://127.0.0.1:9/v1", "api_key": "${HOUSE_KEY}"}},
        "prices": {"gpt-x": {"input": 2.5, "output": 10.0}},
        "student": {"base_model": BASE_MODEL, "replicas": ["http://127.0.0.1:9"]},
        "workloads": {
            "w": {"when": {"tool": "sort"}, "promote": {"ramp": [5, 50, 100]}},
            "calls": {"when": {"tool": "find"}},
        },
        "console": {"listen": "127.0.0.1:0"},
        **sections,
    }


@contextmanager
def running_console(house: Path) -> Iterator[str]:
    """Its address."""
    log = house / "console.log"
    with log.open("wb") as output:
        process = start(house / "nightschool.yaml", {"HOUSE_KEY": "sk-of-the-house"}, command="console", output=output)
    try:
        until(lambda: "console_ready" in log.read_text() or process.poll() is not None, what="a console")
        assert process.poll() is None, log.read_text()
        yield log.read_text().split("console_ready url=")[1].split()[0]
    finally:
        process.terminate()
        process.wait(20)
    assert "Traceback" not in log.read_text(), log.read_text()


def rewritten(house: Path, change: Mapping[str, Any]) -> None:
    """The configuration with other sections."""
    old = yaml.safe_load((house / "nightschool.yaml").read_text())
    write_config(house, {**old, **change})


def students_of(house: House) -> Any:
    return read_routing(house.data).students_of("w")


def _recent(adapter: str) -> list[Any]:
    """Of the last hours: every third by the student."""
    now_us = time.time_ns() // 1000
    found = []
    for n in range(60):
        number = RECENT + n
        by_student: dict[str, Any] = {
            "target": "student",
            "adapter": adapter,
            "reason": "canary",
            "model_requested": "gpt-x",
        }
        by_teacher: dict[str, Any] = {"reason": "ramp", "model_requested": "gpt-x", "model_served": "gpt-x"}
        found.append(
            asked(
                number,
                SYSTEM,
                user(f"please sort mail {number}"),
                answer=says(label_of(number)),
                time_us=now_us - (60 - n) * 180_000_000,
                cost_usd=0.0001 if n % 3 == 0 else 0.002,
                latency_ms=300.0 + n,
                first_token_ms=80.0,
                overhead_ms=0.3,
                prompt_tokens=100,
                completion_tokens=2,
                tags={"box": "in" if n % 2 else "out"},
                status=500 if n == 59 else 200,
                **(by_student if n % 3 == 0 else by_teacher),
            )
        )
    return found


def _tool_calls() -> list[Any]:
    offer = {"tools": [tool("find", city="string"), tool("book", city="string", nights="integer")]}
    now_us = time.time_ns() // 1000
    return [
        asked(
            CALLS + n,
            user(f"where is city {n}?"),
            answer=calls("find", f'{{"city": "Bern {n}"}}'),
            body=offer,
            workload="calls",
            time_us=now_us - n * 60_000_000,
        )
        for n in range(3)
    ]


def _harmful() -> list[Any]:
    told: dict[str, Any] = {
        "tags": {"<b>tag</b>": SCRIPT},
        "error_type": SCRIPT,
        "time_us": time.time_ns() // 1000 + 1_000_000,
    }
    return [asked(HARMFUL, user(SCRIPT), answer=says(f"as you say: {SCRIPT}"), workload="calls", **told)]


def _feedback(exchange: str, score: float, comment: str | None) -> Feedback:
    return Feedback(exchange_id=exchange, time_us=time.time_ns() // 1000, score=score, comment=comment)


def _audited(number: int) -> Audited:
    agreement = 0.25 if number == 3 else 1.0
    return Audited(
        exchange=identity(RECENT + 3 * number),
        time=this_moment(),
        share=5.0,
        agreement=agreement,
        measure=Measure(scorer="label"),
    )


def _replicas(url: str, adapter: str) -> ReplicaStates:
    ready = ReplicaState(url=url, ready=True, base=BASE_MODEL, max_model_len=2048, adapters=(adapter,))
    broken = ReplicaState(url="http://10.0.0.9:8000", ready=False, why="another base model")
    return ReplicaStates(time=this_moment(), replicas=(ready, broken))
