"""Agent trajectories: episodes, each a list of messages, bare or under a key, perhaps with a reward.

Every assistant message becomes one exchange with the messages before it as its request. The exchanges of an episode are
one conversation; a reward becomes feedback on the last of them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from nightschool.store.imports import told
from nightschool.store.imports.candidate import Candidate, chat_request, completion, digest_of, messages_in
from nightschool.store.imports.item import Unreadable

_KEYS = ("messages", "traj", "trajectory", "conversation", "conversations", "history", "turns", "episode", "dialog")
_USED = ("tools", "functions", "response_format", "model", "info")


def message_key(item: dict[str, Any]) -> str | None:
    """Under which key the episode's messages are; an obvious name, else the only list of messages there is."""
    keys = [key for key in (*_KEYS, *item) if _are_messages(item.get(key))]
    return keys[0] if keys else None


def from_episode(item: Any) -> list[Candidate]:
    """The exchanges of one episode, oldest first."""
    fields = item if isinstance(item, dict) else {}
    key = message_key(fields) or ""
    messages = messages_in(fields[key] if key else item)
    conversation = digest_of(item).hex()[:16]
    started_us = told.time_us(fields)
    labels = told.tags(fields, used=(*_USED, key))
    candidates = [
        Candidate(
            request=chat_request(messages[:index], fields),
            response=completion(message, fields.get("model")),
            time_us=None if started_us is None else started_us + index,
            conversation=conversation,
            tags=labels,
        )
        for index, message in enumerate(messages)
        if message["role"] == "assistant" and index > 0
    ]
    if not candidates:
        raise Unreadable("has no assistant message that answers anything")
    return [*candidates[:-1], msgspec.structs.replace(candidates[-1], score=told.score(fields))]


def _are_messages(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and "role" in one for one in value)
