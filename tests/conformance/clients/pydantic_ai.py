"""pydantic-ai, through its models for chat completions and for responses."""
# mypy: disable-error-code="import-not-found, untyped-decorator"

from __future__ import annotations

from typing import Any

from pydantic_ai import Agent, ModelHTTPError, NativeOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel

from tests.conformance.asked import MODEL, QUESTION, Answer, Weather
from tests.conformance.behaviours import Behaviours, raised_async

behaviour = Behaviours("pydantic-ai", "pydantic-ai-slim")


def agent(name: str = MODEL, **more: Any) -> Agent[None, Any]:
    return Agent(OpenAIChatModel(name), instructions="Be brief.", **more)


def parts(run: Any) -> Any:
    """Every part of every message, without the times at which they were made."""
    return [
        {name: getattr(part, name, None) for name in ("part_kind", "content", "tool_name", "args", "tool_call_id")}
        for message in run.all_messages()
        for part in message.parts
    ]


def spent(run: Any) -> Any:
    usage = run.usage() if callable(run.usage) else run.usage
    return [usage.input_tokens, usage.output_tokens, usage.requests]


@behaviour
async def run() -> Any:
    done = await agent().run(QUESTION)
    return [done.output, parts(done), spent(done)]


@behaviour
async def run_stream() -> Any:
    async with agent().run_stream(QUESTION) as done:
        pieces = [piece async for piece in done.stream_text(delta=True, debounce_by=None)]
        return [pieces, parts(done), spent(done)]


@behaviour
async def tool_loop() -> Any:
    asked: list[str] = []
    with_tool = agent()

    @with_tool.tool_plain
    def get_weather(city: str, unit: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return f"18 {unit}"

    done = await with_tool.run(QUESTION)
    assert asked == ["Zürich"]
    return [done.output, parts(done), spent(done)]


@behaviour
async def tool_loop_streamed() -> Any:
    with_tool = agent()

    @with_tool.tool_plain
    def get_weather(city: str, unit: str) -> str:
        """The weather in a city."""
        return f"18 {unit} in {city}"

    async with with_tool.run_stream(QUESTION) as done:
        return [await done.get_output(), parts(done), spent(done)]


@behaviour
async def output_by_tool() -> Any:
    done = await agent(output_type=ToolOutput(Weather)).run(QUESTION)
    assert done.output == Weather(city="Zürich", unit="°C")
    return [done.output, parts(done)]


@behaviour
async def output_by_schema() -> Any:
    done = await agent(output_type=NativeOutput(Answer)).run(QUESTION)
    assert done.output == Answer(answer=42)
    return [done.output, parts(done)]


@behaviour
async def responses_api() -> Any:
    done = await Agent(OpenAIResponsesModel(MODEL)).run(QUESTION)
    return [done.output, parts(done), spent(done)]


@behaviour
async def responses_api_streamed() -> Any:
    async with Agent(OpenAIResponsesModel(MODEL)).run_stream(QUESTION) as done:
        return [await done.get_output(), parts(done), spent(done)]


@behaviour
async def retries() -> Any:
    return (await agent("limited-2").run(QUESTION)).output


@behaviour
async def error() -> Any:
    told = await raised_async(agent("status-403").run(QUESTION))
    assert told["raised"] == ModelHTTPError.__name__
    return told


if __name__ == "__main__":
    behaviour.run()
