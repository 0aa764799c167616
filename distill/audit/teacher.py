"""The teacher, asked in the background what a student has answered; what it says becomes an exchange of its own."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple, Self

import httpx
import openai

from distill.audit.sample import Sampled
from distill.openai_client import client_of
from nightschool.config import Config
from nightschool.errors import NightschoolError
from nightschool.prices import prices_of
from nightschool.record import Record, id_text, new_id
from nightschool.store import wal
from nightschool.store.exchange import to_record
from nightschool.wire import json_text
from nightschool.wire.redact import Redactor

REASON = "audit"
AT_ONCE = 4
_FAILURES_IN_A_ROW = AT_ONCE
"""Each after ``_TRIES``: then it is not the questions."""
_TRIES = 3
_TIMEOUT_S = 120.0
_OF_STREAMS = ("stream", "stream_options")


class TeacherUnavailable(NightschoolError):
    """Nobody can be asked beside the students."""


class TeacherRefuses(TeacherUnavailable):
    """It will not be better in a minute: it wants another key."""


class Asked(NamedTuple):
    """What came of it: a record, or why there is none."""

    record: Record | None = None
    problem: str | None = None
    failure: TeacherUnavailable | None = None
    """It was not this question that failed: it is to be asked again."""


class Teacher:
    """The upstream of one workload. Use it in one event loop, as a context."""

    def __init__(self, config: Config, workload: str) -> None:
        self._workload = workload
        self._name = config.workloads[workload].teacher or config.default_upstream
        self._who = f"the teacher of {workload}, upstream {self._name!r},"
        self._prices = prices_of(config)
        self._redactor = Redactor([(rule.pattern, rule.replacement) for rule in config.record.redact])
        self._client = client_of(config.upstreams[self._name], timeout_s=_TIMEOUT_S, max_retries=_TRIES - 1)
        self._answers = 0
        self._failures = 0
        """One after another."""
        self._gone: TeacherUnavailable | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.close()

    async def ask_all(self, sampled: Sequence[Sampled], keep: Callable[[Record], object]) -> list[Asked]:
        """In their order; ``keep`` hears of every answer as it comes. One that is unwell is not asked all of it.

        A question that fails where others are answered has itself to blame: else it would be in the way for ever.
        """
        turn = asyncio.Semaphore(AT_ONCE)

        async def in_turn(each: Sampled) -> Asked:
            async with turn:
                if self._gone is not None:
                    return Asked(failure=self._gone)
                asked = await self._counted(each)
            if asked.record is not None:
                keep(asked.record)
            return asked

        found = await asyncio.gather(*(in_turn(each) for each in sampled))
        if self._gone is not None or not self._answers:
            return found
        return [each if each.failure is None else Asked(problem=f"failed: {each.failure.problem}") for each in found]

    async def _counted(self, sampled: Sampled) -> Asked:
        try:
            asked = await self._ask(sampled)
        except TeacherUnavailable as failure:
            self._failures += 1
            if self._failures >= _FAILURES_IN_A_ROW or isinstance(failure, TeacherRefuses):
                self._gone = failure
            return Asked(failure=failure)
        self._failures = 0
        self._answers += 1
        return asked

    async def _ask(self, sampled: Sampled) -> Asked:
        try:
            body = json_text.decode(sampled.request.encode())
        except ValueError as error:
            return Asked(problem=f"no_request: {error}")
        body = {name: value for name, value in body.items() if name not in _OF_STREAMS}
        begin = asyncio.get_running_loop().time()
        try:
            response = await self._client.post("/chat/completions", body=body, cast_to=httpx.Response)
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise TeacherRefuses(
                f"{self._who} cannot be asked: status {error.status_code}",
                remedy=f"give upstreams.{self._name} a good api_key of its own, or set promote: {{audit: 0}}",
            ) from error
        except openai.APIStatusError as error:
            if error.status_code == 429 or error.status_code >= 500:
                raise TeacherUnavailable(
                    f"{self._who} answers with status {error.status_code}",
                    remedy="the audit goes on when it is well",
                ) from error
            return Asked(problem=f"refused: status {error.status_code}")
        except openai.APIError as error:
            raise TeacherUnavailable(
                f"{self._who} gives no answer: {error}",
                remedy="the audit goes on when it is well",
            ) from error
        latency_us = int((asyncio.get_running_loop().time() - begin) * 1e6)
        return Asked(self._record(sampled, json_text.encode(body), response, latency_us))

    def _record(self, sampled: Sampled, body: bytes, response: httpx.Response, latency_us: int) -> Record:
        """Its id is made of the student's exchange: asked again after a kill, it is the same exchange."""
        time_us, identity = sampled.time_us, _identity(sampled)
        request = wal.Request(
            id=identity,
            time_us=time_us,
            endpoint="/chat/completions",
            content_type="application/json",
            workload=self._workload,
            conversation=sampled.conversation,
            reason=REASON,
            upstream=self._name,
            tags=sampled.tags,
            fingerprint=sampled.fingerprint,
        )
        end = wal.End(
            id=identity,
            status=response.status_code,
            content_type=response.headers.get("content-type", ""),
            upstream_request_id=response.headers.get("x-request-id"),
            latency_us=latency_us,
        )
        redacted = self._redactor.json
        return to_record(request, redacted(body), end, redacted(response.content), self._prices)


def audit_id(sampled: Sampled) -> str:
    """Of the exchange in which the teacher is asked what this student was asked."""
    return id_text(_identity(sampled))


def _identity(sampled: Sampled) -> bytes:
    return new_id(sampled.time_us, hashlib.sha256(f"{REASON}\n{sampled.id}".encode()).digest()[:10])
