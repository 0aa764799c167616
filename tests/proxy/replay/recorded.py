"""Traffic of all kinds through a real proxy, before a rollback and after it, with all that decided about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from demo.scripted_upstream import upstream_in_thread
from nightschool.config import Config, load_config
from nightschool.registry.change import change_students
from nightschool.registry.replicas import ReplicaState, ReplicaStates, write_replicas
from nightschool.registry.routing import Placed, Students
from nightschool.registry.steps import roll_back
from tests.faults.replicas import fingerprints
from tests.proxy.asking import tools
from tests.running import RunningProxy, config_for, running_proxy
from tests.waiting import until

NOW = "2026-11-25T00:00:00+00:00"
OLD, NEW, CALLER = "cities--aaaaaaaaaaaa", "cities--bbbbbbbbbbbb", "flights--cccccccccccc"
Json = dict[str, Any]


def chat(model: str = "gpt-4o", *, system: str | None = None, **fields: Any) -> Json:
    instructed = [] if system is None else [{"role": "system", "content": system}]
    return {"model": model, "messages": [*instructed, {"role": "user", "content": "one two three"}], **fields}


KNOWN, OFFER = chat(), chat("gpt-tools", tools=tools("find_flight"))
SCHEMA = {"type": "json_schema", "json_schema": {"name": "invoice", "schema": {"type": "object"}}}
WORKLOADS: Json = {
    "cities": {"when": {"model": "gpt-4o"}, "promote": {"teacher_share": 10}},
    "flights": {"when": {"tool": "find_*"}, "promote": {"teacher_share": 0}},
    "by-tag": {"when": {"tag.team": "pay*"}},
    "by-schema": {"when": {"schema": "invoice"}},
    "by-prompt": {"when": {"system_prompt": "(?i)you sing"}},
    "by-path": {"when": {"path": "/moderations"}},
    "by-header": {"when": {"header.x-team": "pay*", "model": "gpt-h"}},
}
OF_ALL_KINDS: list[tuple[Json, dict[str, str]]] = [
    *((KNOWN, {"x-nightschool-conversation": f"c{number}"}) for number in range(40)),
    (chat(system="Sing."), {}),
    (chat(n=2), {}),
    (chat(logit_bias={"5": 1}), {}),
    (chat(messages="none"), {}),
    (KNOWN, {"x-nightschool-target": "teacher"}),
    (KNOWN, {"x-nightschool-target": "student", "x-nightschool-conversation": "asked"}),
    (chat("gpt-mini"), {"x-nightschool-target": "student"}),
    (chat("gpt-mini"), {"x-nightschool-workload": "by-tag"}),
    (chat("gpt-mini"), {"x-nightschool-workload": "unheard-of"}),
    (chat("gpt-mini"), {"x-nightschool-tags": '{"team": "payroll"}'}),
    (chat("gpt-mini", metadata={"team": "payments"}), {}),
    (chat("gpt-mini", metadata={"team": "sales"}), {}),
    (chat("gpt-mini", response_format=SCHEMA), {}),
    (chat("gpt-mini", system="You sing."), {}),
    (chat("gpt-h"), {"x-team": "payroll"}),
    (chat("gpt-h"), {}),
    (chat("nightschool/cities"), {}),
    (chat(f"nightschool/cities@{OLD}"), {}),
    (OFFER, {}),
]


class Recorded:
    """The proxy, still running, and the configuration that it runs by."""

    def __init__(self, proxy: RunningProxy) -> None:
        self.proxy = proxy
        self.config: Config = load_config(proxy.folder / "nightschool.yaml", {})
        self._asked = 0

    @property
    def data(self) -> Path:
        return self.proxy.data

    def ask_for_all_kinds(self) -> None:
        for body, headers in OF_ALL_KINDS:
            self.ask(body, **headers)
        self.post("/moderations", {"model": "m", "input": "x"})
        self.post("/embeddings", {"model": "m", "input": "x"})
        self.get("/files")
        self.go_on_with(self.ask(OFFER).json())
        self.go_on_with({"choices": [{"message": {"role": "assistant", "tool_calls": [{"id": "call_of_a_teacher"}]}}]})

    def go_on_with(self, answer: Json) -> None:
        """End the tool loop that the answer began."""
        message = answer["choices"][0]["message"]
        calls = [
            {"id": call["id"], "type": "function", "function": {"name": "find_flight", "arguments": "{}"}}
            for call in message["tool_calls"]
        ]
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "LX 1"} for call in calls]
        said = {"role": "assistant", "content": None, "tool_calls": calls}
        self.ask({**OFFER, "messages": [*OFFER["messages"], said, *results]})

    def ask(self, body: Json, **headers: str) -> httpx.Response:
        return self.post("/chat/completions", body, **headers)

    def post(self, path: str, body: Json, **headers: str) -> httpx.Response:
        self._asked += 1
        return httpx.post(f"{self.proxy.base_url}{path}", json=body, headers=headers, timeout=30, trust_env=False)

    def get(self, path: str) -> None:
        self._asked += 1
        httpx.get(f"{self.proxy.base_url}{path}", timeout=30, trust_env=False)

    def roll_back(self) -> None:
        """Withdraw the canary, and wait until the proxy knows; who answers meanwhile is left to chance, and tagged."""
        canaries = {"x-nightschool-conversation": self._canarys(), "x-nightschool-tags": '{"phase": "between"}'}
        change_students(
            self.data, "cities", lambda before: roll_back(before, now=NOW), author="t", action="rollback", reason="t"
        )
        until(lambda: self.ask(KNOWN, **canaries).headers.get("x-nightschool-reason") != "canary", what="the rollback")

    def wait_for_records(self) -> None:
        until(lambda: self.proxy.rows("select count(*) as n from exchanges")[0]["n"] == self._asked, what="all records")

    def _canarys(self) -> str:
        """A conversation that falls to the canary."""
        return next(
            name
            for name in (f"c{number}" for number in range(1000))
            if self.ask(KNOWN, **{"x-nightschool-conversation": name}).headers["x-nightschool-reason"] == "canary"
        )


@contextmanager
def recorded_traffic(folder: Path) -> Iterator[Recorded]:
    with upstream_in_thread() as upstream, upstream_in_thread() as engine:
        _put_students(folder / "data", engine.url)
        prices = {"gpt-4o": {"input": 10, "output": 30}, "gpt-tools": {"input": 10, "output": 30}}
        student = {"price": {"input": 1, "output": 2}}
        given = config_for(upstream.base_url, prices=prices, student=student, workloads=WORKLOADS)
        with running_proxy(given, folder) as proxy:
            found = Recorded(proxy)
            found.ask_for_all_kinds()
            found.roll_back()
            found.ask_for_all_kinds()
            found.wait_for_records()
            yield found


def _put_students(data: Path, url: str) -> None:
    """Before the proxy starts, so that it routes by them from its first request on."""
    known, offered = fingerprints([KNOWN]), fingerprints([OFFER])
    cities = Students(
        canary=Placed(adapter=NEW, share=30, fingerprints=known, since=NOW),
        live=Placed(adapter=OLD, share=70, fingerprints=known, since=NOW),
    )
    flights = Students(live=Placed(adapter=CALLER, share=100, fingerprints=offered, since=NOW))
    for workload, students in (("cities", cities), ("flights", flights)):
        _place(data, workload, students)
    ready = ReplicaState(url=url, ready=True, max_model_len=2048, adapters=(OLD, NEW, CALLER))
    write_replicas(data, ReplicaStates(replicas=(ready,)))


def _place(data: Path, workload: str, students: Students) -> None:
    change_students(data, workload, lambda before: students, author="t", action="promote", reason="t")
