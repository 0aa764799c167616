"""OpenAI chat JSONL, the form of fine-tuning files: ``{"messages": [..., {"role": "assistant", ...}], "tools": []}``.

A line is one exchange: its last assistant message is the answer, what stands before it the request.
"""

from __future__ import annotations

from typing import Any

from nightschool.store.imports import told
from nightschool.store.imports.candidate import Candidate, chat_request, completion, messages_in
from nightschool.store.imports.item import Unreadable

_USED = ("messages", "tools", "functions", "response_format", "model", "parallel_tool_calls")


def from_chat(item: dict[str, Any]) -> list[Candidate]:
    """The exchange of one line."""
    messages = messages_in(item["messages"])
    answers = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    if not answers:
        raise Unreadable("has no assistant message")
    if answers[-1] == 0:
        raise Unreadable("has nothing before its assistant message")
    request = chat_request(messages[: answers[-1]], item)
    return [
        Candidate(
            request=request,
            response=completion(messages[answers[-1]], item.get("model")),
            time_us=told.time_us(item),
            tags=told.tags(item, used=_USED),
        )
    ]
