"""Legacy completion streams -> ``text_completion``."""

from __future__ import annotations

from tests.wire.captures import message, reassembled


def test_text_and_usage_are_those_of_an_answer_in_one_piece() -> None:
    assert message("completions_text") == {
        "id": "cmpl-9f",
        "object": "text_completion",
        "created": 1763815141,
        "model": "davinci-002",
        "choices": [{"index": 0, "text": " Once upon", "finish_reason": "length"}],
        "usage": {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6},
    }


def test_choices_and_their_log_probabilities_are_kept_apart() -> None:
    whole = reassembled("completions_n2_logprobs")

    assert [choice["text"] for choice in message("completions_n2_logprobs")["choices"]] == [" a b", " x y"]
    assert whole.logprobs is not None
    assert [found["tokens"] for found in whole.logprobs] == [[" a", " b"], [" x", " y"]]
    assert whole.logprobs[1]["text_offset"] == [3, 5]
