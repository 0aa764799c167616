"""A server that speaks what is needed of vLLM: models, adapters at run time, chat. It answers by rule."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nightschool.formats import CHATML, render_prompt
from tests.json_server import JsonHandler, serving
from tests.proxy.student_replica import call_deltas, stream

Json = dict[str, Any]
Rule = Callable[[str, list[Json]], str | Json]
BASE = "smollm2-135m"
ROOT = "/models/SmolLM2-135M-Instruct"


def echo(model: str, messages: list[Json]) -> str:
    return str(messages[-1]["content"])


class FakeReplica:
    """What the server does, and what it was asked."""

    def __init__(self, rule: Rule = echo) -> None:
        self.rule = rule
        self.base, self.root = BASE, ROOT
        self.url = ""
        self.lora = True
        self.tokenizes = True
        self.renders_otherwise = False
        self.refuse: Callable[[Json], str | None] = lambda body: None
        self.fail_next = 0
        self.delay_s = 0.0
        self.models_delay_s = 0.0
        self.finish_reason = "stop"
        self.adapters: dict[str, str] = {}
        self.loads: list[str] = []
        self.tool_arguments: str | None = None
        """Of a call of the first tool on offer, instead of words."""
        self.sleeps = True
        self.asleep = False
        self.chats: list[Json] = []
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()

    @property
    def asked(self) -> Counter[tuple[str, str]]:
        """How often each model was asked each question."""
        with self._lock:
            return Counter((body["model"], json.dumps(body["messages"])) for body in self.chats)

    def get(self, path: str) -> tuple[int, Json]:
        if path == "/v1/models":
            time.sleep(self.models_delay_s)
            base = {"id": self.base, "object": "model", "root": self.root, "parent": None, "max_model_len": 2048}
            loaded = [{"id": name, "root": path, "parent": self.base} for name, path in self.adapters.items()]
            return 200, {"object": "list", "data": [base, *loaded]}
        return (200, {"version": "0.0.fake"}) if path in ("/version", "/health") else (404, {"detail": "Not Found"})

    def post(self, path: str, body: Json) -> tuple[int, Json]:
        if path == "/v1/load_lora_adapter":
            return self._load(body)
        if path == "/v1/unload_lora_adapter":
            return self._unload(body)
        if path in ("/sleep?level=1", "/wake_up"):
            self.asleep = path != "/wake_up"
            return (200, {}) if self.sleeps else (404, {"detail": "Not Found"})
        if path == "/tokenize":
            return self._tokenize(body)
        if path == "/v1/chat/completions":
            return self._chat(body)
        return 404, {"detail": "Not Found"}

    def _load(self, body: Json) -> tuple[int, Json]:
        if not self.lora:
            return 404, {"detail": "Not Found"}
        if not (Path(body["lora_path"]) / "adapter_config.json").exists():
            return 404, _error(f"Loading lora {body['lora_name']} failed: No adapter found for {body['lora_path']}")
        self.loads.append(body["lora_name"])
        self.adapters[body["lora_name"]] = body["lora_path"]
        return 200, {}

    def _unload(self, body: Json) -> tuple[int, Json]:
        return (404, _error("not loaded")) if self.adapters.pop(body["lora_name"], None) is None else (200, {})

    def _tokenize(self, body: Json) -> tuple[int, Json]:
        if not self.tokenizes:
            return 404, {"detail": "Not Found"}
        text = body.get("prompt")
        if text == CHATML.end_of_turn:
            return 200, {"tokens": [2]}
        if text is None:
            text = render_prompt(body["messages"], body.get("tools"), CHATML)
            text = f"You are helpful.\n{text}" if self.renders_otherwise else text
        return 200, {"tokens": list(text.encode())}

    def _chat(self, body: Json) -> tuple[int, Json]:
        with self._lock:
            self.chats.append(body)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            fails = self.fail_next > 0
            self.fail_next -= fails
        time.sleep(self.delay_s)
        with self._lock:
            self._now -= 1
        if fails:
            return 500, _error("engine dead")
        if body["model"] not in {self.base, *self.adapters}:
            return 404, _error(f"The model `{body['model']}` does not exist.")
        if words := self.refuse(body):
            return 400, _error(words)
        said = self.rule(body["model"], body["messages"])
        if self.tool_arguments is not None and body.get("tools"):
            call = {"name": body["tools"][0]["function"]["name"], "arguments": self.tool_arguments}
            said = {"content": None, "tool_calls": [{"id": "c", "type": "function", "function": call}]}
        message = {"role": "assistant", "content": said} if isinstance(said, str) else {"role": "assistant", **said}
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        usage = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
        return 200, {
            "id": "c",
            "object": "chat.completion",
            "model": body["model"],
            "choices": [choice],
            "usage": usage,
        }


def _error(words: str) -> Json:
    return {"error": {"message": words, "type": "BadRequestError", "param": None, "code": 400}}


def handler_of(replica: FakeReplica) -> type[JsonHandler]:
    """Answers for it; a chat that is asked for as a stream is told as vLLM streams it."""

    class Handler(JsonHandler):
        def do_GET(self) -> None:
            self.send(*replica.get(self.path))

        def do_POST(self) -> None:
            body = self.body()
            status, answer = replica.post(self.path, body)
            if status == 200 and body and body.get("stream"):
                self.send_events(_events(answer))
            else:
                self.send(status, answer)

    return Handler


def _events(answer: Json) -> tuple[bytes, ...]:
    message = answer["choices"][0]["message"]
    calls = [each["function"] for each in message.get("tool_calls") or []]
    deltas = [
        delta for index, call in enumerate(calls) for delta in call_deltas(index, call["name"], call["arguments"])
    ]
    words = [{"content": piece} for piece in re.findall(r"\S+\s*", message.get("content") or "")]
    finish = "tool_calls" if calls else answer["choices"][0]["finish_reason"]
    return stream(*words, *deltas, finish_reason=finish)


@contextmanager
def running_replica(replica: FakeReplica) -> Iterator[FakeReplica]:
    """Serve on a free port until the block ends."""
    with serving(handler_of(replica)) as replica.url:
        yield replica
