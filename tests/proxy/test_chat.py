"""Chat completions by the official client, plain and streamed: what the application sees and what is recorded."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import TEXT, Behaviour, too_many_requests
from tests.proxy.asking import MESSAGES, tagged, tools
from tests.running import RunningProxy


class Answer(BaseModel):
    answer: int


def test_a_plain_answer_arrives_and_is_recorded_in_full(client: openai.OpenAI, proxy: RunningProxy) -> None:
    raw = client.chat.completions.with_raw_response.create(model="plain", messages=MESSAGES, temperature=0.5)
    answer = raw.parse()

    record = proxy.record(raw.headers["x-nightschool-id"])
    assert answer.choices[0].message.content == TEXT
    assert json.loads(record["request"]) == {"model": "plain", "messages": MESSAGES, "temperature": 0.5}
    assert json.loads(record["response"]) == json.loads(raw.content)
    expected = {
        "endpoint": "/chat/completions",
        "method": "POST",
        "status": 200,
        "error_type": None,
        "stream": False,
        "complete": True,
        "model_requested": "plain",
        "model_served": "plain-2026-05-01",
        "upstream": "main",
        "target": "teacher",
        "reason": "default",
        "propensity": 1.0,
        "workload": None,
        "adapter": None,
        "prompt_tokens": 3,
        "completion_tokens": len(Behaviour().deltas),
        "cached_tokens": 0,
        "reasoning_tokens": 0,
        "finish_reason": "stop",
        "system_fingerprint": "fp_scripted",
        "upstream_request_id": answer._request_id,
        "cost_usd": None,
    }
    assert {name: record[name] for name in expected} == expected
    assert 0 <= record["overhead_ms"] <= record["latency_ms"]


def test_a_stream_arrives_and_is_recorded_as_one_message_with_its_usage(
    client: openai.OpenAI, proxy: RunningProxy
) -> None:
    raw = client.chat.completions.with_raw_response.create(model="plain", messages=MESSAGES, stream=True)
    chunks = list(raw.parse())

    record = proxy.record(raw.headers["x-nightschool-id"])
    message = json.loads(record["response"])["choices"][0]["message"]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert all(chunk.usage is None for chunk in chunks)
    assert (message["role"], message["content"]) == ("assistant", TEXT)
    assert (record["stream"], record["complete"], record["finish_reason"]) == (True, True, "stop")
    assert (record["prompt_tokens"], record["completion_tokens"]) == (3, len(Behaviour().deltas))
    assert 0 < record["first_token_ms"] <= record["latency_ms"]
    assert "stream_options" not in json.loads(record["request"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["plain", "parallel"])
def test_tool_calls_arrive_and_are_recorded_the_same_streamed_or_not(
    client: openai.OpenAI, proxy: RunningProxy, tag: str, stream: bool, model: str
) -> None:
    asked: Any = {"model": model, "messages": MESSAGES, "tools": tools("weather", "time"), "extra_headers": tagged(tag)}
    if stream:
        with client.chat.completions.stream(**asked) as events:
            message: Any = events.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(**asked).choices[0].message

    (record,) = proxy.records(tag, 1)
    recorded = json.loads(record["response"])["choices"][0]["message"]["tool_calls"]
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls]
    assert [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in recorded] == calls
    assert [name for _, name, _ in calls] == ["weather", "time", "weather"][: 3 if model == "parallel" else 1]
    assert {arguments for _, _, arguments in calls} == {"".join(Behaviour().arguments)}
    assert record["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("stream", [False, True])
def test_several_choices_are_kept_apart(client: openai.OpenAI, proxy: RunningProxy, tag: str, stream: bool) -> None:
    answer = client.chat.completions.create(
        model="plain", messages=MESSAGES, n=3, stream=stream, extra_headers=tagged(tag)
    )
    if stream:
        list(answer)

    (record,) = proxy.records(tag, 1)
    choices = json.loads(record["response"])["choices"]
    assert [(choice["index"], choice["message"]["content"]) for choice in choices] == [(n, TEXT) for n in range(3)]


def test_a_schema_is_obeyed_and_parsed(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(model="plain", messages=MESSAGES, response_format=Answer)

    assert answer.choices[0].message.parsed == Answer(answer=42)


def test_with_streaming_response_yields_lines_while_they_come(client: openai.OpenAI) -> None:
    with client.chat.completions.with_streaming_response.create(model="plain", messages=MESSAGES, stream=True) as raw:
        lines = [line for line in raw.iter_lines() if line]

    assert raw.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert lines[-1] == "data: [DONE]"
    assert all(line.startswith("data: {") for line in lines[:-1])


async def test_many_at_once_are_each_answered_and_recorded_once(
    proxy: RunningProxy, upstream: ScriptedUpstream, tag: str
) -> None:
    async with openai.AsyncOpenAI(base_url=proxy.base_url, api_key="k", max_retries=0, timeout=30) as client:

        async def ask(number: int) -> tuple[str, str]:
            messages: Any = [{"role": "user", "content": f"number {number}"}]
            raw = await client.chat.completions.with_raw_response.create(
                model="plain", messages=messages, stream=bool(number % 2), extra_headers=tagged(tag)
            )
            answer: Any = raw.parse()
            if number % 2:
                async for _ in answer:
                    pass
            return raw.headers["x-nightschool-id"], f"number {number}"

        asked = await asyncio.gather(*(ask(number) for number in range(60)))

    records = await asyncio.to_thread(proxy.records, tag, 60)
    recorded = [(record["id"], json.loads(record["request"])["messages"][0]["content"]) for record in records]
    assert sorted(recorded) == sorted(asked)


def test_the_client_retries_and_every_try_is_recorded(
    proxy: RunningProxy, upstream: ScriptedUpstream, tag: str
) -> None:
    upstream.then(too_many_requests(), too_many_requests())
    with openai.OpenAI(base_url=proxy.base_url, api_key="k", max_retries=2, timeout=30) as client:
        answer = client.chat.completions.create(model="plain", messages=MESSAGES, extra_headers=tagged(tag))

    records = proxy.records(tag, 3)
    assert answer.choices[0].message.content == TEXT
    assert [seen.header("x-stainless-retry-count") for seen in upstream.seen] == ["0", "1", "2"]
    assert [record["status"] for record in records] == [429, 429, 200]
    assert len({record["id"] for record in records}) == 3


def test_the_proxy_itself_never_repeats_a_request_that_failed(
    client: openai.OpenAI, upstream: ScriptedUpstream
) -> None:
    for status in (429, 500, 503):
        with pytest.raises(openai.APIStatusError):
            client.chat.completions.create(model=f"status-{status}", messages=MESSAGES)

    assert len(upstream.seen) == 3


def test_hints_of_the_upstream_steer_the_clients_retries(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    upstream.then(
        Behaviour(status=500, headers=(("retry-after-ms", "5"), ("x-should-retry", "true"))),
        Behaviour(status=400, headers=(("retry-after-ms", "5"), ("x-should-retry", "true"))),
        Behaviour(status=500, headers=(("x-should-retry", "false"),)),
    )
    with (
        openai.OpenAI(base_url=proxy.base_url, api_key="k", max_retries=5, timeout=30) as client,
        pytest.raises(openai.InternalServerError),
    ):
        client.chat.completions.create(model="plain", messages=MESSAGES)

    assert len(upstream.seen) == 3
