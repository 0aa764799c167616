"""Chat completion streams -> ``chat.completion``: one provider's oddity per test."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from nightschool.wire.chat_stream import ChatStream
from nightschool.wire.sse import EventSplitter
from tests.wire.captures import NAMES, capture, choice, endpoint, message, reassembled


def test_a_text_stream_becomes_the_completion_that_would_have_come_without_streaming() -> None:
    assert message("openai_text") == {
        "id": "chatcmpl-CePq3LmXvG9bTzHn4sJdRk1a",
        "object": "chat.completion",
        "created": 1763815141,
        "model": "gpt-4o-2024-08-06",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "The capital of France is Paris. 🇫🇷", "refusal": None},
                "finish_reason": "stop",
            }
        ],
        "service_tier": "default",
        "system_fingerprint": "fp_cbf1785567",
        "usage": {
            "prompt_tokens": 31,
            "completion_tokens": 9,
            "total_tokens": 40,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
    }


def test_a_refusal_is_no_content() -> None:
    assert choice("openai_refusal")["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": "I'm sorry, I can't help with that.",
    }


def test_choices_that_interleave_are_kept_apart() -> None:
    choices = message("openai_n2_interleaved")["choices"]

    assert [(c["index"], c["message"]["content"], c["finish_reason"]) for c in choices] == [
        (0, "Tails!", "length"),
        (1, "Heads.", "stop"),
    ]


def test_the_old_function_call_is_put_together() -> None:
    assert choice("openai_function_call")["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "function_call": {"name": "get_weather", "arguments": '{\n  "city": "Oslo"\n}'},
    }


def test_audio_is_put_together_key_by_key() -> None:
    assert choice("openai_audio")["message"]["audio"] == {
        "id": "audio_6890",
        "transcript": "Hello",
        "data": "UklGRiQAAAAB",
        "expires_at": 1763818741,
    }


def test_log_probabilities_stand_apart_and_come_back_in_the_body() -> None:
    whole = reassembled("openai_logprobs")

    assert whole.logprobs is not None
    assert [token["token"] for token in whole.logprobs[0]["content"]] == ["Yes", "!"]
    assert "logprobs" not in choice("openai_logprobs")
    assert json.loads(whole.body())["choices"][0]["logprobs"] == whole.logprobs[0]


def test_log_probabilities_of_a_refusal_are_kept() -> None:
    whole = reassembled("openai_refusal_logprobs")

    assert whole.logprobs is not None
    assert [token["token"] for token in whole.logprobs[0]["refusal"]] == ["No", "."]


def test_no_log_probabilities_are_none() -> None:
    assert reassembled("openai_text").logprobs is None


def test_azures_first_chunk_without_choices_gives_its_filter_results_and_no_name() -> None:
    document = message("azure_prompt_filter")

    assert (document["id"], document["model"]) == ("chatcmpl-CePqAzure", "gpt-4o-mini-2024-07-18")
    assert document["created"] == 1763815141
    assert document["prompt_filter_results"][0]["content_filter_results"]["jailbreak"] == {
        "filtered": False,
        "detected": False,
    }
    assert document["choices"][0]["message"]["content"] == "Hello there"
    assert document["choices"][0]["content_filter_results"]["hate"] == {"filtered": False, "severity": "safe"}


def test_azures_asynchronous_filter_results_without_a_delta_change_no_text() -> None:
    only = choice("azure_async_filter")

    assert only["message"]["content"] == "Color is"
    assert only["content_filter_offsets"] == {"check_offset": 506, "start_offset": 44, "end_offset": 571}


def test_vllm_gives_reasoning_token_ids_and_null_roles() -> None:
    only = choice("vllm_reasoning")

    assert only["message"] == {
        "role": "assistant",
        "content": "Hi!",
        "refusal": None,
        "reasoning": "The user greets.",
    }
    assert (only["token_ids"], only["stop_reason"]) == ([785, 1196, 1, 13048, 0, 151645], 151645)
    assert message("vllm_reasoning")["prompt_token_ids"] == [151644, 872, 198]


def test_reasoning_content_grows_while_content_is_null() -> None:
    assert choice("deepseek_reasoning_content")["message"] == {
        "role": "assistant",
        "content": "9.8 is greater.",
        "refusal": None,
        "reasoning_content": "9.11 < 9.8",
    }


def test_thinking_parts_and_text_behind_them_are_one_list_of_parts() -> None:
    assert choice("mistral_thinking_parts")["message"]["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Two and"}]},
        {"type": "thinking", "thinking": [{"type": "text", "text": " two."}]},
        {"type": "text", "text": "Four"},
    ]


def test_unknown_keys_are_kept_text_joined_lists_extended_the_rest_replaced() -> None:
    document = message("openrouter_unknown_keys")
    only = document["choices"][0]

    assert document["provider"] == "OpenAI"
    assert only["native_finish_reason"] == "stop"
    assert only["message"]["reasoning"] == "First this"
    assert [part["text"] for part in only["message"]["reasoning_details"]] == ["First", " this"]
    assert only["message"]["annotations"] == [{"type": "url_citation"}]


def test_unknown_objects_beside_the_choices_are_updated() -> None:
    assert message("groq_x_groq")["x_groq"] == {"id": "req_01", "usage": {"queue_time": 0.01, "prompt_tokens": 7}}


def test_a_message_repeated_beside_the_deltas_and_lists_repeated_whole_are_not_doubled() -> None:
    document = message("perplexity_message_beside_delta")

    assert document["choices"][0]["message"]["content"] == "Rome[1]"
    assert document["citations"] == ["https://a.example", "https://b.example"]


def test_a_whole_message_in_one_event_is_taken_as_it_is() -> None:
    assert choice("whole_message_in_one_event")["message"]["content"] == "all at once"


def test_usage_inside_of_a_choice_is_the_answers_usage() -> None:
    assert message("kimi_id_per_fragment")["usage"]["cached_tokens"] == 32


@pytest.mark.parametrize("name", [name for name in NAMES if endpoint(name) == "/chat/completions"])
def test_the_short_way_of_plain_events_gives_what_the_general_way_gives(name: str) -> None:
    short, general = ChatStream(), ChatStream()
    for data in EventSplitter().feed_data(capture(name)):
        short.feed(data)
        general.feed(_with_unknown_key(data))

    assert short.message() == {key: entry for key, entry in general.message().items() if key != "x_unknown"}
    assert (short.finished, short.logprobs()) == (general.finished, general.logprobs())


def _with_unknown_key(data: bytes) -> bytes:
    """What the structs of the short way do not admit."""
    try:
        event = json.loads(data)
    except ValueError:
        return data
    return json.dumps({**event, "x_unknown": 1}).encode() if isinstance(event, dict) else data


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("openai_", "vllm_two", "crlf", "pings"))])
def test_the_official_client_puts_the_same_message_together(name: str) -> None:
    state = ChatCompletionStreamState()
    for data in EventSplitter().feed_data(capture(name)):
        if data != b"[DONE]":
            state.handle_chunk(ChatCompletionChunk.construct(**json.loads(data)))
    theirs = state.current_completion_snapshot.to_dict()["choices"]

    for ours, their in zip(message(name)["choices"], theirs, strict=True):  # type: ignore[call-overload]
        assert _said(ours["message"]) == _said(their["message"])
        assert ours["finish_reason"] == their["finish_reason"]


def _said(message: dict[str, Any]) -> dict[str, Any]:
    calls = [{key: call[key] for key in ("id", "type", call["type"])} for call in message.get("tool_calls") or []]
    for call in calls:
        call[call["type"]].pop("parsed_arguments", None)
    return {"content": message.get("content") or None, "refusal": message.get("refusal") or None, "calls": calls}
