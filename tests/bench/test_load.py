"""The generator and the stub upstream, against each other and against servers that answer wrongly."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from bench.proxy import probe, traffic
from bench.proxy.generator import Generator, Upstream
from bench.proxy.load import Job, quantiles_ms, run_job

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pins processes to cores")

CORES = os.sched_getaffinity(0) if sys.platform == "linux" else set()


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    with ExitStack() as stack:
        yield Upstream(stack, cores=CORES, folder=tmp_path)


class Saying(asyncio.Protocol):
    """Answers the requests of a connection with ``answers`` in turn, and closes it when there are no more."""

    def __init__(self, answers: Iterable[bytes], lost: list[asyncio.Future[None]]) -> None:
        self._answers = iter(answers)
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lost.append(self._lost)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        answer = next(self._answers, b"")
        if answer:
            self._transport.write(answer)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost.set_result(None)


@asynccontextmanager
async def server_that_says(*answers: bytes) -> AsyncIterator[int]:
    """Each connection gets the same answers."""
    lost: list[asyncio.Future[None]] = []
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: Saying(answers, lost), "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*lost)


def job(port: int, *, stream: bool = False, exchanges: int = 20, connections: int = 4) -> Job:
    return Job(
        port=port,
        requests=traffic.requests(port, stream=stream),
        answer=b"".join(traffic.stream_events(usage=False)) if stream else traffic.answer(),
        stream=stream,
        connections=connections,
        exchanges=exchanges,
        timeout_s=10,
    )


def test_the_stub_answers_and_streams_what_the_traffic_says(upstream: Upstream) -> None:
    streamed = b"".join(traffic.stream_events(usage=False))

    assert probe.learn_bodies(upstream.port) == (traffic.answer(), streamed)


def test_the_stub_paces_its_streams(upstream: Upstream, tmp_path: Path) -> None:
    with ExitStack() as stack:
        generator = Generator(stack, cores=CORES, folder=tmp_path)
        upstream.pace(10)

        [outcome] = generator.run(job(upstream.port, stream=True, exchanges=8, connections=8))

    assert outcome.exchanges == 8
    assert 0.41 <= outcome.wall_s < 5
    assert upstream.open_streams() == 0


def test_jobs_run_side_by_side_and_count_every_exchange(upstream: Upstream, tmp_path: Path) -> None:
    with ExitStack() as stack:
        generator = Generator(stack, cores=CORES, folder=tmp_path)

        plain, streamed = generator.run(job(upstream.port, exchanges=100), job(upstream.port, stream=True, exchanges=6))

    assert (plain.exchanges, streamed.exchanges) == (100, 6)
    assert generator.answered == {upstream.port: 106}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy", "status 503"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{ }", "a body of 3 bytes that is not the one of 769"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 769\r\n\r\n" + b"x" * 769,
            "a body of 769 bytes that is not the one of 769",
        ),
        (b"", "closed before the answer was complete"),
    ],
)
async def test_a_wrong_answer_fails_the_job(answer: bytes, reason: str) -> None:
    async with server_that_says(answer) as port:
        outcome = await run_job(job(port))

    assert reason in outcome.failure
    assert outcome.exchanges == 0


async def test_an_answer_of_known_length_with_another_body_is_not_taken_for_the_right_one() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 769\r\n\r\n"
    async with server_that_says(head + traffic.answer(), head + traffic.answer()[::-1]) as port:
        outcome = await run_job(job(port, connections=1, exchanges=2))

    assert "a body of 769 bytes that is not the one of 769" in outcome.failure


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b'{"created":1795355309,"id":"a"}', ""),
        (b'{"created":1795355309,"id":"b"}', "is not the one of 10"),
    ],
)
async def test_of_a_proxy_that_dates_its_answers_only_the_date_may_differ(body: bytes, failure: str) -> None:
    async with server_that_says(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)) as port:
        expected = b'{"id":"a"}'
        outcome = await run_job(
            Job(port=port, requests=[b"GET /"], answer=expected, varies=r'"created":\d+,', connections=1, exchanges=1)
        )

    assert failure in outcome.failure
    assert bool(outcome.failure) == bool(failure)


async def test_a_stream_that_lacks_an_event_fails_the_job() -> None:
    body = b"".join(traffic.stream_events(usage=False)[1:])
    async with server_that_says(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)) as port:
        outcome = await run_job(job(port, stream=True))

    assert f"a body of {len(body)} bytes that is not the one of" in outcome.failure


def test_quantiles_are_those_of_the_sorted_times() -> None:
    assert quantiles_ms([n / 1000 for n in range(100, 0, -1)]) == (51.0, 100.0)
    assert quantiles_ms([]) == (0.0, 0.0)
