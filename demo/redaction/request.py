"""What the application asks: a text -> the body of a chat request; and back, what an answer says was found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from demo.redaction.text import Entity

MODEL = "scripted-teacher"
TOOL_NAME = "redact"

_SYSTEM = (
    "Find all personal data in the user's text. Call redact once, with every piece of it in the order of the text, "
    "copied exactly; with an empty list if there is none. The types are {types}."
)
_STRING = {"type": "string"}
_ENTITY = {"type": "object", "properties": {"type": _STRING, "value": _STRING}, "required": ["type", "value"]}
_PARAMETERS = {
    "type": "object",
    "properties": {"entities": {"type": "array", "items": _ENTITY}},
    "required": ["entities"],
}
TOOL = {
    "type": "function",
    "function": {"name": TOOL_NAME, "description": "Black out personal data.", "parameters": _PARAMETERS},
}


def request_for(text: str, types: Sequence[str]) -> dict[str, Any]:
    """The body of the request; only the text differs from one to the next."""
    system = {"role": "system", "content": _SYSTEM.format(types=", ".join(types))}
    return {
        "model": MODEL,
        "messages": [system, {"role": "user", "content": text}],
        "tools": [TOOL],
        "tool_choice": "auto",
        "temperature": 0,
    }


def arguments_for(entities: Sequence[Entity]) -> str:
    """The arguments of the call, as JSON text."""
    return json.dumps({"entities": [entity._asdict() for entity in entities]}, ensure_ascii=False)


def answer_with(entities: Sequence[Entity]) -> dict[str, Any]:
    """The assistant message that says so: a label, for example."""
    function = {"name": TOOL_NAME, "arguments": arguments_for(entities)}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }


def found_in(message: Mapping[str, Any]) -> tuple[Entity, ...] | None:
    """What a message says was found, each once; None where it is not one call of the tool as it should be."""
    match message.get("tool_calls"):
        case [{"function": {"name": str(name), "arguments": arguments}}] if name == TOOL_NAME:
            return _entities(arguments)
        case _:
            return None


def _entities(arguments: Any) -> tuple[Entity, ...] | None:
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            return None
    if not isinstance(arguments, Mapping) or not isinstance(arguments.get("entities"), list):
        return None
    found: list[Entity] = []
    for given in arguments["entities"]:
        match given:
            case {"type": str(type), "value": str(value), **rest} if not rest:
                found.append(Entity(type, value))
            case _:
                return None
    return tuple(dict.fromkeys(found))
