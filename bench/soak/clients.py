"""The clients of the soak: each kind asks one question in its own way and says what it was told."""

from __future__ import annotations

import importlib
import random
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx
import openai

from bench.soak.question import Question, mark_in
from bench.soak.raw_client import Manners, RawAnswer, ask_raw
from bench.soak.requests import Json, body_of
from bench.soak.told import End, Told
from nightschool.wire import json_text

PATH = "/v1/chat/completions"
PATIENCE_S = 60.0
CONVERSATION = "x-nightschool-conversation"
TAGS = {"x-nightschool-tags": '{"soak": "yes"}'}
CUT_SHORT = ("reset", "no-last-chunk", "truncated-chunk", "hang", "error-event")
_SDK_HTTP = importlib.import_module(openai.DefaultAsyncHttpxClient.__mro__[1].__module__.partition(".")[0])
"""httpx, or httpx2 since version 3 of the official client: errors in the middle of a stream are theirs."""
BROKEN: tuple[type[Exception], ...] = (httpx.HTTPError, _SDK_HTTP.HTTPError)
FAILURES: tuple[type[Exception], ...] = (OSError, *BROKEN, openai.APIError, ValueError)
NO_ANSWER = ("reset-before-head", "close-before-head", "garbage", "hang-before-head", "drop-reused")
ERRORS = ("status-400", "status-429", "status-500")


class Heard(NamedTuple):
    """An answer as far as it came."""

    end: End
    headers: Mapping[str, str]
    status: int | None
    words: str
    detail: str = ""


@dataclass(frozen=True)
class Clients:
    """Two that keep their connections, and the port for those that open their own."""

    port: int
    http: httpx.AsyncClient
    sdk: openai.AsyncOpenAI

    async def ask(self, number: int, roll: random.Random) -> Told:
        """A question of a random kind."""
        name, _, kind = roll.choices(KINDS, [weight for _, weight, _ in KINDS])[0]
        began = time.monotonic()
        question = Question(number)
        try:
            question, answer = kind(self, number, roll)
            heard = await answer
        except FAILURES as error:
            heard = Heard("failed", {}, None, "", f"{type(error).__name__}: {error}")
        return Told(
            name,
            question,
            began,
            time.monotonic(),
            heard.end,
            status=heard.status,
            id=heard.headers.get("x-nightschool-id"),
            target=heard.headers.get("x-nightschool-target"),
            mark=mark_in(heard.words),
            detail=heard.detail,
        )

    async def feedback(self, exchange_id: str) -> bool:
        """Whether the proxy has taken it."""
        body = {"id": exchange_id, "score": 1.0, "comment": f"about {exchange_id}"}
        try:
            answer = await self.http.post("/nightschool/v1/feedback", json=body)
        except httpx.HTTPError:
            return False
        return answer.status_code == 202


Kind = Callable[[Clients, int, random.Random], tuple[Question, Awaitable[Heard]]]


def _plain(manners: tuple[str, ...], **options: bool) -> Kind:
    """With httpx, streamed or not."""

    def kind(clients: Clients, number: int, roll: random.Random) -> tuple[Question, Awaitable[Heard]]:
        question = Question(number, roll.choice(manners))
        return question, _over_httpx(clients, body_of(question, **options), stream=roll.random() < 0.6)

    return kind


def _official(manners: tuple[str, ...], **options: bool) -> Kind:
    """With the official client."""

    def kind(clients: Clients, number: int, roll: random.Random) -> tuple[Question, Awaitable[Heard]]:
        question = Question(number, roll.choice(manners))
        return question, _over_sdk(clients, number, body_of(question, **options), stream=roll.random() < 0.6)

    return kind


def _raw(manners: tuple[str, ...], how: Manners, *, stream: bool, **options: bool) -> Kind:
    """On a connection of its own."""

    def kind(clients: Clients, number: int, roll: random.Random) -> tuple[Question, Awaitable[Heard]]:
        question = Question(number, roll.choice(manners))
        return question, _over_socket(clients, {**body_of(question, **options), "stream": stream}, how)

    return kind


