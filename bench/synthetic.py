"""Synthetic exchanges of about 2 KB that compress as real ones do: neither constant text nor noise.

The prose is the words of real English (Python's own reference manual, which every CPython carries) as often as they
occur there, in random order. zstd 3 makes it 2.9 times smaller; it makes the GPL 2.8, customers' questions to a bank
4 times smaller. Around it stands what a real exchange repeats (system prompt, tools, the frame of a completion) and
what it never repeats (ids, counts, times).
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pydoc_data import topics

import msgspec

from nightschool.record import Price, new_id
from nightschool.store import wal

HOUR_US = 3_600_000_000
PRICES = {"gpt-4o-2024-08-06": Price(2.5, 10.0, 1.25), "gpt-4o-mini-2024-07-18": Price(0.15, 0.6, 0.075)}


@dataclass(frozen=True)
class Task:
    """One kind of call that the imaginary application makes."""

    workload: str | None
    model: str
    system: str
    question_words: int
    answer_words: int
    tool: str | None = None


TASKS = (
    Task(
        "support-triage",
        "gpt-4o-mini-2024-07-18",
        "You sort messages from customers of an online bookshop. Read the message and answer with the department that "
        "should handle it, how urgent it is from one to five, and one sentence that says what the customer wants.",
        118,
        60,
    ),
    Task(
        "pii-redaction",
        "gpt-4o-2024-08-06",
        "Find all personal data in the text and call the tool once with the full list. Do not answer in prose.",
        112,
        30,
        tool="redact",
    ),
    Task(
        None,
        "gpt-4o-2024-08-06",
        "You are a careful technical writer. Rewrite what the user sends in plain language without losing a fact.",
        95,
        85,
    ),
)
FEATURES = ("inbox", "checkout", "search", "report", "mobile")
WORKERS_CLIENTS = tuple(f"{n:016x}" for n in random.Random(3).sample(range(1 << 62), 12))


class Traffic:
    """An endless application; the same seed gives the same exchanges."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._words = " ".join(topics.topics.values()).split()
        self._encode = msgspec.json.Encoder().encode

    def exchange(self, time_us: int) -> Iterator[tuple[int, wal.Request | wal.End, bytes]]:
        """REQUEST and END of one exchange: (kind of frame, meta, body)."""
        roll = self._random
        task = roll.choices(TASKS, (5, 3, 2))[0]
        identity = new_id(time_us, roll.randbytes(10))
        question = self._prose(task.question_words)
        tags = {"feature": roll.choice(FEATURES), "release": f"2026.{time_us // HOUR_US // 24 % 50}"}
        request = wal.Request(
            id=identity, time_us=time_us, endpoint="/chat/completions", content_type="application/json",
            workload=task.workload, reason="rule" if task.workload else "default", upstream="openai", tags=tags,
            client=roll.choice(WORKERS_CLIENTS),
        )  # fmt: skip
        yield wal.REQUEST, request, self._encode(self._question(task, question))
        latency = int(roll.lognormvariate(13.5, 0.5))
        end = wal.End(
            id=identity, status=200, content_type="application/json",
            upstream_request_id=f"req_{roll.randbytes(16).hex()}", latency_us=latency, first_token_us=latency -
            roll.randrange(4000), overhead_us=roll.randrange(150, 900),
        )  # fmt: skip
        yield wal.END, end, self._encode(self._answer(task, question, time_us))

    def _prose(self, words: int) -> str:
        length = max(8, int(self._random.gauss(words, words / 3)))
        return " ".join(self._random.choices(self._words, k=length))

    def _question(self, task: Task, question: str) -> dict[str, object]:
        body: dict[str, object] = {
            "model": task.model.rsplit("-", 3)[0],
            "messages": [{"role": "system", "content": task.system}, {"role": "user", "content": question}],
            "temperature": 0.2,
        }
        if task.tool:
            entities = {"type": "array", "items": {"type": "object", "properties": {"text": {"type": "string"}}}}
            function = {"name": task.tool, "parameters": {"type": "object", "properties": {"entities": entities}}}
            body["tools"] = [{"type": "function", "function": function}]
        return body

    def _answer(self, task: Task, question: str, time_us: int) -> dict[str, object]:
        roll = self._random
        message: dict[str, object] = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
        if task.tool:
            found = [{"text": word} for word in roll.sample(question.split(), 5)]
            call = {"name": task.tool, "arguments": self._encode({"entities": found}).decode()}
            message["tool_calls"] = [{"id": f"call_{_token(roll, 24)}", "type": "function", "function": call}]
        else:
            message["content"] = self._prose(task.answer_words)
        prompt, completion = len(question) // 4 + 70, task.answer_words + roll.randrange(40)
        return {
            "id": f"chatcmpl-{_token(roll, 29)}",
            "object": "chat.completion",
            "created": time_us // 1_000_000,
            "model": task.model,
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "logprobs": None,
                    "finish_reason": "tool_calls" if task.tool else "stop",
                }
            ],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {
                    "reasoning_tokens": 0,
                    "audio_tokens": 0,
                    "accepted_prediction_tokens": 0,
                },
            },
            "service_tier": "default",
            "system_fingerprint": f"fp_{zlib.crc32(task.model.encode()):08x}",
        }


def _token(roll: random.Random, length: int) -> str:
    return "".join(roll.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", k=length))
