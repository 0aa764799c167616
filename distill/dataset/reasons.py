"""Why an exchange is not in a dataset: a closed set of words, each with the sentence that the card says."""

from __future__ import annotations

REASONS: dict[str, str] = {
    "failed": "The call failed: there is no answer to learn from.",
    "cut": "The answer was cut: the client left, or the upstream or the proxy broke off.",
    "truncated": "The answer ran into its token limit, so its end is missing.",
    "filtered": "The upstream's content filter stopped the answer.",
    "student_served": "A student answered; only a teacher's answers, or labels, are learned from.",
    "not_a_chat": "No chat completion: other endpoints are recorded, but not learned.",
    "no_text": "Its text was not recorded (`record.bodies`, a binary body, or a body over the limit).",
    "unparseable": "Request or answer is not JSON, or has no messages.",
    "no_answer": "The answer has neither text nor tool calls.",
    "invalid_json": "The answer is not the JSON that the request asked for.",
    "schema_invalid": "The answer breaks the JSON schema that the request asked for.",
    "invalid_arguments": "The arguments of a tool call break the tool's schema, or are no JSON object.",
    "unknown_tool": "The answer calls a tool that was not on offer.",
    "tools_changed": "The answer was right for tools as they were, and is wrong for the tools of today.",
    "unwritable": "It holds what no student format can write: images, audio, custom tools, odd roles.",
    "too_long": "It is longer than what the student can be trained on.",
    "duplicate": "A newer exchange with exactly the same input stands for it.",
    "test_full": "It is on the test side, which is full.",
    "validation_full": "It is on the validation side, which is full.",
    "over_max": "Left out at random, fresh ones least, to keep to `max_examples`.",
}
REDUNDANT = ("duplicate", "test_full", "validation_full", "over_max")
"""Nothing is wrong with these."""


class Excluded(Exception):
    """An exchange is left out: the word, and what was met."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(reason, detail)
