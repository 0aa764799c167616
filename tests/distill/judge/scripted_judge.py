"""A judge behind a real HTTP server: it answers by rule, remembers what it was asked, and can misbehave."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.json_server import JsonHandler, serving

Json = dict[str, Any]


class Reply(NamedTuple):
    """One answer of the server, instead of a verdict."""

    status: int = 200
    text: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0
    body: Json | None = None


def better_is_longer(first: str, second: str) -> str:
    """A rule that does not care for the order."""
    return "tie" if len(first) == len(second) else "first" if len(first) > len(second) else "second"


class ScriptedJudge:
    """What the server does, and what it was asked."""

    def __init__(self, rule: Callable[[str, str], str] = better_is_longer) -> None:
        self.rule = rule
        self.script: deque[Reply] = deque()
        self.delay_s = 0.0
        self.requests: list[Json] = []
        self.most_at_once = 0
        self.base_url = ""
        self._now = 0
        self._lock = threading.Lock()

    @property
    def questions(self) -> Counter[str]:
        """How often each pair was asked about, in the order in which the answers stood."""
        with self._lock:
            return Counter(body["messages"][1]["content"] for body in self.requests)

    def reply(self, body: Json) -> Reply:
        with self._lock:
            self.requests.append(body)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            scripted = self.script.popleft() if self.script else None
        try:
            time.sleep(scripted.delay_s if scripted else self.delay_s)
            if scripted is not None:
                return scripted
            first, second = answers_in(body)
            return Reply(text=json.dumps({"reason": f"because of {first[:20]}", "verdict": self.rule(first, second)}))
        finally:
            with self._lock:
                self._now -= 1


def answers_in(body: Json) -> tuple[str, str]:
    text = body["messages"][1]["content"]
    found = [re.search(rf"<(\w+) {name}>\n(.*?)\n</\1 {name}>", text, re.DOTALL) for name in NAMES]
    assert all(found)
    return tuple(match[2] for match in found if match)  # type: ignore[return-value]


NAMES = ("first answer", "second answer")


@contextmanager
def running_judge(judge: ScriptedJudge) -> Iterator[ScriptedJudge]:
    """Serve on a free port until the block ends."""

    class Handler(JsonHandler):
        def do_POST(self) -> None:
            reply = judge.reply(self.body())
            message = {"role": "assistant", "content": reply.text}
            usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            good = {"id": "x", "object": "chat.completion", "created": 1, "model": "j", "choices": [choice]}
            error = {"error": {"message": reply.text or "no", "type": "t", "param": None, "code": None}}
            value = reply.body or ({**good, "usage": usage} if reply.status == 200 else error)
            self.send(reply.status, value, reply.headers)

    with serving(Handler) as url:
        judge.base_url = f"{url}/v1"
        yield judge
