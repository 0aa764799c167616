"""A proxy whose registry changes under it: prompts that no student is qualified on, and tool loops on a ramp."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from demo.scripted_upstream import upstream_in_thread
from nightschool.registry.change import change_students
from nightschool.registry.replicas import ReplicaState, ReplicaStates, write_replicas
from nightschool.registry.routing import Placed, Students
from nightschool.registry.steps import at_share, roll_back
from tests.faults.replicas import fingerprints
from tests.proxy.student_replica import called
from tests.running import RunningProxy, config_for, running_proxy
from tests.waiting import until

WORKLOAD, ADAPTER = "cities", "cities--0123456789ab"
NOW = "2026-11-25T00:00:00+00:00"
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "find",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
SYSTEM: dict[str, Any] = {"role": "system", "content": "Find cities."}
ASKED: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [SYSTEM, {"role": "user", "content": "Bern?"}],
    "tools": [TOOL],
}
FOLLOWS_S = 2.0


class Town:
    """A proxy, its teacher and one replica, which both call the tool."""

    def __init__(self, proxy: RunningProxy, client: openai.OpenAI) -> None:
        self.proxy, self.client = proxy, client

    def put(self, share: float) -> None:
        """A canary with this share, followed by the proxy."""
        canary = Placed(adapter=ADAPTER, share=share, fingerprints=fingerprints([ASKED]), since=NOW)
        self.change(lambda before: Students(canary=canary))

    def change(self, step: Callable[[Students], Students]) -> None:
        change_students(self.proxy.data, WORKLOAD, step, author="t", action="t", reason="t")
        time.sleep(FOLLOWS_S)

    def ask(self, conversation: str, **fields: Any) -> tuple[str, str, dict[str, Any]]:
        """Target, reason, message."""
        raw = self.client.chat.completions.with_raw_response.create(
            **{**ASKED, **fields}, extra_headers={"x-nightschool-conversation": conversation}
        )
        message = raw.parse().choices[0].message.model_dump(exclude_none=True)
        return raw.headers["x-nightschool-target"], raw.headers["x-nightschool-reason"], message

    def goes_on(self, conversation: str, called_before: dict[str, Any]) -> tuple[str, str]:
        """Bring the results of the calls."""
        calls = called_before["tool_calls"]
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "found"} for call in calls]
        target, reason, _ = self.ask(conversation, messages=[*ASKED["messages"], called_before, *results])
        return target, reason

    def conversation_of(self, target: str) -> tuple[str, dict[str, Any]]:
        """One that falls to this target, and its first answer."""
        for number in range(200):
            who, _, message = self.ask(f"c{number}")
            if who == target:
                return f"c{number}", message
        raise AssertionError(f"no conversation falls to the {target}")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    told = {WORKLOAD: {"when": {"model": "gpt-4o"}, "promote": {"teacher_share": 0}}}
    call = called("find", json.dumps({"city": "Bern"}))
    with (
        upstream_in_thread() as teacher,
        upstream_in_thread(answer=lambda request: call) as replica,
        running_proxy(config_for(teacher.base_url, workloads=told), tmp_path) as proxy,
        openai.OpenAI(base_url=proxy.base_url, api_key="k", max_retries=0, timeout=30) as client,
    ):
        url = replica.base_url.removesuffix("/v1")
        ready = ReplicaState(url=url, ready=True, max_model_len=4096, adapters=(ADAPTER,))
        write_replicas(proxy.data, ReplicaStates(replicas=(ready,)))
        yield Town(proxy, client)


def test_a_prompt_that_it_was_not_qualified_on_goes_to_the_teacher_at_once(town: Town) -> None:
    town.put(100)
    until(lambda: town.ask("warm")[0] == "student", what="a student that answers")

    changed = [{**SYSTEM, "content": "Find cities. Be brief."}, ASKED["messages"][1]]

    assert town.ask("c", messages=changed)[:2] == ("teacher", "unqualified_prompt")
    assert town.ask("c", tools=[{**TOOL, "function": {**TOOL["function"], "name": "look"}}])[:2] == (
        "teacher",
        "unqualified_prompt",
    )
    assert town.ask("c")[:2] == ("student", "canary")


def test_a_tool_loop_ends_with_whoever_began_it_whatever_the_ramp_does(town: Town) -> None:
    town.put(50)
    until(lambda: any(town.ask(f"w{number}")[0] == "student" for number in range(20)), what="a student that answers")
    of_student, student_call = town.conversation_of("student")
    of_teacher, teacher_call = town.conversation_of("teacher")

    town.put(1)
    assert town.goes_on(of_student, student_call) == ("student", "tool_loop")

    town.change(lambda before: at_share(before, share=100, now=NOW))
    assert town.goes_on(of_teacher, teacher_call) == ("teacher", "tool_loop")
    assert town.ask(of_teacher)[0] == "student"

    town.change(lambda before: roll_back(before, now=NOW))
    assert town.goes_on(of_student, student_call)[0] == "teacher"
