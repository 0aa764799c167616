"""What kind of answers a workload gives: one of a few labels, calls of tools, JSON, or free text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from distill.score.refusal import is_refusal
from nightschool.wire import json_text

Kind = Literal["label", "tool_call", "json", "text", "unknown"]

MOST_LABELS = 200
UNSEEN_SHARE = 0.05
"""Of a closed set, hardly any answer is seen only once: their share estimates how many answers are yet unseen."""
FEWEST_ANSWERS = 20
"""Fewer do not show that a set is closed."""
LONGEST_LABEL = 120
CALLING_SHARE = 0.2
"""An agent talks between its calls; so many calls make it a workload of tools."""
JSON_SHARE = 0.9


class Answer(msgspec.Struct, frozen=True):
    """What the model said: text, and calls in one order whatever order they came in."""

    text: str = ""
    calls: tuple[str, ...] = ()
    """``["name", arguments]`` as canonical JSON."""
    refusal: bool = False

    @property
    def is_json(self) -> bool:
        """Perhaps in a code fence."""
        return isinstance(_decoded(json_text.unfenced(self.text)), dict | list)

    @property
    def canonical(self) -> str:
        """Equal for answers that mean the same: JSON with sorted keys, text without white space around it."""
        found = _decoded(self.text)
        text = json_text.canonical(found).decode() if isinstance(found, dict | list) else self.text.strip()
        return "\n".join((text, *self.calls))


def read_answer(response: str | None) -> Answer | None:
    """The first choice of a recorded response; None if there is no message in it."""
    document = _decoded(response or "")
    if not isinstance(document, dict):
        return None
    choices, output = document.get("choices"), document.get("output")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        message = choices[0].get("message")
        return read_message(message) if isinstance(message, dict) else _completion(choices[0])
    return _responses(output) if isinstance(output, list) else None


def kind_of(answers: Sequence[Answer]) -> Kind:
    """The kind of most of them."""
    if not answers:
        return "unknown"
    if sum(bool(answer.calls) for answer in answers) >= CALLING_SHARE * len(answers):
        return "tool_call"
    said = [answer for answer in answers if answer.text]
    if labels(said):
        return "label"
    if said and sum(answer.is_json for answer in said) >= JSON_SHARE * len(said):
        return "json"
    return "text"


def labels(answers: Sequence[Answer]) -> Counter[str] | None:
    """The closed set that the answers come from, most frequent first; None if they come from no such set."""
    if len(answers) < FEWEST_ANSWERS or any(len(answer.text) > LONGEST_LABEL for answer in answers):
        return None
    found = Counter(answer.canonical for answer in answers)
    once = sum(count == 1 for count in found.values())
    closed = len(found) <= MOST_LABELS and once <= UNSEEN_SHARE * len(answers)
    return found if closed else None


def read_message(message: dict[str, Any]) -> Answer | None:
    """What an assistant message of the wire says; None if nothing."""
    calls = message.get("tool_calls")
    found = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    if isinstance(old := message.get("function_call"), dict):
        found.append({"function": old})
    content, refusal = message.get("content"), message.get("refusal")
    text = content if isinstance(content, str) else "".join(_texts(content))
    if not (text or found or refusal):
        return None
    return Answer(text, tuple(sorted(map(_call, found))), refusal=is_refusal(message))


def _completion(choice: dict[str, Any]) -> Answer | None:
    text = choice.get("text")
    return Answer(text) if isinstance(text, str) else None


def _responses(output: list[Any]) -> Answer | None:
    items = [item for item in output if isinstance(item, dict)]
    text = "".join(part for item in items for part in _texts(item.get("content")) if item.get("type") == "message")
    calls = [item for item in items if item.get("type") in ("function_call", "custom_tool_call")]
    return Answer(text, tuple(sorted(map(_call, calls)))) if text or calls else None


def _call(call: dict[str, Any]) -> str:
    inner = next((call[kind] for kind in ("function", "custom") if isinstance(call.get(kind), dict)), call)
    arguments = inner.get("arguments", inner.get("input"))
    if isinstance(arguments, str) and (value := _decoded(arguments)) is not None:
        arguments = value
    return json_text.canonical([inner.get("name"), arguments]).decode()


def _texts(content: Any) -> Iterator[str]:
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]


def _decoded(text: str) -> Any:
    """JSON's value; None for everything else."""
    if not text or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json_text.decode(text.encode("utf-8", "replace"))
    except ValueError:
        return None
