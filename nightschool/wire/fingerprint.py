"""Two names for a request that do not change with what is asked: which prompt it uses, and which conversation it is in.

**Fingerprint**: a hash of what the application's programmer wrote: the system and developer messages before the first
other message, the names and schemas of the tools, and the response format. Sampling parameters, the model and the rest
of the conversation do not count. Masked, so that one template keeps one fingerprint whatever was filled in:

- every word that holds a digit (numbers, dates, times, UUIDs, order and session ids), ``@`` (e-mail addresses) or
  ``://`` (URLs), and names of months and days; several in a row count as one, since dates are written in several words
- white space
- the same in ``description`` texts of tools and schemas; all other values of a schema are part of the contract

A name of a person or a place that is filled in cannot be told from the template and gives another fingerprint.

**Conversation**: a hash of the first system and the first user message, exact, so that the turns of one conversation
share it. Two conversations that open with the same words share it too; a header says it better.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from itertools import takewhile
from typing import Any

import msgspec

from nightschool.wire import json_text
from nightschool.wire.request import RequestBody, Turn, value

_INSTRUCTING = frozenset({"system", "developer"})
_SEPARATORS = str.maketrans(dict.fromkeys("\"'(),;<>[]{}|，。、；：「」（）", " "))  # noqa: RUF001  full width: Chinese
_VOLATILE = re.compile(r"[\d@]|://")
_MONTHS = "january february march april may june july august september october november december"
_DAYS = "monday tuesday wednesday thursday friday saturday sunday"
_NAMES = {short for names in (_MONTHS, _DAYS) for name in names.split() for short in (name, name[:3])}
_NAMES |= {"sept", "tues", "thur", "thurs", "am", "pm", "a.m", "p.m"}
_CALENDAR = frozenset(variant for name in _NAMES for variant in (name, name.title(), name.upper()))
_MASK = "#"
_MASKS = re.compile("#(?: #)+")
_MAX_DEPTH = 100
_KEPT = 32
"""Templates and tool sets whose masked form is remembered: an application sends the same few all day."""


def fingerprint(request: RequestBody) -> str | None:
    """32 hex digits that name the prompt's template; None where there is no prompt (no messages, tools or schema)."""
    leading = takewhile(lambda turn: turn.role in _INSTRUCTING, request.turns)
    tools = [*_contracts(bytes(request.tools)), *_contracts(bytes(request.functions))]
    response_format = _response_format(request)
    if not request.turns and not tools and response_format is None:
        return None
    template = [_masked_content(turn.content) for turn in leading]
    return _digest([template, sorted(tools), _masked(response_format, _MAX_DEPTH)])


def conversation(request: RequestBody) -> str | None:
    """32 hex digits that name the conversation; None where there are no messages."""
    first: dict[str, Turn] = {}
    for turn in request.turns:
        side = "system" if turn.role in _INSTRUCTING else turn.role
        first.setdefault(side, turn)
        if side == "user":
            break
    opening = [first[side].content for side in ("system", "user") if side in first]
    return _digest(opening) if opening else None


def mask(text: str) -> str:
    """The words of ``text`` with what is likely to change from call to call masked."""
    words = text.translate(_SEPARATORS).split()
    masked = " ".join([_MASK if _is_volatile(word) else word for word in words])
    return _MASKS.sub(_MASK, masked)


def _is_volatile(word: str) -> bool:
    if word.isalpha():
        return word in _CALENDAR
    return _VOLATILE.search(word) is not None or word.rstrip(".:") in _CALENDAR


def _masked_content(content: Any) -> Any:
    if isinstance(content, str):
        return _template(content)
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return _template(" ".join(text for text in texts if isinstance(text, str)))
    return None


@lru_cache(_KEPT)
def _template(text: str) -> str:
    return mask(text)


@lru_cache(_KEPT)
def _contracts(tools: bytes) -> tuple[str, ...]:
    """Each tool's name and schema; sorted by the caller, since some applications keep their tools in a set."""
    entries = value(msgspec.Raw(tools))
    if not isinstance(entries, list):
        return ()
    return tuple(json_text.canonical(_contract(entry)).decode() for entry in entries if isinstance(entry, dict))


def _contract(tool: dict[str, Any]) -> Any:
    kind = tool.get("type", "function")
    inner = tool.get(kind) if isinstance(kind, str) else None
    return _masked([kind, inner if isinstance(inner, dict) else tool], _MAX_DEPTH)


def _response_format(request: RequestBody) -> Any:
    chat = value(request.response_format)
    if chat is not None:
        return chat
    responses = value(request.text)
    return responses.get("format") if isinstance(responses, dict) else None


def _masked(schema: Any, depth: int) -> Any:
    """A schema with its descriptions masked; a *property* called ``description`` has an object there and is kept."""
    if isinstance(schema, dict) and depth:
        return {
            key: mask(entry) if key == "description" and isinstance(entry, str) else _masked(entry, depth - 1)
            for key, entry in schema.items()
        }
    if isinstance(schema, list) and depth:
        return [_masked(entry, depth - 1) for entry in schema]
    return schema


def _digest(parts: list[Any]) -> str:
    return blake2b(json_text.canonical(parts), digest_size=16).hexdigest()
