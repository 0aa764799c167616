"""Streams of chunks with ``choices``: what stands beside the choices, and which choice a piece belongs to.

The first chunk that knows ``id``, ``created``, ``model`` or ``system_fingerprint`` decides (Azure's first knows none);
of every other key the last value stays, objects are updated. ``obfuscation`` is padding and is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightschool.wire.accumulate import overlay
from nightschool.wire.event_stream import EventStream

_FIRST_STAYS = frozenset({"id", "created", "model", "system_fingerprint"})


class Choice:
    """What chat and legacy choices have in common, while they grow."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self.logprobs: dict[str, Any] = {}
        self.extra: dict[str, Any] = {}

    def note(self, piece: dict[str, Any]) -> None:
        """Take what of a piece is neither text nor delta."""
        self.finish_reason = piece.pop("finish_reason", None) or self.finish_reason
        logprobs = piece.pop("logprobs", None)
        if isinstance(logprobs, dict):
            overlay(self.logprobs, logprobs)
        overlay(self.extra, piece)


class ChoiceStream(EventStream):
    """Chunks in, one completion out."""

    object_name = ""

    def __init__(self) -> None:
        super().__init__()
        self._top: dict[str, Any] = {}

    @property
    def finished(self) -> bool:
        choices = self._grown_choices().values()
        return self.done or (bool(choices) and all(choice.finish_reason for choice in choices))

    def message(self) -> dict[str, Any]:
        top = dict(self._top)
        choices = [
            {"index": index, **self._choice_document(index), "finish_reason": choice.finish_reason, **choice.extra}
            for index, choice in sorted(self._grown_choices().items())
        ]
        return {
            "id": top.pop("id", None),
            "object": self.object_name,
            "created": top.pop("created", None),
            "model": top.pop("model", None),
            "choices": choices,
            **top,
        }

    def logprobs(self) -> list[Any] | None:
        found = [choice.logprobs or None for _, choice in sorted(self._grown_choices().items())]
        return found if any(found) else None

    def _take(self, event: dict[str, Any]) -> None:
        choices = event.pop("choices", None)
        if isinstance(choices, list):
            self.recognised = True
            for position, piece in enumerate(choices):
                if isinstance(piece, dict):
                    self._take_piece(_index(piece, position), piece)
        self._note_top(event)

    def _note_top(self, event: dict[str, Any]) -> None:
        for key, new in event.items():
            old = self._top.get(key)
            if new is None or key in ("object", "obfuscation"):
                continue
            if key in _FIRST_STAYS:
                self._top[key] = old or new
            elif isinstance(new, dict) and isinstance(old, dict):
                self._top[key] = {**old, **new}
            else:
                self._top[key] = new

    def _grown_choices(self) -> Mapping[int, Choice]:
        """The choices so far, by index."""
        raise NotImplementedError

    def _take_piece(self, index: int, piece: dict[str, Any]) -> None:
        """Add one entry of ``choices``, which is the callee's to keep."""
        raise NotImplementedError

    def _choice_document(self, index: int) -> dict[str, Any]:
        """What the choice says: its message or text."""
        raise NotImplementedError


def _index(piece: dict[str, Any], position: int) -> int:
    index = piece.pop("index", None)
    return index if isinstance(index, int) else position