KINDS: tuple[tuple[str, int, Kind], ...] = (
    ("httpx", 20, _plain(("plain", "slow"))),
    ("openai", 20, _official(("plain", "slow"))),
    ("openai, tools", 10, _official(("plain",), tools=True)),
    ("openai, taught", 20, _official(("plain", "slow"), taught=True)),
    ("openai, taught, tools", 10, _official(("plain",), taught=True, tools=True)),
    ("upstream's errors", 6, _plain(ERRORS)),
    ("no answer", 4, _plain(NO_ANSWER)),
    ("cut answer", 5, _plain(CUT_SHORT)),
    ("large question", 1, _plain(("plain",), large=True)),
    ("large answer", 1, _plain(("large",))),
    ("slow reader", 1, _raw(("large",), Manners(read_pause_s=0.05), stream=True)),
    ("slow sender", 1, _raw(("plain",), Manners(send_pause_s=0.1), stream=False, large=True)),
    ("leaves", 5, _raw(("slow", "large"), Manners(leaves_after=1500), stream=True)),
    ("leaves a student", 2, _raw(("slow",), Manners(leaves_after=1500), stream=True, taught=True)),
)
"""Name, how often of a hundred or so, and how it asks."""


async def _over_httpx(clients: Clients, body: Json, *, stream: bool) -> Heard:
    request = clients.http.build_request("POST", PATH, json={**body, "stream": stream}, headers=TAGS)
    answer = await clients.http.send(request, stream=True)
    received = bytearray()
    try:
        async for data in answer.aiter_bytes():
            received += data
    except httpx.HTTPError as error:
        return Heard("cut", answer.headers, answer.status_code, "", f"{type(error).__name__}: {error}")
    finally:
        await answer.aclose()
    return _heard(answer.status_code, answer.headers, bytes(received), whole=True)


async def _over_socket(clients: Clients, body: Json, how: Manners) -> Heard:
    answer: RawAnswer = await ask_raw(clients.port, PATH, json_text.encode(body), TAGS, how)
    if answer.status is None:
        return Heard("left" if how.leaves_after else "failed", {}, None, "", "the connection ended before the head")
    if how.leaves_after and not answer.whole:
        return Heard("left", answer.headers, answer.status, "")
    return _heard(answer.status, answer.headers, answer.body, whole=answer.whole)


def _heard(status: int, headers: Mapping[str, str], body: bytes, *, whole: bool) -> Heard:
    """What a client understands of the bytes."""
    if not whole:
        return Heard("cut", headers, status, "")
    if "text/event-stream" not in headers.get("content-type", ""):
        return Heard("whole", headers, status, _words(json_text.decode(body)))
    events = [line.removeprefix(b"data: ") for line in body.splitlines() if line.startswith(b"data: ")]
    if events[-1:] != [b"[DONE]"]:
        return Heard("error", headers, status, "", repr(events[-1:])[:300])
    return Heard("whole", headers, status, "".join(_words(json_text.decode(event)) for event in events[:-1]))


def _words(said: Any) -> str:
    """Text, arguments of calls, or the message of an error; of an answer or of an event."""
    if "error" in said:
        return str(said["error"]["message"])
    words = []
    for choice in said["choices"]:
        message = choice.get("message") or choice.get("delta") or {}
        words.append(message.get("content") or "")
        words += [call["function"].get("arguments") or "" for call in message.get("tool_calls") or []]
    return "".join(words)


async def _over_sdk(clients: Clients, number: int, body: Json, *, stream: bool) -> Heard:
    headers = {**TAGS, CONVERSATION: f"soak-{number}"}
    raw = await clients.sdk.chat.completions.with_raw_response.create(**body, stream=stream, extra_headers=headers)
    told = dict(raw.headers)
    answer: Any = raw.parse()
    if not stream:
        return Heard("whole", told, raw.status_code, _words(answer.to_dict()))
    words = ""
    try:
        words = await _streamed(answer)
    except openai.APIError as error:  # the event that ends a broken stream
        return Heard("error", told, raw.status_code, "", str(error))
    except BROKEN as error:
        return Heard("cut", told, raw.status_code, "", f"{type(error).__name__}: {error}")
    return Heard("whole", told, raw.status_code, words)


async def _streamed(answer: AsyncIterable[Any]) -> str:
    return "".join([_words(event.to_dict()) async for event in answer])
