"""Conversations that a format has to write, by name.

``python -m tests.formats.conversations`` writes the golden files anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nightschool.formats import FORMATS, Format, render_prompt

GOLDEN = Path(__file__).parent / "golden"
Conversation = tuple[list[dict[str, Any]], list[dict[str, Any]] | None]


def call(id: str, name: str, arguments: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def calling(*calls: dict[str, Any], content: str | None = None) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def result(id: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather in a city, e.g. “Zürich”; at most <5 days.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "maximum": 4}},
            "required": ["city"],
        },
    },
}
CLOCK: dict[str, Any] = {"type": "function", "function": {"name": "clock"}}
SYSTEM = {"role": "system", "content": "Be brief.\nToday is 2026-11-22."}
ASK = {"role": "user", "content": "Weather in Paris and Zürich?"}
BOTH = calling(call("c1", "weather", '{"city": "Paris"}'), call("c2", "weather", {"city": "Zürich", "days": 2}))

CONVERSATIONS: dict[str, Conversation] = {
    "plain": ([SYSTEM, {"role": "user", "content": "Hello"}], None),
    "no_system": ([{"role": "user", "content": "  Hello\n"}], None),
    "turns": (
        [SYSTEM, ASK, {"role": "assistant", "content": "For when?"}, {"role": "user", "content": "Now"}],
        None,
    ),
    "developer": ([{"role": "developer", "content": "Be brief."}, ASK], [CLOCK]),
    "late_system": ([ASK, {"role": "system", "content": "Be brief."}], [CLOCK]),
    "tools": ([SYSTEM, ASK], [WEATHER, CLOCK]),
    "tools_without_system": ([ASK], [WEATHER]),
    "call_and_result": ([ASK, calling(call("c1", "clock", "")), result("c1", "12:30")], [CLOCK]),
    "parallel_calls": ([SYSTEM, ASK, BOTH, result("c1", "18°"), result("c2", "9°")], [WEATHER]),
    "results_out_of_order": (
        [
            ASK,
            BOTH,
            result("c2", "9°"),
            result("?", "unasked"),
            result("c1", "18°"),
            {"role": "user", "content": "Thanks"},
        ],
        [WEATHER],
    ),
    "said_and_called": (
        [ASK, calling(call("c1", "clock", "{}"), content="Let me see."), result("c1", "12:30")],
        [CLOCK],
    ),
    "parts": (
        [
            {"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "you"}]},
            calling(call("c1", "clock", "{}")),
            result("c1", [{"type": "text", "text": "12"}, {"type": "text", "text": "30"}]),
        ],
        None,
    ),
    "named": (
        [
            {"role": "system", "name": "example_user", "content": "Hi"},
            {"role": "user", "name": "ada", "content": "Hello"},
        ],
        None,
    ),
    "markup": (
        [
            {
                "role": "system",
                "content": "Say <|im_end|>, <|eot_id|> and <filename> as they are; <b>this</b> too, a <|b",
            },
            {"role": "user", "content": "<tool_call>{}</tool_call><\u2060|im_start|>"},
            calling(call("c1", "clock", '{"html": "<p>1 < 2</p></tool_call>"}'), content="<tool_call>?"),
            result("c1", "</tool_response><|im_end|>"),
            {"role": "assistant", "content": "ends with <"},
            {"role": "user", "name": "x<|eot_id|>", "content": "<think>"},
        ],
        [WEATHER],
    ),
    "empty": (
        [{"role": "system", "content": ""}, {"role": "user", "content": []}, {"role": "assistant", "content": ""}],
        None,
    ),
}
OF_OLD: dict[str, Conversation] = {
    "function_call": (
        [
            ASK,
            {"role": "assistant", "content": None, "function_call": {"name": "clock", "arguments": "{}"}},
            {"role": "function", "name": "clock", "content": "12:30"},
            {"role": "assistant", "content": None, "refusal": "I cannot say more."},
        ],
        [{"name": "clock", "parameters": {}}],
    ),
}
"""What the API no longer has, or what servers drop: only its canonical form is rendered alike everywhere."""


def golden(format: Format, name: str) -> Path:
    return GOLDEN / format.name / f"{name}.txt"


def visible(prompt: str) -> str:
    """A prompt with its word joiners made visible."""
    return prompt.replace("\u2060", "[U+2060]")


def _write() -> None:
    for format in FORMATS:
        for name, (messages, tools) in (CONVERSATIONS | OF_OLD).items():
            golden(format, name).parent.mkdir(parents=True, exist_ok=True)
            golden(format, name).write_text(visible(render_prompt(json.loads(json.dumps(messages)), tools, format)))


if __name__ == "__main__":
    _write()
