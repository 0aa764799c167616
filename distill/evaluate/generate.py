"""Cases -> answers of the student's engine: several at a time, kept as they come, none asked for twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle
from typing import Any

import msgspec

from distill.evaluate.answers import REFUSED, Answer, KeptAnswers, read_message
from distill.evaluate.cases import Case
from distill.evaluate.shots import Shot, with_shots
from distill.score.scorer import INVALID_ANSWER, problem
from nightschool.engine.replica import PromptRefused, Replica, ReplicaError, Reply
from nightschool.formats import canonical_tools, served_messages
from nightschool.record import Price

_TRIES = 3
_PAUSE_S = 1.0
_REFUSALS = 5
"""Prompts that are refused one after another before anything was answered: then it is not the prompts."""
_MILLION = 1_000_000


class System(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers: a model of the replicas, and what it is shown first."""

    name: str
    """``base``, ``few_shot``, ``student``, ``live``."""
    model: str
    shots: tuple[Shot, ...] = ()


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What is told to the engine beside the question."""

    max_tokens: int
    stop_token_ids: tuple[int, ...] = ()


class Generator:
    """Puts cases to replicas, in turn."""

    def __init__(
        self, replicas: Sequence[Replica], kept: KeptAnswers, room: Room, *, width: int, price: Price | None
    ) -> None:
        self._replicas = cycle(replicas)
        self._kept = kept
        self._room = room
        self._width = width
        self._price = price
        self._refused = 0
        self._answered = False

    async def answer(self, system: System, cases: Iterable[Case], done: Callable[[], object]) -> None:
        """Have every case answered that is not; ``done`` hears of each one."""
        waiting = self._missing(system, cases, done)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._width):
                    group.create_task(self._work(system, waiting, done))
        except* ReplicaError as errors:
            raise errors.exceptions[0] from None

    def _missing(self, system: System, cases: Iterable[Case], done: Callable[[], object]) -> Iterator[Case]:
        for case in cases:
            if (system.name, case.example) in self._kept:
                done()
            else:
                yield case

    async def _work(self, system: System, waiting: Iterator[Case], done: Callable[[], object]) -> None:
        for case in waiting:
            self._kept.keep(await self._one(system, case))
            done()

    async def _one(self, system: System, case: Case) -> Answer:
        body = body_of(system, case, self._room)
        try:
            reply = await self._patiently(body)
        except PromptRefused as error:
            self._count_refusal(str(error))
            return Answer(system=system.name, example=case.example, message=None, problem=problem(REFUSED, str(error)))
        self._answered = True
        message, fault = read_message(reply.message)
        if reply.finish_reason == "length" and fault is None:
            fault = problem(INVALID_ANSWER, f"cut off after {self._room.max_tokens} tokens")
        return Answer(
            system=system.name,
            example=case.example,
            message=message,
            raw=None if message is not None else str(reply.message.get("content")),
            problem=fault,
            latency_ms=reply.latency_ms,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            cost_usd=self._cost(reply),
        )

    async def _patiently(self, body: dict[str, Any]) -> Reply:
        """Another replica is tried, and after a pause all of them; what is down for longer ends the run."""
        for attempt in range(_TRIES):
            try:
                return await self._in_room(next(self._replicas), body)
            except ReplicaError:
                if attempt == _TRIES - 1:
                    raise
                await asyncio.sleep(_PAUSE_S * attempt)
        raise AssertionError("the last try returns or raises")

    async def _in_room(self, replica: Replica, body: dict[str, Any]) -> Reply:
        """Where prompt and answer do not fit together, the answer gets what room there is."""
        try:
            return await replica.chat(body)
        except PromptRefused as error:
            if "context length" not in str(error) and "max_tokens" not in str(error):
                raise
        return await replica.chat({name: value for name, value in body.items() if name != "max_tokens"})

    def _count_refusal(self, words: str) -> None:
        self._refused += 1
        if self._refused >= _REFUSALS and not self._answered:
            raise ReplicaError(
                f"the engine refuses every prompt: {words}",
                remedy="start vLLM as docs/evaluation.md says: with --enable-auto-tool-choice, --tool-call-parser and "
                "a --max-model-len that the prompts fit into",
            )

    def _cost(self, reply: Reply) -> float | None:
        if self._price is None or reply.prompt_tokens is None or reply.completion_tokens is None:
            return None
        tokens = reply.prompt_tokens * self._price.input + reply.completion_tokens * self._price.output
        return tokens / _MILLION


def body_of(system: System, case: Case, room: Room) -> dict[str, Any]:
    """The request: the question as the application asked it, and greedy decoding.

    ``tool_choice`` is only told where it is none: students are taught the call itself, and an engine that forces one
    writes it in a form of its own.
    """
    question = case.question
    body: dict[str, Any] = {
        "model": system.model,
        "messages": served_messages(with_shots(question.messages, system.shots)),
        "temperature": 0,
        "max_tokens": room.max_tokens,
    }
    if question.tools:
        body["tools"] = canonical_tools(question.tools)
        body["tool_choice"] = "none" if case.tool_choice == "none" else "auto"
    if question.response_format:
        body["response_format"] = question.response_format
    if room.stop_token_ids:
        body["stop_token_ids"] = list(room.stop_token_ids)
    return body
