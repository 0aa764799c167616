"""A stream of the Responses API -> the response object that would have come without ``stream``.

``response.completed``, ``.incomplete`` and ``.failed`` carry the whole response, usage included; no ``[DONE]`` follows.
Of a stream that was cut before, the response is put together from its first event and the deltas of its output items.
"""

from __future__ import annotations

from typing import Any

from nightschool.wire.accumulate import Pieces, finished
from nightschool.wire.event_stream import EventStream

_LAST = frozenset({"response.completed", "response.incomplete", "response.failed"})
_FIELD = {
    "response.function_call_arguments.delta": "arguments",
    "response.mcp_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "input",
    "response.code_interpreter_call_code.delta": "code",
}
"""Deltas of a field of an output item."""
_PART = {
    "response.output_text.delta": ("content", "content_index", "output_text", "text"),
    "response.refusal.delta": ("content", "content_index", "refusal", "refusal"),
    "response.reasoning_text.delta": ("content", "content_index", "reasoning_text", "text"),
    "response.reasoning_summary_text.delta": ("summary", "summary_index", "summary_text", "text"),
}
"""Deltas of a part of an output item: the item's list, the event's key for the position, the part's type and field."""


class _Item:
    """An output item while it grows."""

    def __init__(self) -> None:
        self.value: dict[str, Any] = {}
        self.fields: dict[str, Pieces] = {}
        self.parts: dict[tuple[str, int], dict[str, Any]] = {}

    def replace(self, value: dict[str, Any]) -> None:
        """Take what the upstream says the item is by now; deltas from here on add to it."""
        self.value = value
        self.fields.clear()
        self.parts.clear()

    def document(self) -> dict[str, Any]:
        lists: dict[str, list[Any]] = {}
        for (key, _), part in sorted(self.parts.items()):
            lists.setdefault(key, []).append(finished(part))
        return {**self.value, **finished(self.fields), **lists}


class ResponsesStream(EventStream):
    """The events of ``/responses``."""

    def __init__(self) -> None:
        super().__init__()
        self._response: dict[str, Any] = {}
        self._items: dict[int, _Item] = {}
        self._ended = False

    @property
    def finished(self) -> bool:
        return self._ended

    def message(self) -> dict[str, Any]:
        output = self._response.get("output")
        if not output and self._items:  # cut before its last event, or a last event that leaves the output out
            output = [item.document() for _, item in sorted(self._items.items())]
        error = {"error": self.error} if self.error else {}
        return {**self._response, **error, "output": output if isinstance(output, list) else []}

    def _take(self, event: dict[str, Any]) -> None:
        kind = event.get("type")
        if not isinstance(kind, str):
            return
        if kind == "error":
            self.recognised = True
            self.error = event.get("error") or {key: event.get(key) for key in ("code", "message", "param")}
        elif kind.startswith("response."):
            self.recognised = True
            self._take_response(kind, event)

    def _take_response(self, kind: str, event: dict[str, Any]) -> None:
        response, item = event.get("response"), event.get("item")
        if isinstance(response, dict):
            self._response = response
            self.error = response.get("error") or self.error
        if kind in _LAST:
            self._ended = True
        elif kind in ("response.output_item.added", "response.output_item.done") and isinstance(item, dict):
            self._item(event).replace(item)
        elif isinstance(event.get("delta"), str):
            self._grow(kind, event)

    def _grow(self, kind: str, event: dict[str, Any]) -> None:
        if kind in _FIELD:
            self._item(event).fields.setdefault(_FIELD[kind], Pieces()).append(event["delta"])
        elif kind in _PART:
            key, position_key, part_type, field = _PART[kind]
            parts = self._item(event).parts
            part = parts.setdefault((key, _int(event.get(position_key))), {"type": part_type, field: Pieces()})
            part.setdefault(field, Pieces()).append(event["delta"])

    def _item(self, event: dict[str, Any]) -> _Item:
        return self._items.setdefault(_int(event.get("output_index")), _Item())


def _int(value: Any) -> int:
    return value if isinstance(value, int) else 0
