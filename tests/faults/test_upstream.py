"""Every way in which an upstream misbehaves, seen by the official client: it learns the truth, the next call works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import TEXT, Behaviour, too_many_requests
from tests.running import RunningProxy, config_for, running_proxy

MESSAGES: Any = [{"role": "user", "content": "one two three"}]


@pytest.fixture(scope="module")
def proxy(shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    config = config_for(shared_upstream.base_url, timeouts={"first_byte_s": 0.5, "idle_s": 0.5})
    with running_proxy(config, tmp_path_factory.mktemp("proxy")) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: RunningProxy, upstream: ScriptedUpstream) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=proxy.base_url, api_key="k", max_retries=0, timeout=20) as client:
        yield client


def healthy(client: openai.OpenAI) -> bool:
    answer = client.chat.completions.create(model="plain", messages=MESSAGES)
    return answer.choices[0].message.content == TEXT


@pytest.mark.parametrize(
    ("model", "error_type"),
    [
        ("hang", "upstream_timeout"),
        ("hang-after-head", "upstream_timeout"),
        ("reset", "upstream_broken"),
        ("reset-after-head", "upstream_broken"),
        ("no-last-chunk", "upstream_broken"),
        ("truncated-chunk", "upstream_broken"),
        ("wrong-chunk-size", "upstream_broken"),
    ],
)
def test_a_stream_that_goes_wrong_raises_and_is_recorded_as_far_as_it_came(
    client: openai.OpenAI, proxy: RunningProxy, model: str, error_type: str
) -> None:
    raw = client.chat.completions.with_raw_response.create(model=model, messages=MESSAGES, stream=True)
    deltas: list[str] = []
    with pytest.raises(openai.APIError) as raised:
        deltas.extend(chunk.choices[0].delta.content or "" for chunk in raw.parse())

    text = "".join(deltas)
    record = proxy.record(raw.headers["x-nightschool-id"])
    assert "main" in raised.value.message
    assert (record["status"], record["complete"], record["error_type"]) == (200, False, error_type)
    if "after-head" not in model:
        assert text == "The quick"
        assert json.loads(record["response"])["choices"][0]["message"]["content"] == text
    assert healthy(client)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "status"),
    [("hang-before-head", 504), ("reset-before-head", 502), ("close-before-head", 502), ("garbage", 502)],
)
def test_an_upstream_without_an_answer_raises_with_the_right_status(
    client: openai.OpenAI, proxy: RunningProxy, model: str, status: int, stream: bool
) -> None:
    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(model=model, messages=MESSAGES, stream=stream)

    record = proxy.record(raised.value.response.headers["x-nightschool-id"])
    assert (raised.value.status_code, record["status"]) == (status, status)
    assert healthy(client)


def test_invalid_utf8_in_a_stream_neither_stops_it_nor_the_recording(
    client: openai.OpenAI, proxy: RunningProxy
) -> None:
    with client.chat.completions.with_streaming_response.create(
        model="invalid-utf8", messages=MESSAGES, stream=True
    ) as raw:
        body = b"".join(raw.iter_bytes())

    record = proxy.record(raw.headers["x-nightschool-id"])
    assert b"\xff\xfe" in body
    assert body.endswith(b"data: [DONE]\n\n")
    assert (record["status"], record["complete"]) == (200, True)
    assert json.loads(record["response"])["choices"][0]["message"]["content"].endswith("日本語 too 🦊.")
    assert healthy(client)


def test_an_error_event_of_the_upstream_is_passed_on_and_recorded(client: openai.OpenAI, proxy: RunningProxy) -> None:
    raw = client.chat.completions.with_raw_response.create(model="error-event", messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIError, match="failed as it was told"):
        list(raw.parse())

    record = proxy.record(raw.headers["x-nightschool-id"])
    assert record["status"] == 200
    assert record["error_type"] is not None


def test_429_with_retry_after_reaches_the_client_which_waits_and_asks_again(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    upstream.then(too_many_requests("0.2"), Behaviour())
    with openai.OpenAI(base_url=proxy.base_url, api_key="k", max_retries=1) as client:
        assert healthy(client)

    first, second = upstream.seen
    assert second.arrived - first.arrived > 0.2


def test_429_without_retries_carries_every_header(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    upstream.then(too_many_requests("30"))
    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model="plain", messages=MESSAGES)

    headers = raised.value.response.headers
    assert (headers["retry-after"], headers["x-ratelimit-reset-requests"]) == ("30", "1s")
    assert raised.value.request_id == headers["x-request-id"]
    assert raised.value.code == "rate_limit_exceeded"
