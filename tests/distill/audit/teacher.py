"""A teacher who answers by rule, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.json_server import JsonHandler, serving

Json = dict[str, Any]


class Teacher:
    def __init__(self, rule: Callable[[Json], Json]) -> None:
        self.rule = rule
        self.status = 200
        self.fails_at: Callable[[Json], bool] = lambda body: False
        self.answers_left = 10**6
        """Then it is unwell."""
        self.asked: list[Json] = []
        self.keys: list[str] = []
        self.url = ""

    def answer(self, body: Json, key: str) -> tuple[int, Json]:
        self.asked.append(body)
        self.keys.append(key)
        status = self.status
        if status == 200 and (self.fails_at(body) or self.answers_left <= 0):
            status = 500
        if status != 200:
            return status, {"error": {"message": "no", "type": "t", "param": None, "code": None}}
        self.answers_left -= 1
        choice = {"index": 0, "message": self.rule(body), "finish_reason": "stop"}
        usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
        return 200, {
            "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage
        }  # fmt: skip


@contextmanager
def running_teacher(rule: Callable[[Json], Json]) -> Iterator[Teacher]:
    teacher = Teacher(rule)

    class Handler(JsonHandler):
        def do_POST(self) -> None:
            self.send(*teacher.answer(self.body(), self.headers.get("authorization", "")))

    with serving(Handler) as url:
        teacher.url = f"{url}/v1"
        yield teacher
