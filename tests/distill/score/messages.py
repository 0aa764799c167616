"""Assistant messages and questions, briefly."""

from __future__ import annotations

import json
from typing import Any

from distill.score.scorer import Message, Question

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"default": "C"}},
            "required": ["city"],
        },
    },
}
ASKED = Question(messages=[{"role": "user", "content": "?"}])
OFFERED = Question(messages=[{"role": "user", "content": "?"}], tools=[WEATHER])


def says(text: str) -> Message:
    return {"role": "assistant", "content": text}


def calls(*calls: tuple[str, Any]) -> Message:
    """Each a name with its arguments; a string stands as it is."""
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": f"call_{number}",
                "type": "function",
                "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)},
            }
            for number, (name, given) in enumerate(calls)
        ],
    }
