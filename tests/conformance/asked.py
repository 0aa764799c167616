"""What all Python clients ask for, and the types of answers that the scripted upstream knows how to fill."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

MODEL = "conformance"
QUESTION = "What is it like outside, naïvely asked?"
MESSAGES: Any = [{"role": "system", "content": "Be brief. 日本語 too 🦊."}, {"role": "user", "content": QUESTION}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string"}},
            "required": ["city", "unit"],
            "additionalProperties": False,
        },
    },
}


class Answer(BaseModel):
    """What the upstream answers to whoever wants JSON."""

    answer: int


class Weather(BaseModel):
    """What the upstream calls every tool with."""

    city: str
    unit: str
