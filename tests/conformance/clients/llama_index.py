"""LlamaIndex: ``llama-index-llms-openai``, and ``llama-index-llms-openai-like`` for what is no model of OpenAI's."""
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import os
from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI, OpenAIResponses
from llama_index.llms.openai_like import OpenAILike

from tests.conformance.asked import MODEL, QUESTION, Answer, Weather
from tests.conformance.behaviours import Behaviours, raised

MESSAGES = [ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content=QUESTION)]
KNOWN_MODEL = "gpt-4o-mini"
"""LlamaIndex wants a name whose context it knows."""
BASE = {"api_base": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["OPENAI_API_KEY"]}

behaviour = Behaviours("LlamaIndex", "llama-index-llms-openai")
model = OpenAI(model=KNOWN_MODEL, max_retries=2, reuse_client=True, **BASE)


def like(name: str = MODEL, **more: Any) -> OpenAILike:
    settings = {"is_chat_model": True, "is_function_calling_model": True, "max_retries": 0, **BASE, **more}
    return OpenAILike(model=name, **settings)


def get_weather(city: str, unit: str) -> str:
    """The weather in a city."""
    return f"18 {unit} in {city}"


def said(answer: Any) -> Any:
    return [answer.message, answer.raw, answer.delta]


@behaviour
def chat() -> Any:
    return said(model.chat(MESSAGES))


@behaviour
async def achat() -> Any:
    return said(await OpenAI(model=KNOWN_MODEL, **BASE).achat(MESSAGES))


@behaviour
def complete() -> Any:
    answer = model.complete(QUESTION)
    return [answer.text, answer.raw]


@behaviour
def stream_chat() -> Any:
    return [said(piece) for piece in model.stream_chat(MESSAGES)]


@behaviour
async def astream_chat() -> Any:
    return [said(piece) async for piece in await OpenAI(model=KNOWN_MODEL, **BASE).astream_chat(MESSAGES)]


@behaviour
def chat_with_tools() -> Any:
    answer = model.chat_with_tools([FunctionTool.from_defaults(get_weather)], chat_history=MESSAGES)
    calls = model.get_tool_calls_from_response(answer)
    assert calls[0].tool_kwargs == {"city": "Zürich", "unit": "°C"}
    return [said(answer), calls]


@behaviour
def predict_and_call() -> Any:
    answer = model.predict_and_call([FunctionTool.from_defaults(get_weather)], chat_history=MESSAGES)
    assert answer.response == "18 °C in Zürich"
    return answer.response


@behaviour
def stream_chat_with_tools() -> Any:
    tools = [FunctionTool.from_defaults(get_weather)]
    return [said(piece) for piece in model.stream_chat_with_tools(tools, chat_history=MESSAGES)]


@behaviour
def structured() -> Any:
    answer = model.as_structured_llm(Answer).chat(MESSAGES).raw
    assert answer == Answer(answer=42)
    return answer


@behaviour
def structured_by_function() -> Any:
    answer = like(should_use_structured_outputs=False).as_structured_llm(Weather).chat(MESSAGES).raw
    assert answer == Weather(city="Zürich", unit="°C")
    return answer


@behaviour
def responses_api() -> Any:
    return OpenAIResponses(model=KNOWN_MODEL, **BASE).chat(MESSAGES).message


@behaviour
def openai_like() -> Any:
    return said(like().chat(MESSAGES))


@behaviour
def openai_like_streamed() -> Any:
    return [said(piece) for piece in like().stream_chat(MESSAGES)]


@behaviour
def openai_like_completion() -> Any:
    answer = like(is_chat_model=False).complete(QUESTION)
    return [answer.text, answer.raw]


@behaviour
def retries() -> Any:
    return said(like("limited-2", max_retries=2).chat(MESSAGES))


@behaviour
def error() -> Any:
    return raised(lambda: like("status-401").chat(MESSAGES))


if __name__ == "__main__":
    behaviour.run()
