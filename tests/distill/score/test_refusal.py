"""An answer that declines is told by its words, as a student says it, and by the field, as a teacher does."""

from __future__ import annotations

from typing import Any

import pytest

from distill.score.refusal import declines, is_refusal

CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, I can't help with that.",
        "I\u2019m sorry, but I can\u2019t assist with that request.",
        "Sorry, I cannot comply with this.",
        "I am unable to assist with that.",
        "I cannot fulfill this request. It asks for private data.",
        "As an AI language model, I can't provide that.",
        "I won't help with this.",
        "Unfortunately, I'm not able to do that.",
        "I must decline.",
        "I apologize, but I cannot discuss medical matters.",
        "I can't do that.",
        "  Sorry — we are unable to help you with this.",
        "I cannot.",
    ],
)
def test_words_that_decline(text: str) -> None:
    assert declines(text)
    assert is_refusal({"role": "assistant", "content": text})


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry to hear that your parcel is late. It arrives on Monday.",
        "Sorry for the trouble! Your refund is on its way.",
        "I cannot find order 7. Please check the number.",
        "I can help with that.",
        "The customer says: I can't help with that.",
        "billing",
        "refusal",
        "",
        "Unfortunately, the flight is cancelled.",
        "I can't see any charge of 9 EUR on your account, so nothing is due.",
        '{"reason": "I cannot help with that"}',
    ],
)
def test_words_that_do_not(text: str) -> None:
    assert not declines(text)
    assert not is_refusal({"role": "assistant", "content": text})


@pytest.mark.parametrize(
    ("message", "refuses"),
    [
        ({"role": "assistant", "content": None, "refusal": "No."}, True),
        ({"role": "assistant", "content": "I can't help with that.", "tool_calls": [CALL]}, False),
        ({"role": "assistant", "content": [{"type": "text", "text": "I can't help with that."}]}, True),
        ({"role": "assistant", "content": "ok", "refusal": None}, False),
        (None, False),
    ],
)
def test_a_message_is_one_by_its_field_or_its_text_and_never_with_a_call(
    message: dict[str, Any] | None, refuses: bool
) -> None:
    assert is_refusal(message) is refuses
