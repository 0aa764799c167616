"""The official Python client, asynchronous: what differs from the other in its machinery."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import openai
from openai import AsyncOpenAI

from tests.conformance.asked import MESSAGES, MODEL, QUESTION, WEATHER, Answer, Weather
from tests.conformance.behaviours import Behaviours, headers, raised_async

behaviour = Behaviours("openai (Python, async)", "openai")


async def ask(using: AsyncOpenAI, model: str = MODEL, **more: Any) -> Any:
    return await using.chat.completions.create(model=model, messages=MESSAGES, **more)


async def streamed(using: AsyncOpenAI, model: str = MODEL, **more: Any) -> list[Any]:
    return [chunk async for chunk in await ask(using, model, stream=True, **more)]


@behaviour
async def chat() -> Any:
    async with AsyncOpenAI() as client:
        return await ask(client)


@behaviour
async def chats_at_once() -> Any:
    """Alike, since nobody says in which order they arrive."""
    async with AsyncOpenAI() as client:
        return await asyncio.gather(*(ask(client) for _ in range(16)))


@behaviour
async def streams_at_once() -> Any:
    async with AsyncOpenAI() as client:
        return await asyncio.gather(*(streamed(client) for _ in range(8)))


@behaviour
async def stream_with_usage() -> Any:
    async with AsyncOpenAI() as client:
        return await streamed(client, stream_options={"include_usage": True})


@behaviour
async def stream_that_is_left_early() -> Any:
    async with AsyncOpenAI() as client:
        chunks = await ask(client, "slow", stream=True)
        begun = [await anext(chunks) for _ in range(3)]
        await chunks.close()
        return [begun, await ask(client)]


@behaviour
async def tools() -> Any:
    async with AsyncOpenAI() as client:
        return await ask(client, tools=[WEATHER])


@behaviour
async def stream_of_tools() -> Any:
    async with AsyncOpenAI() as client:
        return await streamed(client, "parallel", tools=[WEATHER])


@behaviour
async def parse() -> Any:
    async with AsyncOpenAI() as client:
        parsed = await client.chat.completions.parse(model=MODEL, messages=MESSAGES, response_format=Answer)
        assert parsed.choices[0].message.parsed == Answer(answer=42)
        return parsed


@behaviour
async def stream_helper() -> Any:
    async with AsyncOpenAI() as client, client.chat.completions.stream(model=MODEL, messages=MESSAGES) as events:
        told = [[event.type, event] async for event in events]
        return [told, await events.get_final_completion()]


@behaviour
async def stream_helper_parses_tools() -> Any:
    tool = openai.pydantic_function_tool(Weather)
    async with AsyncOpenAI() as client:
        completions = client.beta.chat.completions
        async with completions.stream(model=MODEL, messages=MESSAGES, tools=[tool]) as events:
            told = [[event.type, event] async for event in events]
            return [told, await events.get_final_completion()]


@behaviour
async def raw_response() -> Any:
    async with AsyncOpenAI() as client:
        answer = await client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
        return [answer.status_code, headers(answer.headers), answer.text, answer.parse()]


@behaviour
async def streaming_response() -> Any:
    async with AsyncOpenAI() as client:
        create = client.chat.completions.with_streaming_response.create
        async with create(model=MODEL, messages=MESSAGES, stream=True) as answer:
            return [answer.status_code, headers(answer.headers), [line async for line in answer.iter_lines()]]


@behaviour
async def retry_after_is_kept() -> Any:
    async with AsyncOpenAI(max_retries=2) as client:
        begun = time.monotonic()
        answer = await client.chat.completions.with_raw_response.create(model="limited-2", messages=MESSAGES)
        waited_s = time.monotonic() - begun
        assert answer.retries_taken == 2
        assert waited_s >= 2 * 0.3, waited_s
        return [answer.retries_taken, answer.parse()]


@behaviour
async def retries_come_to_an_end() -> Any:
    async with AsyncOpenAI(max_retries=2) as client:
        return await raised_async(ask(client, "rate-limited"))


@behaviour
async def timeout_before_the_answer() -> Any:
    async with AsyncOpenAI(max_retries=1, timeout=0.6) as client:
        return await raised_async(ask(client, "hang-before-head"))


@behaviour
async def timeout_in_a_stream() -> Any:
    async with AsyncOpenAI(max_retries=0, timeout=0.6) as client:
        return await raised_async(streamed(client, "hang"))


@behaviour
async def cancelled_by_its_caller() -> Any:
    async with AsyncOpenAI() as client:
        return [await raised_async(asyncio.wait_for(ask(client, "hang-before-head"), 0.4)), await ask(client)]


@behaviour
async def error_in_a_stream() -> Any:
    async with AsyncOpenAI() as client:
        return await raised_async(streamed(client, "error-event"))


@behaviour
async def upstream_closes_before_its_answer() -> Any:
    async with AsyncOpenAI(max_retries=1) as client:
        return await raised_async(ask(client, "close-before-head"))


@behaviour
async def upstream_breaks_off_a_stream() -> Any:
    async with AsyncOpenAI() as client:
        return await raised_async(streamed(client, "no-last-chunk"))


@behaviour
async def embeddings() -> Any:
    async with AsyncOpenAI() as client:
        return await client.embeddings.create(model=MODEL, input=["one", "two words"])


@behaviour
async def responses_stream_helper() -> Any:
    async with AsyncOpenAI() as client, client.responses.stream(model=MODEL, input=QUESTION) as events:
        told = [[event.type, event] async for event in events]
        return [told, await events.get_final_response()]


@behaviour
async def models() -> Any:
    async with AsyncOpenAI() as client:
        return [model.id async for model in client.models.list()]


if __name__ == "__main__":
    behaviour.run()
