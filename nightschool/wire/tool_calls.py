"""Tool-call deltas of one choice -> whole tool calls, whatever the provider uses to say which call a delta belongs to.

OpenAI numbers the calls (``index``) and names each once. Others, all of them met in the field:

- use index 0 for every call (Ollama), or leave it out, or send null (Gemini): the ``id`` tells calls apart
- send the id or the index only with the first delta, or the id only later: the call that is open goes on
- give every fragment of one call an id of its own (Kimi, LM Studio): without a name no call begins
- repeat the name with every fragment (MiniMax), or send no ids at all: a name begins another call if it is another
  name, or if the arguments so far are complete
- echo an empty ``custom`` object on function calls, or send arguments as an object
"""

from __future__ import annotations

from typing import Any

from nightschool.wire import json_text
from nightschool.wire.accumulate import Pieces


class ToolCall:
    """One call while it grows."""

    __slots__ = ("extra", "id", "index", "inner_extra", "kind", "name", "payload")

    def __init__(self) -> None:
        self.id = ""
        self.index: int | None = None
        self.name = ""
        self.kind = "function"
        self.payload = Pieces()
        """Pieces of ``function.arguments``, or of ``custom.input``."""
        self.extra: dict[str, Any] = {}
        self.inner_extra: dict[str, Any] = {}

    def payload_is_complete(self) -> bool:
        if not (self.payload and self.payload[-1].rstrip().endswith("}")):
            return False  # arguments are an object: spares parsing all of it at every fragment
        try:
            json_text.decode("".join(self.payload).encode("utf-8", "replace"))
        except ValueError:
            return False
        return True

    def message(self) -> dict[str, Any]:
        """The call as it stands in a message; ``id`` is empty where the provider gave none."""
        payload_key = "input" if self.kind == "custom" else "arguments"
        inner = {"name": self.name, payload_key: json_text.mend("".join(self.payload)), **self.inner_extra}
        return {"id": self.id, "type": self.kind, self.kind: inner, **self.extra}


class ToolCalls:
    """The calls of one choice, in the order in which the model made them."""

    def __init__(self) -> None:
        self._calls: list[ToolCall] = []
        self._by_index: dict[int, ToolCall] = {}
        self._by_id: dict[str, ToolCall] = {}

    def open_at(self, index: int) -> ToolCall | None:
        """The call that a delta with this index and nothing else but a payload continues."""
        return self._by_index.get(index)

    def add(self, delta: dict[str, Any]) -> None:
        """Merge one entry of ``delta.tool_calls``."""
        kind, inner = _inner(delta)
        index, call_id, name = _index(delta), _text(delta.get("id")), _text(inner.get("name"))
        call = self._find(index, call_id, name)
        if call is None:
            call = ToolCall()
            self._calls.append(call)
        self._place(call, index, call_id)
        _name(call, name)
        if kind == "custom":
            call.kind = kind
        _pay(call, inner.get("input" if kind == "custom" else "arguments"))
        _keep(call.extra, delta, ("index", "id", "type", "function", "custom"))
        _keep(call.inner_extra, inner, ("name", "arguments", "input"))

    def messages(self) -> list[dict[str, Any]]:
        """The calls as they stand in a message, by index where every call has one."""
        calls = self._calls
        if all(call.index is not None for call in calls):
            calls = sorted(calls, key=lambda call: call.index or 0)
        return [call.message() for call in calls]

    def _find(self, index: int | None, call_id: str, name: str) -> ToolCall | None:
        """The call that a delta continues, or None if it begins one."""
        known = self._by_id.get(call_id)
        if known is not None and not (name and index is not None and index not in self._by_index):
            return known
        last = self._calls[-1] if self._calls else None
        if index is None:
            current = last
        else:
            current = self._by_index.get(index)
            if current is None and last is not None and last.index is None and not (name and last.name):
                current = last  # its index comes only now
        if current is None or (name and _is_another(current, index, call_id, name)):
            return None
        return current

    def _place(self, call: ToolCall, index: int | None, call_id: str) -> None:
        if index is not None:
            self._by_index[index] = call
            if call.index is None:
                call.index = index
        if call_id:
            self._by_id[call_id] = call
            call.id = call.id or call_id


def _is_another(current: ToolCall, index: int | None, call_id: str, name: str) -> bool:
    """Whether a delta that names a function begins a call, though ``current`` is open where it belongs."""
    if call_id and current.id:
        return True  # two ids, two calls
    if not current.name:
        return False
    if name == current.name:
        return current.payload_is_complete()
    return index is None or bool(current.payload)


def _name(call: ToolCall, name: str) -> None:
    """A name may come in fragments (before the payload) or again and again, whole."""
    if name != call.name and not call.payload:
        call.name += name


def _pay(call: ToolCall, payload: Any) -> None:
    if isinstance(payload, str):
        if payload:
            call.payload.append(payload)
    elif payload is not None:
        call.payload.append(json_text.encode(payload).decode())


def _inner(delta: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    function, custom = delta.get("function"), delta.get("custom")
    if isinstance(custom, dict) and (isinstance(custom.get("input"), str) or isinstance(custom.get("name"), str)):
        return "custom", custom
    return "function", function if isinstance(function, dict) else {}


def _index(delta: dict[str, Any]) -> int | None:
    index = delta.get("index")
    return index if isinstance(index, int) and not isinstance(index, bool) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _keep(extra: dict[str, Any], delta: dict[str, Any], known: tuple[str, ...]) -> None:
    for key, value in delta.items():
        if key not in known and value is not None:
            extra[key] = value
