"""How an answer passes where one side is slower than the other: everything arrives, and the record knows how it ended.

The upstream here is written byte by byte by the test, and the disk waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from nightschool.config import Config
from nightschool.store import wal
from proxy.application import build_application
from proxy.callers import Callers
from proxy.front import Front
from proxy.journal import Journal, JournalSettings
from proxy.metrics import Metrics
from proxy.runtime import Runtime
from proxy.server import build_server
from tests.proxy.fake_transport import Peer, peer
from tests.proxy.weathered_disk import Disk

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Script = Callable[[asyncio.StreamWriter], Awaitable[None]]

CHAT = json.dumps({"model": "m", "stream": True, "stream_options": {"include_usage": True}, "messages": []}).encode()
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
DELTA = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
LAST = b"0\r\n\r\n"
MIB = 1 << 20


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def post(body: bytes = CHAT) -> bytes:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: proxy\r\ncontent-type: application/json\r\n"
    return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)


@dataclass
class Stage:
    """One proxy between a scripted upstream and the clients of a test."""

    port: int
    front: Front
    upstream: Peer
    folder: Path
    server: uvicorn.Server

    async def connected(self, *, receive_buffer_bytes: int | None = None) -> Streams:
        client = socket.socket()
        if receive_buffer_bytes is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", self.port))
        # A small limit: what the test does not read stays in the socket.
        return await asyncio.open_connection(sock=client, limit=1024)

    @property
    def open_requests(self) -> int:
        return self.front.runtime.metrics.open_requests

    def ends(self) -> list[wal.End]:
        return [wal.decode_end(frame.meta) for frame in self._end_frames()]

    def recorded(self) -> list[bytes]:
        """Answers that are short enough to be in one frame."""
        return [frame.body for frame in self._end_frames()]

    def _end_frames(self) -> list[wal.Frame]:
        frames = (frame for path in sorted(self.folder.glob("*.wal")) for frame in wal.read_frames(path))
        return [frame for frame in frames if frame.kind == wal.END]


@contextlib.asynccontextmanager
async def stage(folder: Path, script: Script, disk: Disk | None = None, fsync: Any = "off") -> AsyncIterator[Stage]:
    """``script`` writes the answer to each request, on a connection that stays open behind it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(length)
            await script(writer)

    disk = disk or Disk()
    journal = Journal(folder, wal.Header, JournalSettings(fsync=fsync), open_file=disk.open_file)
    metrics = Metrics()
    async with peer(answer) as upstream:
        config = Config.model_validate(
            {"data": folder, "upstreams": {"main": {"base_url": f"http://127.0.0.1:{upstream.port}/v1"}}}
        )
        front = Front(Runtime(config, journal=journal, callers=Callers(b"s" * 32), metrics=metrics))
        application = build_application(journal, metrics, draining=lambda: False, redacted=str)
        listener = socket.create_server(("127.0.0.1", 0))
        server = build_server(front, application, drain_s=1.0)
        journal.start()
        looking = asyncio.ensure_future(front.look_after())
        running = asyncio.ensure_future(server.serve(sockets=[listener]))
        await until(lambda: server.started)
        try:
            yield Stage(listener.getsockname()[1], front, upstream, folder, server)
        finally:
            disk.sync_gate.set()
            server.should_exit = True
            await running
            looking.cancel()
            for pool in front.runtime.upstreams.values():
                pool.close()
            await journal.close()


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not fact():
            await asyncio.sleep(0.005)


async def whole_stream(reader: asyncio.StreamReader) -> bytes:
    """The body of an answer in chunks, to its end."""
    body = bytearray()
    async with asyncio.timeout(10):
        await reader.readuntil(b"\r\n\r\n")
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
    return bytes(body)


async def until_closed(proxy: Stage) -> bytes:
    """All that comes for one request before the proxy closes the connection."""
    reader, writer = await proxy.connected()
    writer.write(post())
    answered = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answered


async def nothing_comes(reader: asyncio.StreamReader) -> bool:
    with contextlib.suppress(TimeoutError):
        return not await asyncio.wait_for(reader.read(1), 0.2)
    return True


# -- a client that does not read


