"""A replica dies, hangs and comes back under load: clients are answered all the while."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import openai
import pytest

from demo.scripted_upstream import ScriptedUpstream
from tests.faults.replicas import ADAPTER, WORKLOAD, put_live, replica_process
from tests.running import RunningProxy, config_for, running_proxy
from tests.waiting import until

CLIENTS = 16
PER_SECOND = 20.0
FIRST_TOKEN_S = 1.0
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]
WORDS: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "one two three"}]}
KINDS: tuple[dict[str, Any], ...] = (
    {**WORDS, "tools": TOOLS, "stream": True},
    WORDS,
    {**WORDS, "tools": TOOLS},
    {**WORDS, "stream": True},
)


@dataclass(frozen=True)
class Asked:
    """How one request went."""

    kind: int
    began: float
    ended: float
    reason: str
    failure: str = ""
    words: int = 0
    """Events with words that came before it failed."""


class Load:
    """Clients that ask all kinds of requests by turns, together so many a second."""

    def __init__(self, url: str) -> None:
        self.asked: list[Asked] = []
        self._url = url
        self._stopping = threading.Event()
        self._numbers = itertools.count()
        self._threads = [threading.Thread(target=self._client, args=(number,)) for number in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def has_met(self, reason: str, *, since: float = 0.0) -> bool:
        """With a request that began after that moment."""
        return any(asked.reason == reason for asked in list(self.asked) if asked.began > since)

    def _client(self, number: int) -> None:
        period = CLIENTS / PER_SECOND
        due = time.monotonic() + period * number / CLIENTS
        with openai.OpenAI(base_url=self._url, api_key="sk-caller", max_retries=0, timeout=30) as client:
            while not self._stopping.wait(max(0.0, due - time.monotonic())):
                due += period
                self.asked.append(_ask(client, next(self._numbers)))


def _ask(client: openai.OpenAI, number: int) -> Asked:
    kind, began, reason, words = number % len(KINDS), time.monotonic(), "", 0
    # Another conversation each time, and the same prompt.
    headers = {"x-nightschool-conversation": str(number)}
    try:
        raw = client.chat.completions.with_raw_response.create(**KINDS[kind], extra_headers=headers)
        reason = raw.headers["x-nightschool-reason"]
        answer = raw.parse()
        if "stream" in KINDS[kind]:
            arguments = ""
            for event in answer:
                for choice in event.choices:
                    words += bool(choice.delta.content)
                    arguments += "".join(call.function.arguments for call in choice.delta.tool_calls or [])
        else:
            (call,) = answer.choices[0].message.tool_calls or [None]
            arguments = call.function.arguments if call else ""
            words = len(answer.choices[0].message.content or "")
        if "tools" in KINDS[kind]:
            json.loads(arguments)
        elif not words:
            raise ValueError("no words")
    except (openai.APIError, ValueError) as error:
        return Asked(kind, began, time.monotonic(), reason, f"{type(error).__name__}: {error}", words)
    return Asked(kind, began, time.monotonic(), reason, words=words)


@contextmanager
def load_on(proxy: RunningProxy) -> Iterator[Load]:
    load = Load(proxy.base_url)
    load.start()
    try:
        yield load
    finally:
        load.stop()


def config(teacher: ScriptedUpstream, *, streams: str = "flow") -> dict[str, Any]:
    return config_for(
        teacher.base_url,
        timeouts={"idle_s": 2.0},
        student={"first_token_s": FIRST_TOKEN_S},
        workloads={WORKLOAD: {"when": {"model": "gpt-4o"}, "escalate": {"streams": streams}}},
    )


@pytest.mark.parametrize("streams", ["flow", "hold"])
def test_no_request_fails_while_the_only_replica_is_killed_and_restarted(
    upstream: ScriptedUpstream, tmp_path: Path, streams: str
) -> None:
    with replica_process() as replica:
        put_live(tmp_path / "data", ADAPTER, list(KINDS), replica.url)
        with running_proxy(config(upstream, streams=streams), tmp_path) as proxy, load_on(proxy) as load:
            until(partial(load.has_met, "live"))
            for pause_s in (1.0, 0.5, 1.0):
                time.sleep(pause_s)
                replica.kill()
                killed = time.monotonic()
                until(partial(load.has_met, "no_replica", since=killed), what="the breaker to open")
                replica.start()
                started = time.monotonic()
                until(partial(load.has_met, "live", since=started), what="the student to answer again")
            load.stop()
            asked = load.asked

            failed = [each for each in asked if each.failure]
            # Of words that the client has read already nothing can be taken back; all else is answered.
            assert [each for each in failed if not (each.kind == 3 and each.words)] == []
            assert len(failed) < (3 * CLIENTS if streams == "flow" else 1)
            spent = max(each.ended - each.began for each in asked)
            rate = len(asked) / (asked[-1].ended - asked[0].began)
            print(f"{len(asked)} requests at {rate:.0f}/s, longest {spent:.2f} s, cut in their words: {len(failed)}")
            assert rate > PER_SECOND * 0.7
            assert {each.reason for each in asked} & {"fallback_connect", "fallback_broken"}
            count = "SELECT count(*) AS n FROM exchanges"
            until(lambda: proxy.rows(count) == [{"n": len(asked)}])


def test_a_replica_that_hangs_costs_each_caller_one_first_token_at_most_and_nobody_after_that(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    with replica_process() as replica:
        put_live(tmp_path / "data", ADAPTER, list(KINDS), replica.url)
        with running_proxy(config(upstream), tmp_path) as proxy, load_on(proxy) as load:
            until(partial(load.has_met, "live"))
            replica.freeze()
            frozen = time.monotonic()
            until(partial(load.has_met, "no_replica", since=frozen), what="the breaker to open")
            time.sleep(3.0)
            load.stop()
            replica.thaw()

            after = [each for each in load.asked if each.began > frozen]
            assert [each for each in load.asked if each.failure and not (each.kind == 3 and each.words)] == []
            assert max(each.ended - each.began for each in after if not each.failure) < FIRST_TOKEN_S + 1.0
            opened = min(each.ended for each in load.asked if each.reason == "fallback_timeout")
            later = [each for each in after if each.began > opened + 0.05]
            assert {each.reason for each in later} <= {"no_replica", "teacher_sample"}
            spent = max(each.ended - each.began for each in later)
            print(f"{len(after) - len(later)} waited for the replica, {len(later)} did not: longest {spent:.2f} s")
            assert spent < FIRST_TOKEN_S / 2
