"""OpenAI's batch files: the answers are in one, the questions in another, joined by ``custom_id``.

input   {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {...}}
output  {"custom_id": "a", "response": {"status_code": 200, "body": {...}}, "error": null}
"""

from __future__ import annotations

from typing import Any

from nightschool.store.imports.candidate import Candidate
from nightschool.store.imports.item import Unreadable
from nightschool.store.imports.pair import from_pair


class BatchJoin:
    """Holds questions and answers until they have found each other."""

    def __init__(self) -> None:
        self._questions: dict[str, dict[str, Any]] = {}
        self._answers: dict[str, dict[str, Any]] = {}

    def take(self, item: dict[str, Any]) -> list[Candidate]:
        """The exchange that is complete with this line, if one is; the last of several lines of one name counts."""
        name = item["custom_id"]
        if not isinstance(name, str):
            raise Unreadable(f"has custom_id = {name!r}, which is no text")
        if "body" not in item and not isinstance(item.get("response"), dict):
            raise Unreadable(f"has no response: {item.get('error')}")
        (self._questions if "body" in item else self._answers)[name] = item
        if name not in self._questions or name not in self._answers:
            return []
        return from_pair(_pair(self._questions.pop(name), self._answers.pop(name)))

    def unjoined(self) -> str:
        """What is left, for people; empty if nothing is."""
        lonely = []
        if self._answers:
            lonely.append(
                f"{len(self._answers)} answers of a batch without their questions: import the input file, too"
            )
        if self._questions:
            lonely.append(f"{len(self._questions)} questions of a batch without an answer")
        return "; ".join(lonely)


def is_batch_line(item: dict[str, Any]) -> bool:
    return "custom_id" in item and ("body" in item or "response" in item)


def _pair(question: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    response = answer["response"]
    return {
        "request": question.get("body"),
        "response": response.get("body"),
        "status": response.get("status_code"),
        "url": question.get("url"),
        "tags": {"custom_id": question["custom_id"]},
    }
