"""Which kind an item is, and the exchanges in it."""

from __future__ import annotations

from typing import Any

from nightschool.record import Record
from nightschool.store.imports.batch import BatchJoin, is_batch_line
from nightschool.store.imports.candidate import Candidate
from nightschool.store.imports.chat import from_chat
from nightschool.store.imports.exported import is_exported, row_of
from nightschool.store.imports.item import Item, Unreadable
from nightschool.store.imports.pair import from_pair
from nightschool.store.imports.trajectory import from_episode, message_key

_SCORED = ("reward", "score")


class Kinds:
    """Reads items of any kind; remembers lines of batches until the other half comes."""

    def __init__(self) -> None:
        self.batches = BatchJoin()

    def read(self, item: Item) -> tuple[str, list[Candidate] | list[Record]]:
        """The kind of an item, for people, and its exchanges; raises Unreadable."""
        if isinstance(item.value, Unreadable):
            raise item.value
        if isinstance(item.value, list):
            return "agent trajectories", from_episode(item.value)
        if not isinstance(item.value, dict):
            raise Unreadable("is neither an object nor a list of messages")
        return self._read_object(item, item.value)

    def _read_object(self, item: Item, value: dict[str, Any]) -> tuple[str, list[Candidate] | list[Record]]:
        if is_exported(value):
            return "exported exchanges", [row_of(item)]
        if is_batch_line(value):
            return "a batch", self.batches.take(value)
        if "request" in value and "response" in value:
            return "request/response pairs", from_pair(value)
        if "messages" in value and item.alone and not any(name in value for name in _SCORED):
            return "chat examples", from_chat(value)
        if message_key(value):
            return "agent trajectories", from_episode(value)
        raise Unreadable("has neither messages, nor request and response")
