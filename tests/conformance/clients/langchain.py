"""LangChain: ``langchain-openai``."""
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from tests.conformance.asked import MODEL, QUESTION, WEATHER, Answer, Weather
from tests.conformance.behaviours import Behaviours, raised, raised_async

MESSAGES = [SystemMessage("Be brief."), HumanMessage(QUESTION)]
UNSAID = {"id"}
"""LangChain draws an id for every message that has none."""

behaviour = Behaviours("LangChain", "langchain-openai")
model = ChatOpenAI(model=MODEL)


def said(message: Any) -> Any:
    return message.model_dump(mode="json", exclude=UNSAID)


@behaviour
def invoke() -> Any:
    return said(model.invoke(MESSAGES))


@behaviour
async def ainvoke() -> Any:
    return said(await ChatOpenAI(model=MODEL).ainvoke(MESSAGES))


@behaviour
def batch() -> Any:
    return [said(answer) for answer in model.batch([MESSAGES] * 4)]


@behaviour
def stream() -> Any:
    chunks = list(model.stream(MESSAGES))
    whole = sum(chunks[1:], start=chunks[0])
    assert isinstance(whole, AIMessageChunk)
    return [[said(chunk) for chunk in chunks], said(whole)]


@behaviour
async def astream() -> Any:
    return [said(chunk) async for chunk in ChatOpenAI(model=MODEL).astream(MESSAGES)]


@behaviour
def stream_with_usage() -> Any:
    chunks = list(ChatOpenAI(model=MODEL, stream_usage=True).stream(MESSAGES))
    assert any(chunk.usage_metadata for chunk in chunks)
    return [said(chunk) for chunk in chunks]


@behaviour
def bind_tools() -> Any:
    answer = model.bind_tools([WEATHER]).invoke(MESSAGES)
    assert answer.tool_calls[0]["args"] == {"city": "Zürich", "unit": "°C"}
    return said(answer)


@behaviour
def bind_tools_to_and_fro() -> Any:
    bound = model.bind_tools([WEATHER])
    called = bound.invoke(MESSAGES)
    return said(bound.invoke([*MESSAGES, called, ToolMessage("18 °C", tool_call_id=called.tool_calls[0]["id"])]))


@behaviour
def bind_tools_streamed() -> Any:
    return [said(chunk) for chunk in ChatOpenAI(model="parallel").bind_tools([WEATHER]).stream(MESSAGES)]


@behaviour
def with_structured_output() -> Any:
    answer = model.with_structured_output(Answer).invoke(MESSAGES)
    assert answer == Answer(answer=42)
    return answer


@behaviour
def with_structured_output_by_function() -> Any:
    answer = model.with_structured_output(Weather, method="function_calling", include_raw=True).invoke(MESSAGES)
    assert answer["parsed"] == Weather(city="Zürich", unit="°C")
    return [said(answer["raw"]), answer["parsed"]]


@behaviour
def with_structured_output_by_json_mode() -> Any:
    return model.with_structured_output(Answer, method="json_mode").invoke(MESSAGES)


@behaviour
def responses_api() -> Any:
    return said(ChatOpenAI(model=MODEL, use_responses_api=True).invoke(MESSAGES))


@behaviour
def responses_api_streamed() -> Any:
    return [said(chunk) for chunk in ChatOpenAI(model=MODEL, use_responses_api=True).stream(MESSAGES)]


@behaviour
def embeddings() -> Any:
    return OpenAIEmbeddings(model=MODEL, check_embedding_ctx_length=False).embed_documents(["one", "two words"])


@behaviour
def retries() -> Any:
    return said(ChatOpenAI(model="limited-2", max_retries=2).invoke(MESSAGES))


@behaviour
def error() -> Any:
    return raised(lambda: ChatOpenAI(model="status-429", max_retries=0).invoke(MESSAGES))


@behaviour
async def timeout() -> Any:
    return await raised_async(ChatOpenAI(model="hang-before-head", timeout=0.6, max_retries=0).ainvoke(MESSAGES))


if __name__ == "__main__":
    behaviour.run()