class Flood:
    """An answer in events that fills every buffer on the way to a client that does not read."""

    def __init__(self, ending: bytes = chunk(DONE) + LAST) -> None:
        self.event = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % (b"x" * 50_000)
        self.ending = ending
        self.sent = bytearray()
        self.stage: Stage | None = None
        self.over = asyncio.Event()

    async def __call__(self, writer: asyncio.StreamWriter) -> None:
        """Writes until the proxy does not pass anything on, then the end, which the proxy's read-ahead still takes."""
        writer.write(STREAM)
        while not self._proxy_waits():
            writer.write(chunk(self.event))
            self.sent += self.event
            await writer.drain()
            await asyncio.sleep(0.002)
        writer.write(self.ending)
        await writer.drain()
        if not self.ending.endswith(LAST):
            writer.close()
        self.over.set()

    def _proxy_waits(self) -> bool:
        assert self.stage is not None
        pool = self.stage.front.runtime.upstreams["main"]
        return any(connection.has_data for connection in pool._busy)

    @contextlib.asynccontextmanager
    async def before_a_client_that_does_not_read(self, folder: Path, **given: Any) -> AsyncIterator[Streams]:
        async with stage(folder, self, **given) as self.stage:
            reader, writer = await self.stage.connected(receive_buffer_bytes=4096)
            writer.write(post())
            async with asyncio.timeout(20):
                await self.over.wait()
            pool = self.stage.front.runtime.upstreams["main"]
            await until(lambda: all(one.finished or one.failed for one in pool._busy))
            assert self.stage.open_requests == 1
            yield reader, writer
            writer.close()


async def test_a_slow_client_gets_all_of_an_answer_that_has_ended_long_ago(tmp_path: Path) -> None:
    flood = Flood()
    async with flood.before_a_client_that_does_not_read(tmp_path) as (reader, _):
        assert await whole_stream(reader) == flood.sent + DONE

        assert flood.stage is not None
        await until(flood.stage.ends)
        (end,) = flood.stage.ends()
        assert (end.complete, end.error_type) == (True, None)
        assert flood.stage.upstream.connections == 1


async def test_a_slow_client_gets_everything_that_came_before_a_failure_and_is_told_of_it(tmp_path: Path) -> None:
    flood = Flood(ending=chunk(DELTA))
    async with flood.before_a_client_that_does_not_read(tmp_path) as (reader, _):
        body = await whole_stream(reader)

        assert body.startswith(flood.sent + DELTA + b"data: {")
        error = json.loads(body[len(flood.sent + DELTA) + len(b"data: ") :])["error"]
        assert error["type"] == "upstream_broken"
        assert flood.stage is not None
        await until(flood.stage.ends)
        (end,) = flood.stage.ends()
        assert (end.complete, end.error_type) == (False, "upstream_broken")


@pytest.mark.parametrize("fsync", ["off", "always"])
async def test_a_slow_client_that_leaves_has_not_had_an_answer_though_that_had_ended(
    tmp_path: Path, fsync: str
) -> None:
    flood = Flood()
    async with flood.before_a_client_that_does_not_read(tmp_path, fsync=fsync) as (_, writer):
        assert flood.stage is not None
        stage = flood.stage
        writer.transport.abort()
        await until(lambda: stage.open_requests == 0)
        await until(stage.ends)
        (end,) = stage.ends()

        assert (end.complete, end.error_type) == (False, "client_left")


# -- an upstream that fails


@pytest.mark.parametrize("together", [True, False])
async def test_the_last_bytes_before_a_failure_reach_the_client_first(tmp_path: Path, together: bool) -> None:
    async def broken(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM)
        if not together:
            await asyncio.sleep(0.05)
        writer.write(chunk(DELTA))
        writer.close()

    async with stage(tmp_path, broken) as proxy:
        reader, writer = await proxy.connected()
        writer.write(post())
        body = await whole_stream(reader)
        writer.close()

    assert body.startswith(DELTA + b'data: {"error":')
    assert [(end.complete, end.error_type) for end in proxy.ends()] == [(False, "upstream_broken")]


async def test_a_failure_behind_the_last_event_is_none_for_the_client(tmp_path: Path) -> None:
    async def careless(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + chunk(DELTA) + chunk(DONE))
        writer.close()

    async with stage(tmp_path, careless) as proxy:
        reader, writer = await proxy.connected()
        writer.write(post())
        assert await whole_stream(reader) == DELTA + DONE
        writer.close()

    assert [(end.complete, end.error_type) for end in proxy.ends()] == [(True, None)]


