"""A legacy completion stream -> the ``text_completion`` that would have come without ``stream``."""

from __future__ import annotations

from typing import Any

from nightschool.wire import json_text
from nightschool.wire.choice_stream import Choice, ChoiceStream


class _TextChoice(Choice):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []


class CompletionsStream(ChoiceStream):
    """The events of ``/completions``."""

    object_name = "text_completion"

    def __init__(self) -> None:
        super().__init__()
        self._choices: dict[int, _TextChoice] = {}

    def _grown_choices(self) -> dict[int, _TextChoice]:
        return self._choices

    def _take_piece(self, index: int, piece: dict[str, Any]) -> None:
        choice = self._choices.setdefault(index, _TextChoice())
        text = piece.pop("text", None)
        if isinstance(text, str):
            choice.text.append(text)
        choice.note(piece)

    def _choice_document(self, index: int) -> dict[str, Any]:
        return {"text": json_text.mend("".join(self._choices[index].text))}
