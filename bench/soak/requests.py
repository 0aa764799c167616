"""What is asked: bodies of chat completions, and the tools and prompts in them."""

from __future__ import annotations

from typing import Any

from bench.soak.question import Question
from nightschool.wire import json_text
from nightschool.wire.fingerprint import fingerprint
from nightschool.wire.request import read_request

Json = dict[str, Any]
WORKLOAD = "taught"
TAUGHT_MODEL, MODEL = "taught-model", "plain-model"
LARGE_QUESTION_BYTES = 900_000
"""Less than the scripted upstream reads of a body."""
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]
_SYSTEM = "You answer questions about the weather, briefly."


def body_of(question: Question, *, taught: bool = False, tools: bool = False, large: bool = False) -> Json:
    """A request without ``stream``."""
    text = question.text + (" and more" * (LARGE_QUESTION_BYTES // 9) if large else "")
    body: Json = {
        "model": TAUGHT_MODEL if taught else MODEL,
        "messages": [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": text}],
    }
    return {**body, "tools": TOOLS} if tools else body


def taught_prompts() -> tuple[str, ...]:
    """Fingerprints of all prompts that the students are qualified on."""
    bodies = [json_text.encode(body_of(Question(0), taught=True, tools=tools)) for tools in (False, True)]
    found = [fingerprint(body) for each in bodies if (body := read_request(each)) is not None]
    return tuple(each for each in found if each is not None)
