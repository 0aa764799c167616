"""The proxy in front of a real engine: vLLM with a small model on the CPU, asked by the official client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from demo.engine import Engine, running_engine, why_missing
from tests.running import RunningProxy, config_for, running_proxy

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(600),
    pytest.mark.skipif(why_missing() is not None, reason=why_missing() or ""),
]
MESSAGES: Any = [{"role": "user", "content": "Name three colours."}]
TOOLS: Any = [
    {
        "type": "function",
        "function": {"name": "colour", "parameters": {"type": "object", "properties": {"name": {"type": "string"}}}},
    }
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(log=tmp_path_factory.mktemp("engine") / "engine.log") as engine:
        yield engine


@pytest.fixture(scope="module")
def proxy(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    config = config_for(engine.base_url, prices={engine.model: {"input": 1.0, "output": 2.0}})
    with running_proxy(config, tmp_path_factory.mktemp("proxy")) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: RunningProxy) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=proxy.base_url, api_key="none", max_retries=0, timeout=120) as client:
        yield client


def test_a_stream_and_a_plain_answer_are_recorded_alike(
    client: openai.OpenAI, engine: Engine, proxy: RunningProxy
) -> None:
    asked: Any = {"model": engine.model, "messages": MESSAGES, "max_tokens": 12, "temperature": 0}
    raw_plain = client.chat.completions.with_raw_response.create(**asked)
    raw_stream = client.chat.completions.with_raw_response.create(**asked, stream=True)
    chunks = list(raw_stream.parse())

    records = [proxy.record(raw.headers["x-nightschool-id"]) for raw in (raw_plain, raw_stream)]
    text = raw_plain.parse().choices[0].message.content
    messages = [json.loads(record["response"])["choices"][0]["message"] for record in records]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == text
    assert all(chunk.usage is None for chunk in chunks)
    assert [message["content"] for message in messages] == [text, text]
    for name in ("prompt_tokens", "completion_tokens", "finish_reason", "model_served", "cost_usd", "fingerprint"):
        assert records[0][name] == records[1][name] is not None
    assert records[0]["completion_tokens"] == 12


def test_a_stream_through_the_proxy_has_the_shape_of_a_direct_one(client: openai.OpenAI, engine: Engine) -> None:
    asked: Any = {"model": engine.model, "messages": MESSAGES, "max_tokens": 8, "temperature": 0, "stream": True}
    with openai.OpenAI(base_url=engine.base_url, api_key="none", max_retries=0, timeout=120) as direct:
        shapes = [[shape(chunk) for chunk in asker.chat.completions.create(**asked)] for asker in (direct, client)]

    assert shapes[0] == shapes[1]


def shape(chunk: Any) -> dict[str, Any]:
    """A chunk without what is new in every answer.

    vLLM puts the fingerprint into its last chunk: that of the usage where it is asked for, which is hidden again.
    """
    return {key: value for key, value in chunk.to_dict().items() if key not in ("id", "created", "system_fingerprint")}


def test_log_probabilities_are_recorded_and_an_answer_has_the_shape_of_a_direct_one(
    engine: Engine, tmp_path: Path
) -> None:
    asked: Any = {"model": engine.model, "messages": MESSAGES, "max_tokens": 8, "temperature": 0}
    with (
        running_proxy(config_for(engine.base_url, record={"logprobs": 5, "segment_s": 1.0}), tmp_path) as proxy,
        openai.OpenAI(base_url=engine.base_url, api_key="none", max_retries=0, timeout=120) as direct,
        openai.OpenAI(base_url=proxy.base_url, api_key="none", max_retries=0, timeout=120) as client,
    ):
        streams = [list(each.chat.completions.create(**asked, stream=True)) for each in (direct, client)]
        raw = client.chat.completions.with_raw_response.create(**asked)
        plain = [shape(direct.chat.completions.create(**asked)), shape(raw.parse())]
        record = proxy.record(raw.headers["x-nightschool-id"])

    # The engine may put two tokens into one event, so events are not compared as cut.
    keys = [{key for chunk in stream for key in chunk.choices[0].to_dict()} for stream in streams]
    texts = ["".join(chunk.choices[0].delta.content or "" for chunk in stream) for stream in streams]
    assert (keys[0], texts[0]) == (keys[1], texts[1])
    assert {chunk.choices[0].logprobs for chunk in streams[1]} == {None}
    assert plain[0] == plain[1]
    (found,) = json.loads(record["logprobs"])
    assert len(found["content"]) == record["completion_tokens"] == 8
    assert {len(token["top_logprobs"]) for token in found["content"]} <= {5, 6}  # the chosen one, if it is none of them
    assert json.loads(record["response"])["choices"][0]["logprobs"] is None


def test_tools_and_schema_are_recorded(client: openai.OpenAI, engine: Engine, proxy: RunningProxy) -> None:
    asked: Any = {"model": engine.model, "messages": MESSAGES, "max_tokens": 8, "temperature": 0}
    raw = client.chat.completions.with_raw_response.create(**asked, tools=TOOLS, tool_choice="auto")
    record = proxy.record(raw.headers["x-nightschool-id"])

    assert json.loads(record["request"])["tools"] == TOOLS
    assert json.loads(record["response"]) == json.loads(raw.content)


def test_an_error_of_the_engine_reaches_the_client(client: openai.OpenAI, proxy: RunningProxy) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="no-such-model", messages=MESSAGES)

    record = proxy.record(raised.value.response.headers["x-nightschool-id"])
    assert (record["status"], record["model_requested"]) == (404, "no-such-model")


def test_leaving_a_stream_frees_the_engine(client: openai.OpenAI, engine: Engine, proxy: RunningProxy) -> None:
    stream = client.chat.completions.with_raw_response.create(
        model=engine.model, messages=MESSAGES, max_tokens=1500, stream=True, extra_body={"ignore_eos": True}
    )
    events = iter(stream.parse())
    next(events)
    stream.parse().response.close()

    record = proxy.record(stream.headers["x-nightschool-id"])
    assert record["complete"] is False
    assert client.models.list().data[0].id == engine.model
