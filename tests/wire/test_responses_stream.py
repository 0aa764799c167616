"""Streams of the Responses API -> the response object."""

from __future__ import annotations

import pytest

from tests.wire.captures import message, reassembled


def test_the_last_event_gives_the_whole_response() -> None:
    response = message("responses_completed")

    assert response["status"] == "completed"
    assert response["usage"]["output_tokens"] == 87
    assert [item["type"] for item in response["output"]] == [
        "reasoning",
        "message",
        "function_call",
        "custom_tool_call",
    ]


def test_an_output_that_the_last_event_leaves_out_is_put_together() -> None:
    assert message("responses_completed_without_output") == message("responses_completed")


def test_of_a_cut_stream_every_item_is_as_far_as_it_came() -> None:
    response = message("responses_cut")
    reasoning, text, call, custom = response["output"]

    assert (response["status"], response["usage"]) == ("in_progress", None)
    assert reasoning["summary"] == [{"type": "summary_text", "text": "Thinking it over."}]
    assert text["content"][0]["text"] == "Let me look. é"
    assert (call["name"], call["arguments"], call["status"]) == ("get_weather", '{"city":"Oslo"}', "in_progress")
    assert custom["input"] == "echo hello"


def test_refusals_and_reasoning_text_are_put_together_too() -> None:
    refusal, reasoning = message("responses_refusal_cut")["output"]

    assert refusal["content"] == [{"type": "refusal", "refusal": "I cannot."}]
    assert reasoning["content"] == [{"type": "reasoning_text", "text": "hmm"}]


@pytest.mark.parametrize(
    ("name", "finished", "error_type"),
    [
        ("responses_completed", True, None),
        ("responses_incomplete", True, None),
        ("responses_failed", False, "server_error"),
        ("responses_error", False, "rate_limit_exceeded"),
        ("responses_cut", False, None),
    ],
)
def test_a_response_is_finished_with_its_last_event_unless_that_is_an_error(
    name: str, finished: bool, error_type: str | None
) -> None:
    assert (reassembled(name).finished, reassembled(name).error_type) == (finished, error_type)


def test_an_incomplete_response_says_why() -> None:
    assert message("responses_incomplete")["incomplete_details"] == {"reason": "max_output_tokens"}