async def test_an_answer_of_known_length_that_breaks_off_is_cut_for_the_client_too(tmp_path: Path) -> None:
    async def broken(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{}")
        writer.close()

    async with stage(tmp_path, broken) as proxy:
        answered = await until_closed(proxy)

    assert b"\r\ncontent-length: 10\r\n" in answered
    assert answered.endswith(b"\r\n\r\n{}")
    assert [(end.complete, end.error_type) for end in proxy.ends()] == [(False, "upstream_broken")]


async def test_a_stream_of_known_length_that_breaks_off_leaves_the_clients_connection_in_step(tmp_path: Path) -> None:
    async def broken(writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 100\r\n\r\n"
        writer.write(head + DELTA)
        writer.close()

    async with stage(tmp_path, broken) as proxy:
        reader, writer = await proxy.connected()
        for _ in range(2):
            writer.write(post())
            assert (await whole_stream(reader)).startswith(DELTA + b'data: {"error":')
        writer.close()

    assert [end.error_type for end in proxy.ends()] == ["upstream_broken"] * 2


async def test_a_compressed_stream_that_breaks_off_is_left_short_and_nothing_is_written_into_it(tmp_path: Path) -> None:
    packed = gzip.compress(DELTA)

    async def broken(writer: asyncio.StreamWriter) -> None:
        head = STREAM.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n")
        writer.write(head + chunk(packed))
        writer.close()

    async with stage(tmp_path, broken) as proxy:
        answered = await until_closed(proxy)

    assert answered.endswith(b"\r\n\r\n" + chunk(packed))
    assert [(end.complete, end.error_type) for end in proxy.ends()] == [(False, "upstream_broken")]


# -- whatever its size


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_537, 131_073, 256_000, 256_001, 400_000, 512_000, 3 * MIB])
@pytest.mark.parametrize("chunked", [True, False])
async def test_an_answer_that_comes_at_once_passes_whole_on_a_connection_that_stays(
    tmp_path: Path, size: int, chunked: bool
) -> None:
    body = b"x" * size
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n"
    framed = chunk(body) + LAST if size else LAST
    answer = head + (
        b"transfer-encoding: chunked\r\n\r\n" + framed if chunked else b"content-length: %d\r\n\r\n%b" % (size, body)
    )

    async def at_once(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    async with stage(tmp_path, at_once) as proxy:
        reader, writer = await proxy.connected()
        for _ in range(3):
            writer.write(post())
            if chunked:
                received = await whole_stream(reader)
            else:
                await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
                received = await asyncio.wait_for(reader.readexactly(size), 10)
            assert received == body
        writer.close()
        assert proxy.upstream.connections == 1


# -- fsync: always


async def test_the_end_of_an_answer_waits_for_the_disk_and_nothing_before_it(tmp_path: Path) -> None:
    disk = Disk()
    go_on = asyncio.Event()

    async def in_two(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + chunk(DELTA))
        await go_on.wait()
        writer.write(chunk(DONE) + LAST)

    async with stage(tmp_path, in_two, disk, "always") as proxy:
        disk.sync_gate.clear()
        reader, writer = await proxy.connected()
        writer.write(post())
        async with asyncio.timeout(10):
            await reader.readuntil(DELTA + b"\r\n")
        go_on.set()
        assert await nothing_comes(reader)

        disk.sync_gate.set()
        assert await asyncio.wait_for(reader.readexactly(len(chunk(DONE) + LAST)), 10) == chunk(DONE) + LAST
        (path,) = tmp_path.glob("*.wal")
        assert disk.synced_bytes[path.name] == path.stat().st_size
        assert [end.complete for end in proxy.ends()] == [True]
        writer.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
    ids=["body", "empty", "bodiless"],
)
async def test_of_an_answer_that_is_whole_nothing_is_sent_before_the_disk_has_it(tmp_path: Path, answer: bytes) -> None:
    disk = Disk()

    async def at_once(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    async with stage(tmp_path, at_once, disk, "always") as proxy:
        disk.sync_gate.clear()
        reader, writer = await proxy.connected()
        writer.write(post())
        await until(proxy.ends)
        assert await nothing_comes(reader)

        disk.sync_gate.set()
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).startswith(answer[:12])
        assert await asyncio.wait_for(reader.readexactly(2 if answer.endswith(b"{}") else 0), 10) in answer
        writer.close()


async def test_what_arrives_during_the_sync_follows_it(tmp_path: Path) -> None:
    """The end of the body comes alone, behind the event that is held: nothing arrives after it."""
    disk = Disk()
    held = asyncio.Event()

    async def in_two(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + chunk(DELTA) + chunk(DONE))
        await held.wait()
        writer.write(LAST)

    async with stage(tmp_path, in_two, disk, "always") as proxy:
        disk.sync_gate.clear()
        reader, writer = await proxy.connected()
        writer.write(post())
        await until(proxy.ends)
        held.set()
        pool = proxy.front.runtime.upstreams["main"]
        await until(lambda: all(connection.finished for connection in pool._busy))
        disk.sync_gate.set()

        assert await whole_stream(reader) == DELTA + DONE
        writer.close()


async def test_a_client_that_leaves_during_the_sync_costs_nothing(tmp_path: Path) -> None:
    disk = Disk()

    async def at_once(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + chunk(DELTA) + chunk(DONE) + LAST)

    async with stage(tmp_path, at_once, disk, "always") as proxy:
        disk.sync_gate.clear()
        _, writer = await proxy.connected()
        writer.write(post())
        await until(proxy.ends)
        writer.transport.abort()
        await asyncio.sleep(0.05)
        disk.sync_gate.set()

        reader, writer = await proxy.connected()
        writer.write(post())
        assert await whole_stream(reader) == DELTA + DONE
        await until(lambda: not proxy.front.runtime.upstreams["main"]._busy)
        writer.close()
