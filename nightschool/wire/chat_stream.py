"""A chat completion stream -> the ``chat.completion`` that would have come without ``stream``.

Nearly every event carries one piece of text or of arguments and repeats the rest. Such an event is decoded into the
structs below, which admit nothing else; any other event takes the general way. Both give the same message.
"""

from __future__ import annotations

from typing import Any

import msgspec

from nightschool.wire.accumulate import Pieces, finished, merge, overlay
from nightschool.wire.choice_stream import Choice, ChoiceStream
from nightschool.wire.tool_calls import ToolCalls

_PATIENCE = 8
"""Events in a row that must not fit the structs before they are tried no more (an exception each is not free)."""


class _Strict(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    pass


class _Function(_Strict):
    arguments: str


class _Call(_Strict):
    index: int
    function: _Function


class _Delta(_Strict):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: tuple[_Call] | None = None
    role: str | None = None
    refusal: None = None
    function_call: None = None


class _Piece(_Strict):
    index: int
    delta: _Delta
    logprobs: None = None
    finish_reason: None = None
    stop_reason: None = None
    token_ids: None = None
    content_filter_results: dict[str, Any] | None = None


class _PlainEvent(_Strict):
    id: str
    choices: tuple[_Piece]
    object: str = ""
    created: int = 0
    model: str = ""
    system_fingerprint: str | None = None
    service_tier: str | None = None
    usage: None = None
    obfuscation: str = ""


_decode_plain = msgspec.json.Decoder(_PlainEvent).decode


class _ChatChoice(Choice):
    def __init__(self) -> None:
        super().__init__()
        self.delta: dict[str, Any] = {}
        self.calls = ToolCalls()
        self.whole: dict[str, Any] = {}
        """A message that came in one piece, as some providers send it in place of deltas or beside them."""


class ChatStream(ChoiceStream):
    """The events of ``/chat/completions``."""

    object_name = "chat.completion"

    def __init__(self) -> None:
        super().__init__()
        self._choices: dict[int, _ChatChoice] = {}
        self._head: tuple[object, ...] | None = None
        """What the last general event said about the whole; a plain event must say the same."""
        self._refused = 0

    def feed(self, event_data: bytes) -> None:
        if self._head is not None and self._refused < _PATIENCE:
            try:
                event = _decode_plain(event_data)
            except (msgspec.DecodeError, UnicodeDecodeError):
                self._refused += 1
            else:
                self._refused = 0
                if self._grow(event):
                    return
        super().feed(event_data)

    def _grow(self, event: _PlainEvent) -> bool:
        """Add one piece to something that is growing already; where there is more to it, add nothing and say False."""
        piece = event.choices[0]
        choice = self._choices.get(piece.index)
        if choice is None or (event.id, event.model, event.system_fingerprint, event.service_tier) != self._head:
            return False
        text, added = _growing(choice, piece.delta)
        if type(text) is not Pieces or added is None:
            return False
        text.append(added)
        if piece.content_filter_results:  # Azure says that all is well with every piece
            overlay(choice.extra, {"content_filter_results": piece.content_filter_results})
        return True

    def _grown_choices(self) -> dict[int, _ChatChoice]:
        return self._choices

    def _take(self, event: dict[str, Any]) -> None:
        head = tuple(event.get(key) for key in ("id", "model", "system_fingerprint", "service_tier"))
        super()._take(event)
        self._head = head if self._top.get("created") else None

    def _take_piece(self, index: int, piece: dict[str, Any]) -> None:
        choice = self._choices.setdefault(index, _ChatChoice())
        delta, message = piece.pop("delta", None), piece.pop("message", None)
        if isinstance(message, dict):
            choice.whole = message
        if isinstance(usage := piece.pop("usage", None), dict):
            self._note_top({"usage": usage})  # Moonshot puts it here
        choice.note(piece)
        if isinstance(delta, dict):
            calls = delta.pop("tool_calls", None)
            for entry in calls if isinstance(calls, list) else ():
                if isinstance(entry, dict):
                    choice.calls.add(entry)
            merge(choice.delta, delta)

    def _choice_document(self, index: int) -> dict[str, Any]:
        return {"message": _message(self._choices[index])}


def _growing(choice: _ChatChoice, delta: _Delta) -> tuple[Any, str | None]:
    """The text that a delta with one piece adds to, and the piece; None for any other delta."""
    content, reasoning, reasoning_content = delta.content, delta.reasoning, delta.reasoning_content
    if delta.role is not None and delta.role != choice.delta.get("role"):
        return None, None
    if delta.tool_calls is not None:
        call = choice.calls.open_at(delta.tool_calls[0].index)
        alone = content is None and reasoning is None and reasoning_content is None
        return (call.payload, delta.tool_calls[0].function.arguments) if call and alone else (None, None)
    if reasoning is None and reasoning_content is None:
        return choice.delta.get("content"), content
    if content is None and reasoning_content is None:
        return choice.delta.get("reasoning"), reasoning
    if content is None and reasoning is None:
        return choice.delta.get("reasoning_content"), reasoning_content
    return None, None


def _message(choice: _ChatChoice) -> dict[str, Any]:
    message = finished(choice.delta)
    calls = choice.calls.messages()
    if choice.whole and not calls and not message.get("content"):
        message = {**message, **choice.whole}
    head = {key: message.pop(key, None) for key in ("role", "content", "refusal")}
    calls_only = bool(calls or message.get("tool_calls") or message.get("function_call"))
    return {
        "role": head["role"] or "assistant",
        "content": None if calls_only and not head["content"] else head["content"],
        "refusal": head["refusal"] or None,
        **message,
        **({"tool_calls": calls} if calls else {}),
    }
