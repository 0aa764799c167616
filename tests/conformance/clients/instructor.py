"""instructor, in the modes that go through OpenAI's API."""
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

from typing import Any

import instructor
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel, Field

from tests.conformance.asked import MESSAGES, MODEL, Answer, Weather
from tests.conformance.behaviours import Behaviours, raised

behaviour = Behaviours("instructor", "instructor")


class Impossible(BaseModel):
    """What the upstream's answer never satisfies, so that instructor asks again."""

    answer: int = Field(gt=100)


def create(mode: instructor.Mode, wanted: type[BaseModel], **more: Any) -> Any:
    client = instructor.from_openai(OpenAI(), mode=mode)
    return client.chat.completions.create(model=MODEL, messages=MESSAGES, response_model=wanted, **more)


@behaviour
def tools() -> Any:
    answer = create(instructor.Mode.TOOLS, Weather)
    assert answer.model_dump() == Weather(city="Zürich", unit="°C").model_dump()
    return [answer, answer._raw_response]


@behaviour
def json_mode() -> Any:
    answer = create(instructor.Mode.JSON, Answer)
    assert answer.model_dump() == Answer(answer=42).model_dump()
    return answer


@behaviour
def json_schema() -> Any:
    return create(instructor.Mode.JSON_SCHEMA, Answer)


@behaviour
async def tools_async() -> Any:
    client = instructor.from_openai(AsyncOpenAI(), mode=instructor.Mode.TOOLS)
    return await client.chat.completions.create(model=MODEL, messages=MESSAGES, response_model=Weather)


@behaviour
def with_completion() -> Any:
    client = instructor.from_openai(OpenAI(), mode=instructor.Mode.TOOLS)
    return client.chat.completions.create_with_completion(model=MODEL, messages=MESSAGES, response_model=Weather)


@behaviour
def partial_stream() -> Any:
    client = instructor.from_openai(OpenAI(), mode=instructor.Mode.TOOLS)
    pieces = client.chat.completions.create_partial(model=MODEL, messages=MESSAGES, response_model=Weather)
    return [piece.model_dump() for piece in pieces]


@behaviour
def asks_again_when_invalid() -> Any:
    told = raised(lambda: create(instructor.Mode.JSON, Impossible, max_retries=2))
    return told["raised"]


@behaviour
def from_provider() -> Any:
    client = instructor.from_provider(f"openai/{MODEL}")
    return client.chat.completions.create(messages=MESSAGES, response_model=Weather)


if __name__ == "__main__":
    behaviour.run()
