"""Questions to the judge's upstream by OpenAI's client, with the patience that rate limits and bad moments need.

A refusal for good (no key, no such model, no money) ends the run; what was asked is kept. A question that fails
although it was tried again has no answer, and is counted.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

import openai

from distill.judge.ask import JudgeUnavailable, QuestionFailed, Reply
from distill.judge.rubric import SCHEMA
from distill.openai_client import client_of
from distill.score.scorer import Message
from nightschool.config import Judge, Upstream

ANSWER_TOKENS = 1_000
_TRIES = 6
_LONGEST_PAUSE_S = 60.0
_FAILURES_IN_A_ROW = 5
_WAYS: tuple[dict[str, Any], ...] = (
    {"temperature": 0, "response_format": SCHEMA, "max_completion_tokens": ANSWER_TOKENS},
    {"temperature": 0, "response_format": SCHEMA},
    {"temperature": 0},
    {},
)
"""How to ask, from the best way to the one that everything understands."""


class JudgeClient:
    """An upstream as a judge. Use it in one event loop, and close it."""

    def __init__(self, judge: Judge, upstream: Upstream, *, pause_s: float = 1.0) -> None:
        """``pause_s`` is the first pause after a failure; each further one is twice as long."""
        self._judge = judge
        self._pause_s = pause_s
        self._client = client_of(upstream, timeout_s=judge.timeout_s, max_retries=0)
        self._way = 0
        self._not_before = 0.0
        self._failures = 0

    async def close(self) -> None:
        await self._client.close()

    async def __call__(self, messages: list[Message]) -> Reply:
        try:
            reply = await self._patiently(messages)
        except QuestionFailed as error:
            self._failures += 1
            if self._failures >= _FAILURES_IN_A_ROW:
                raise JudgeUnavailable(
                    f"the judge {self._judge.model} failed {self._failures} times in a row: {error}",
                    remedy="run the command again when it is well; nothing that it said is asked twice",
                ) from error
            raise
        self._failures = 0
        return reply

    async def _patiently(self, messages: list[Message]) -> Reply:
        last: openai.APIError | None = None
        for attempt in range(_TRIES):
            await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
            try:
                return await self._in_some_way(messages)
            except (openai.RateLimitError, openai.APIConnectionError, openai.InternalServerError) as error:
                if isinstance(error, openai.RateLimitError) and error.code == "insufficient_quota":
                    raise _refused(self._judge, error) from error
                last = error
                pause = min(_told_pause(error) or self._pause_s * 2**attempt, _LONGEST_PAUSE_S)
                self._not_before = max(self._not_before, time.monotonic() + pause)
            except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
                raise _refused(self._judge, error) from error
            except openai.APIError as error:
                raise QuestionFailed(_words(error)) from error
        raise QuestionFailed(f"{_words(last)}, {_TRIES} times")

    async def _in_some_way(self, messages: list[Message]) -> Reply:
        """What the upstream refuses to understand is left out, from then on; a prompt that it refuses is no reason."""
        for way in range(self._way, len(_WAYS)):
            try:
                reply = await self._once(messages, _WAYS[way])
            except (openai.BadRequestError, openai.UnprocessableEntityError):
                if way == len(_WAYS) - 1:
                    raise
                continue
            self._way = max(self._way, way)
            return reply
        raise AssertionError("there is always a last way")

    async def _once(self, messages: list[Message], way: dict[str, Any]) -> Reply:
        asked: dict[str, Any] = {"model": self._judge.model, "messages": messages, **way}
        answer = await self._client.chat.completions.create(**asked)
        choices = getattr(answer, "choices", None)
        message = choices[0].message if choices else None
        usage = getattr(answer, "usage", None)
        text = getattr(message, "content", None)
        return Reply(
            text if isinstance(text, str) else "",
            getattr(usage, "prompt_tokens", None),
            getattr(usage, "completion_tokens", None),
        )


def _told_pause(error: openai.APIError) -> float | None:
    """Seconds that the upstream asks to wait."""
    headers = error.response.headers if isinstance(error, openai.APIStatusError) else {}
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        with suppress(ValueError):
            return max(0.0, float(headers.get(name, "")) / unit)
    return None


def _refused(judge: Judge, error: openai.APIStatusError) -> JudgeUnavailable:
    return JudgeUnavailable(
        f"the judge {judge.model} of the upstream {judge.upstream!r} cannot be asked: {_words(error)}",
        remedy=f"check the name of the model, and `api_key` of upstreams.{judge.upstream}; verdicts so far are kept",
    )


def _words(error: openai.APIError | None) -> str:
    if isinstance(error, openai.APITimeoutError):
        return "no answer in time"
    text = " ".join(str(error).split())[:200]
    return f"status {error.status_code}: {text}" if isinstance(error, openai.APIStatusError) else text
