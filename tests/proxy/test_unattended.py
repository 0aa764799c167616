"""A later request of a connection is seen through by callbacks; a task looks on only where something is waited for.

Each test asks twice: the first request opens the connection to the upstream, the second is the one that is looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from proxy.exchange import Exchange
from proxy.server import stop_requests
from tests.proxy.test_passing import (
    CHAT,
    DELTA,
    DONE,
    LAST,
    STREAM,
    Stage,
    chunk,
    nothing_comes,
    post,
    stage,
    until,
    whole_stream,
)
from tests.proxy.weathered_disk import Disk

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]
WHOLE = STREAM + chunk(DELTA) + chunk(DONE) + LAST
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Second(NamedTuple):
    """The second request of a connection has been sent."""

    proxy: Stage
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def end(self) -> tuple[bool, str | None]:
        """Of its record."""
        ends = self.proxy.ends()
        assert len(ends) == 2
        return ends[1].complete, ends[1].error_type


@contextlib.asynccontextmanager
async def second(folder: Path, script: Script, *, question: bytes = CHAT, **given: Any) -> AsyncIterator[Second]:
    """``script`` answers the second request, which is ``question``; ``given`` is for the stage."""
    asked = 0

    async def answers(writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            writer.write(WHOLE)
        else:
            await script(writer)

    async with stage(folder, answers, **given) as proxy:
        reader, writer = await proxy.connected()
        writer.write(post())
        assert await whole_stream(reader) == DELTA + DONE
        await until(lambda: proxy.front.runtime.upstreams["main"]._idle)
        writer.write(post(question))
        yield Second(proxy, reader, writer)
        writer.close()


def looking_on() -> list[asyncio.Task[Any]]:
    """Tasks that see an exchange through."""
    names = {Exchange._go_on.__qualname__, Exchange.run.__qualname__}
    coroutines = [(task, task.get_coro()) for task in asyncio.all_tasks()]
    return [task for task, coroutine in coroutines if getattr(coroutine, "__qualname__", "") in names]


async def test_an_answer_that_comes_passes_without_a_task(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def in_two(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + chunk(DELTA))
        await go_on.wait()
        writer.write(chunk(DONE) + LAST)

    async with second(tmp_path, in_two) as (proxy, reader, _):
        await reader.readuntil(DELTA)
        assert looking_on() == []
        go_on.set()
        assert (await reader.readuntil(b"0\r\n\r\n")).endswith(chunk(DONE) + LAST)
        await until(lambda: proxy.open_requests == 0)
        assert [(end.complete, end.error_type) for end in proxy.ends()] == [(True, None)] * 2
        assert proxy.upstream.connections == 1


EVENT = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"\xc3\xa4"}}],"usage":null}\n\n'
USAGE = b'data: {"id":"c","choices":[],"usage":{"total_tokens":3}}\n\n'
PIECES = {
    "event by event": [chunk(EVENT)] * 5,
    "in CRLF": [chunk(EVENT.replace(b"\n", b"\r\n"))] * 3,
    "two at once": [chunk(EVENT), chunk(EVENT) * 2, chunk(EVENT + EVENT), chunk(EVENT)],
    "cut": [chunk(EVENT), chunk(EVENT)[:9], chunk(EVENT)[9:], chunk(EVENT), chunk(EVENT[:30]), chunk(EVENT[30:])],
    "with names": [chunk(b"event: x\n" + EVENT), chunk(EVENT), chunk(b": comment\n\n"), chunk(EVENT)],
    "usage in the middle": [chunk(EVENT), chunk(USAGE), chunk(EVENT)],
}


@pytest.mark.parametrize("done", [[chunk(DONE) + LAST], [chunk(DONE), LAST], [chunk(DONE[:9]), chunk(DONE[9:]) + LAST]])
@pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES)
@pytest.mark.parametrize("asks", [True, False])
async def test_in_whatever_pieces_events_come_client_and_record_have_all_that_is_theirs(
    tmp_path: Path, pieces: list[bytes], done: list[bytes], *, asks: bool
) -> None:
    async def in_pieces(writer: asyncio.StreamWriter) -> None:
        for piece in [STREAM, *pieces, *done]:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.003)

    upstream = asyncio.StreamReader()
    upstream.feed_data(b"".join([STREAM, *pieces, *done]))
    said = await whole_stream(upstream)
    question = CHAT if asks else json.dumps({"model": "m", "stream": True, "messages": []}).encode()
    async with second(tmp_path, in_pieces, question=question) as (proxy, reader, _):
        seen = await whole_stream(reader)
        await until(lambda: proxy.open_requests == 0)

    assert proxy.recorded()[1] == said
    assert seen == (said if asks else said.replace(b',"usage":null', b"").replace(USAGE, b""))


async def test_a_client_that_leaves_before_its_answer_cancels_it_at_the_upstream(tmp_path: Path) -> None:
    gone = asyncio.Event()

    async def silent(writer: asyncio.StreamWriter) -> None:
        await writer.wait_closed()
        gone.set()

    async with second(tmp_path, silent) as asked:
        await until(lambda: asked.proxy.open_requests == 1)
        asked.writer.close()
        await until(lambda: asked.proxy.open_requests == 0)
        await until(lambda: len(asked.proxy.ends()) == 2)
        assert asked.end == (False, "client_left")
        assert asked.proxy.front.runtime.upstreams["main"].open_connections == 0


async def test_a_client_that_leaves_in_the_middle_of_a_stream_is_recorded_as_such(tmp_path: Path) -> None:
    async def half(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + chunk(DELTA))

    async with second(tmp_path, half) as asked:
        await asked.reader.readuntil(DELTA)
        asked.writer.close()
        await until(lambda: asked.proxy.open_requests == 0)
        await until(lambda: len(asked.proxy.ends()) == 2)
        assert asked.end == (False, "client_left")


async def test_an_upstream_that_hangs_up_before_its_answer_is_a_502(tmp_path: Path) -> None:
    async def closes(writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with second(tmp_path, closes) as asked:
        head = await asyncio.wait_for(asked.reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 502 ")
        await until(lambda: len(asked.proxy.ends()) == 2)
        assert asked.end == (False, "upstream_broken")


async def test_a_stream_that_breaks_off_ends_in_an_error_event(tmp_path: Path) -> None:
    async def breaks(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + chunk(DELTA))
        await asyncio.sleep(0.05)
        writer.close()

    async with second(tmp_path, breaks) as asked:
        body = await whole_stream(asked.reader)
        assert body.startswith(DELTA + b"data: {")
        assert json.loads(body[len(DELTA) + 6 :])["error"]["type"] == "upstream_broken"
        assert asked.end == (False, "upstream_broken")


async def test_an_answer_that_is_not_http_is_a_502(tmp_path: Path) -> None:
    async def babbles(writer: asyncio.StreamWriter) -> None:
        writer.write(b"what?\r\n\r\n")

    async with second(tmp_path, babbles) as asked:
        assert (await asyncio.wait_for(asked.reader.readuntil(b"\r\n\r\n"), 10)).startswith(b"HTTP/1.1 502 ")


async def test_the_last_of_an_answer_waits_for_the_disk_where_it_shall(tmp_path: Path) -> None:
    disk = Disk()

    async def closes_the_gate(writer: asyncio.StreamWriter) -> None:
        disk.sync_gate.clear()
        writer.write(PLAIN)

    async with second(tmp_path, closes_the_gate, disk=disk, fsync="always") as asked:
        await until(lambda: not disk.sync_gate.is_set())
        assert await nothing_comes(asked.reader)
        disk.sync_gate.set()
        assert (await asyncio.wait_for(asked.reader.readuntil(b"\r\n\r\n"), 10)).startswith(b"HTTP/1.1 200 ")
        assert await asked.reader.readexactly(2) == b"{}"


async def test_what_still_runs_when_the_proxy_ends_is_recorded_as_stopped(tmp_path: Path) -> None:
    async def half(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + chunk(DELTA))

    async with second(tmp_path, half) as asked:
        await asked.reader.readuntil(DELTA)
        stop_requests(asked.proxy.server)
        await until(lambda: asked.proxy.open_requests == 0)
        await until(lambda: len(asked.proxy.ends()) == 2)
        assert asked.end == (False, "proxy_stopped")


@pytest.mark.parametrize("status", [b"400 Bad Request", b"422 Unprocessable Entity"])
async def test_an_upstream_that_refuses_the_question_for_usage_is_asked_without(tmp_path: Path, status: bytes) -> None:
    asked = 0

    async def refuses_once(writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        refusal = b'{"error":{"message":"unknown field stream_options"}}'
        head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(refusal))
        writer.write(PLAIN if asked == 1 else head + refusal if asked == 2 else WHOLE)

    async with stage(tmp_path, refuses_once) as proxy:
        reader, writer = await proxy.connected()
        writer.write(post(b"{}"))
        await reader.readuntil(b"\r\n\r\n{}")
        await until(lambda: proxy.front.runtime.upstreams["main"]._idle)
        writer.write(post(b'{"model":"m","stream":true}'))
        assert await whole_stream(reader) == DELTA + DONE
        assert (asked, [end.status for end in proxy.ends()]) == (3, [200, 200])
        writer.close()


async def test_a_fault_of_the_proxy_is_a_500_and_the_connection_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def never(writer: asyncio.StreamWriter) -> None:
        raise AssertionError

    async with stage(tmp_path, never) as proxy:
        reader, writer = await proxy.connected()
        routing = proxy.front.runtime.routing
        proxy.front.runtime.routing = None  # type: ignore[assignment]
        for _ in range(2):
            writer.write(post())
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert head.startswith(b"HTTP/1.1 500 ")
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            assert json.loads(await reader.readexactly(length))["error"]["code"] == "proxy_fault"
        proxy.front.runtime.routing = routing
        writer.close()
    assert sum("proxy_fault" in record.message for record in caplog.records) == 2
