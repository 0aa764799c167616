"""The load generator: a process of its own that runs jobs and counts only answers that are right, byte for byte.

Run as ``python -m bench.proxy.load``. A line on stdin is a JSON list of jobs, run side by side; a line on stdout is
the list of their outcomes. Every exchange that was begun is finished before a job ends, so that CPU time read before
and after belongs to those counted.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import re
import sys
import time
from collections.abc import Sequence
from typing import cast

import httptools
import msgspec
import uvloop


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Send ``requests`` in turn over keep-alive connections, one at a time on each, until one of the two
    limits."""

    port: int
    requests: list[bytes]
    answer: bytes
    """The body that every answer must have."""
    stream: bool = False
    varies: str = ""
    """A regular expression of what may differ from answer to answer, such as dates; ``answer`` is without it."""
    connections: int
    seconds: float = 1e9
    exchanges: int = sys.maxsize
    ramp_s: float = 0.0
    """Time over which the connections begin, so that streams do not run in step."""
    timeout_s: float = 60.0
    """How long the last answers may take after the job's end."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a job did. ``failure`` is set when any answer was not as it must be."""

    exchanges: int = 0
    wall_s: float = 0.0
    first_ms: tuple[float, float] = (0.0, 0.0)
    """Median and 99th percentile of the time from the request to the first bytes of the body."""
    failure: str = ""


def without(varies: str, body: bytes) -> bytes:
    """The body without all that matches; the body itself where nothing may differ."""
    return re.sub(varies.encode(), b"", body) if varies else body


class WrongAnswer(Exception):
    """An answer that the bench must not count."""


class Run:
    """The state of one job, shared by its connections."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.known_bytes = 0
        """Length of a whole answer with its head, once one has been parsed and came in one piece."""
        self.first_s: list[float] = []
        self._requests = itertools.cycle(job.requests)
        self._left = job.exchanges
        self._end = time.perf_counter() + job.seconds
        self._busy = job.connections

    def take(self) -> bytes | None:
        """The next request; None when no other exchange may begin."""
        if self._left <= 0 or time.perf_counter() >= self._end:
            return None
        self._left -= 1
        return next(self._requests)

    def check(self, status: int, body: bytes) -> None:
        """End the job when an answer is not the one that must come."""
        expected = self.job.answer
        if status != 200:
            self.fail(f"status {status}: {body[:200]!r}")
        elif body != expected and without(self.job.varies, body) != expected:
            self.fail(f"a body of {len(body)} bytes that is not the one of {len(expected)}: {body[:200]!r}")

    def fail(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(WrongAnswer(reason))

    def idle(self) -> None:
        """A connection has nothing more to do."""
        self._busy -= 1
        if self._busy == 0 and not self.done.done():
            self.done.set_result(None)


class Asking(asyncio.Protocol):
    """One connection that sends the request again as soon as the answer is complete."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._known_answer = None if run.job.stream or run.job.varies else run.job.answer
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._pieces = 0
        self._piece_bytes = 0
        self._asked = 0.0
        self._waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def ask(self) -> None:
        """Begin the next exchange, if there is one."""
        self._pieces = 0
        request = self._run.take()
        self._waiting = request is not None
        if request is None:
            self._run.idle()
        else:
            self._asked = time.perf_counter()
            self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._pieces == 0 and self._is_known(data):
            self._run.first_s.append(time.perf_counter() - self._asked)
            self.ask()
            return
        self._pieces += 1
        self._piece_bytes = len(data)
        self._parser.feed_data(data)

    def _is_known(self, data: bytes) -> bool:
        """Whether this is a whole answer, of the length seen before and with the right status and body."""
        answer = self._known_answer
        return (
            answer is not None
            and len(data) == self._run.known_bytes
            and data.startswith(b"HTTP/1.1 200 ")
            and data.endswith(answer)
        )

    def on_body(self, data: bytes) -> None:
        if not self._body:
            self._run.first_s.append(time.perf_counter() - self._asked)
        self._body.append(data)

    def on_message_complete(self) -> None:
        self._run.check(self._parser.get_status_code(), b"".join(self._body))
        if self._pieces == 1:
            self._run.known_bytes = self._piece_bytes
        self._body = []
        self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting:
            self._run.fail(f"the connection was closed before the answer was complete ({error or 'no error'})")


async def run_job(job: Job) -> Outcome:
    """Connect first, then ask; a wrong answer ends the job and is told."""
    loop = asyncio.get_running_loop()
    run = Run(job)
    connections: list[Asking] = []
    try:
        for _ in range(job.connections):
            _, connection = await loop.create_connection(lambda: Asking(run), "127.0.0.1", job.port)
            connections.append(connection)
        begun = time.perf_counter()
        for number, connection in enumerate(connections):
            loop.call_later(job.ramp_s * number / job.connections, connection.ask)
        await asyncio.wait_for(run.done, min(job.seconds, 600.0) + job.timeout_s)
        wall_s = time.perf_counter() - begun
    except (WrongAnswer, TimeoutError, OSError) as error:
        return Outcome(failure=str(error) or type(error).__name__)
    finally:
        for connection in connections:
            connection.transport.abort()
    return Outcome(exchanges=len(run.first_s), wall_s=wall_s, first_ms=quantiles_ms(run.first_s))


def quantiles_ms(times_s: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile, in milliseconds."""
    ordered = sorted(times_s) or [0.0]
    return ordered[len(ordered) // 2] * 1000, ordered[len(ordered) * 99 // 100] * 1000


async def run_jobs(jobs: Sequence[Job]) -> list[Outcome]:
    """All jobs at once."""
    return await asyncio.gather(*(run_job(job) for job in jobs))


def main() -> None:
    """Answer lines of jobs until stdin is closed."""
    read, write = msgspec.json.Decoder(list[Job]).decode, msgspec.json.encode
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        gc.disable()  # a collection in the middle of a job would show as the proxy's latency
        for line in sys.stdin:
            outcomes = runner.run(run_jobs(read(line)))
            gc.collect()
            print(write(outcomes).decode(), flush=True)


if __name__ == "__main__":
    main()
