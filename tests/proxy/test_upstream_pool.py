"""Connections are lent, kept and given up; paths and credentials become those of the upstream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from nightschool.config import Timeouts, Upstream
from nightschool.errors import ConnectFailed, ConnectTimedOut, UpstreamTimeout
from proxy.connection import Connection
from proxy.headers import forwarded_lines
from proxy.inquiry import USAGE, Question
from proxy.paths import api_path
from proxy.upstream import MAX_REMEMBERED_MODELS, UpstreamPool
from tests.proxy.fake_transport import a_turn, answering, ask, peer, rest

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def pool_of(base_url: str, *, timeouts: Timeouts | None = None, **settings: Any) -> UpstreamPool:
    given = {"base_url": base_url, **settings}
    return UpstreamPool("main", Upstream.model_validate(given), timeouts or Timeouts(connect_s=0.5), a_turn())


@asynccontextmanager
async def pool_before(*answers: bytes, then_close: bool = False, **settings: Any) -> AsyncIterator[UpstreamPool]:
    async with peer(answering(*(answers or (OK,)), then_close=then_close)) as upstream:
        pool = pool_of(f"http://127.0.0.1:{upstream.port}/v1", **settings)
        yield pool
        pool.close()
        await asyncio.sleep(0.01)


async def used(pool: UpstreamPool) -> Connection:
    """A borrowed connection that has had its answer."""
    connection = await pool.acquire()
    ask(connection)
    await connection.head()
    await rest(connection)
    return connection


async def test_the_connection_that_was_used_last_is_lent_first() -> None:
    async with pool_before() as pool:
        first, second = await used(pool), await used(pool)
        assert first is not second
        pool.release(first)
        pool.release(second)

        assert await pool.acquire() is second
        assert await pool.acquire() is first
        for connection in (first, second):
            pool.release(connection)


async def test_a_connection_that_never_was_used_is_closed_when_it_is_given_back() -> None:
    async with pool_before() as pool:
        connection = await pool.acquire()
        pool.release(connection)
        await asyncio.sleep(0.01)

        assert (connection.usable, pool.open_connections) == (False, 0)


async def test_a_connection_whose_exchange_is_not_over_is_closed_and_not_lent_again() -> None:
    async with pool_before(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this") as pool:
        connection = await pool.acquire()
        ask(connection)
        await connection.head()
        pool.release(connection)

        assert pool.open_connections == 0
        other = await pool.acquire()
        assert other is not connection
        pool.release(other)


async def test_an_answer_that_nobody_took_is_not_left_to_the_next_borrower() -> None:
    async with pool_before() as pool:
        connection = await pool.acquire()
        ask(connection)
        await connection.head()
        while not connection.finished:
            await asyncio.sleep(0.001)
        pool.release(connection)

        assert (connection.usable, pool.open_connections) == (False, 0)


async def test_a_connection_that_idled_too_long_is_not_lent_again() -> None:
    async with pool_before(keepalive_s=0.1) as pool:
        first = await used(pool)
        pool.release(first)
        await asyncio.sleep(0.15)

        second = await pool.acquire()
        assert second is not first
        assert not first.usable
        pool.release(second)


async def test_with_keepalive_0_no_connection_is_lent_twice() -> None:
    async with pool_before(keepalive_s=0.0) as pool:
        first = await used(pool)
        pool.release(first)
        second = await used(pool)
        pool.release(second)

        assert second is not first


async def test_the_look_at_the_clocks_closes_what_idled_too_long_and_only_that() -> None:
    async with pool_before(keepalive_s=0.3) as pool:
        old, young = await used(pool), await used(pool)
        pool.release(old)
        await asyncio.sleep(0.2)
        pool.release(young)
        await asyncio.sleep(0.15)
        pool.look_at_clocks()
        await asyncio.sleep(0.01)

        assert (old.usable, young.usable, pool.open_connections) == (False, True, 1)


@pytest.mark.parametrize(("says", "again"), [(b"timeout=1", False), (b"timeout=60", True)])
async def test_what_an_upstream_says_about_idle_connections_is_heeded(says: bytes, again: bool) -> None:
    answer = b"HTTP/1.1 200 OK\r\nkeep-alive: %b\r\ncontent-length: 0\r\n\r\n" % says
    async with pool_before(answer, keepalive_s=30.0) as pool:
        first = await used(pool)
        pool.release(first)
        second = await pool.acquire()

        assert (second is first) is again
        pool.release(second)


async def test_a_connection_that_the_upstream_closed_meanwhile_is_not_lent_again() -> None:
    async with pool_before(then_close=True) as pool:
        first = await used(pool)
        pool.release(first)
        await asyncio.sleep(0.05)
        second = await used(pool)

        assert second is not first
        pool.release(second)


async def test_beyond_max_connections_a_request_waits_for_a_place() -> None:
    async with pool_before(max_connections=1) as pool:
        first = await used(pool)
        waiting = asyncio.ensure_future(pool.acquire())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        pool.release(first)

        assert await waiting is first
        pool.release(first)


async def test_who_finds_no_place_in_time_is_told_how_many_there_are() -> None:
    async with pool_before(max_connections=2, timeouts=Timeouts(connect_s=0.1)) as pool:
        taken = [await used(pool), await used(pool)]
        with pytest.raises(ConnectTimedOut, match=r"none of 2 connections was free within 0\.1 s"):
            await pool.acquire()
        for connection in taken:
            pool.release(connection)

        pool.release(await used(pool))  # the one who gave up took no place with him


async def test_a_failed_dial_takes_no_place_and_is_remembered_for_a_while() -> None:
    async with peer(answering(OK)) as upstream:
        port = upstream.port
    pool = pool_of(f"http://127.0.0.1:{port}", max_connections=1)
    assert not pool.unreachable

    for _ in range(3):
        with pytest.raises(ConnectFailed, match="cannot connect"):
            await pool.acquire()

    assert pool.unreachable


async def test_a_dial_that_is_called_off_takes_no_place() -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with peer(mute) as upstream:
        pool = pool_of(f"https://127.0.0.1:{upstream.port}", max_connections=1, timeouts=Timeouts(connect_s=0.5))
        dialling = asyncio.ensure_future(pool.acquire())
        await asyncio.sleep(0.1)
        dialling.cancel()
        await asyncio.gather(dialling, return_exceptions=True)

        with pytest.raises(ConnectTimedOut, match="no connection to"):
            await pool.acquire()


async def test_the_look_at_the_clocks_ends_an_exchange_that_is_silent_for_too_long() -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with peer(mute) as upstream:
        pool = pool_of(f"http://127.0.0.1:{upstream.port}")
        connection = await pool.acquire()
        ask(connection, first_byte_s=0.1)
        pool.look_at_clocks()
        asyncio.get_running_loop().call_later(0.15, pool.look_at_clocks)

        with pytest.raises(UpstreamTimeout, match=r"no first byte within 0\.1 s"):
            await connection.head()
        pool.release(connection)
        assert pool.open_connections == 0


async def test_a_closed_pool_closes_what_idles_now_and_what_is_busy_when_it_comes_back() -> None:
    async with pool_before() as pool:
        idle, busy = await used(pool), await used(pool)
        pool.release(idle)
        pool.close()
        await asyncio.sleep(0.01)
        assert (idle.usable, busy.usable) == (False, True)

        pool.release(busy)
        await asyncio.sleep(0.01)
        assert (busy.usable, pool.open_connections) == (False, 0)


# -- where a path leads


def target(pool: UpstreamPool, url: bytes, model: str | None = None) -> bytes:
    raw_path, _, query = url.partition(b"?")
    return pool.target(api_path(raw_path), query, model, raw_path)


@pytest.mark.parametrize(
    ("base_url", "asked", "sent"),
    [
        ("https://api.example/v1", b"/v1/chat/completions", b"/v1/chat/completions"),
        ("https://api.example/v1/", b"/v1/models", b"/v1/models"),
        ("https://api.example/a/b/v2", b"/v1/models/x?limit=2&after=y", b"/a/b/v2/models/x?limit=2&after=y"),
        ("https://api.example", b"/v1/models", b"/models"),
        ("https://api.example/v1", b"/v1/models/a%2Fb%20c", b"/v1/models/a%2Fb%20c"),
        ("https://api.example/v1", b"/v1/models/caf\xc3\xa9", b"/v1/models/caf\xc3\xa9"),
        ("https://api.example/v1", b"/openai/deployments/gpt/chat/completions", b"/v1/chat/completions"),
    ],
)
def test_a_path_is_appended_to_the_base_as_it_came(base_url: str, asked: bytes, sent: bytes) -> None:
    assert target(pool_of(base_url), asked) == sent


@pytest.mark.parametrize(
    ("asked", "model", "sent"),
    [
        (b"/v1/chat/completions", "my gpt/4", b"/openai/deployments/my%20gpt%2F4/chat/completions?api-version=V"),
        (b"/v1/embeddings?x=1", "e", b"/openai/deployments/e/embeddings?x=1&api-version=V"),
        (b"/v1/chat/completions", None, b"/openai/chat/completions?api-version=V"),
        (b"/v1/models", "ignored", b"/openai/models?api-version=V"),
        (b"/v1/files?x-api-version=1", None, b"/openai/files?x-api-version=1&api-version=V"),
        (b"/v1/files?api-version=theirs", None, b"/openai/files?api-version=theirs"),
        (
            b"/openai/deployments/d%20x/chat/completions?api-version=theirs&y=1",
            "other",
            b"/openai/deployments/d%20x/chat/completions?api-version=theirs&y=1",
        ),
        (b"/openai/v1/responses", "m", b"/openai/v1/responses?api-version=V"),
    ],
)
def test_azure_gets_its_own_paths_and_one_api_version(asked: bytes, model: str | None, sent: bytes) -> None:
    pool = pool_of("https://me.openai.azure.example", kind="azure", api_version="2026-05-01")

    assert target(pool, asked, model) == sent.replace(b"=V", b"=2026-05-01")


def test_the_own_headers_bring_the_key_in_the_form_that_the_kind_wants() -> None:
    openai = pool_of("https://api.example/v1", api_key="sk-own", headers={"X-Extra": "1"})
    azure = pool_of("https://me.azure.example", kind="azure", api_version="2026-05-01", api_key="own")
    without = pool_of("https://api.example/v1")

    assert head(openai) == b"x-extra: 1\r\nauthorization: Bearer sk-own\r\n"
    assert head(azure) == b"api-key: own\r\n"
    assert head(without) == b"authorization: Bearer theirs\r\nx-api-key: theirs\r\nx-extra: theirs\r\n"


def head(pool: UpstreamPool) -> bytes:
    """The headers behind ``host`` that the upstream gets from a caller with credentials of its own."""
    theirs = [(b"authorization", b"Bearer theirs"), (b"x-api-key", b"theirs"), (b"x-extra", b"theirs")]
    if pool.config.kind == "azure":
        theirs.pop()
    return forwarded_lines(theirs, pool.replacement)


@pytest.mark.parametrize(
    ("base_url", "host"),
    [("https://api.example/v1", b"api.example"), ("http://127.0.0.1:8000/v1", b"127.0.0.1:8000")],
)
def test_the_host_is_the_upstreams(base_url: str, host: bytes) -> None:
    assert pool_of(base_url).host_header == host


def test_models_that_refuse_a_question_are_remembered_up_to_a_limit() -> None:
    pool = pool_of("https://api.example/v1")
    for number in range(MAX_REMEMBERED_MODELS + 5):
        pool.remember_refusal(USAGE, f"model-{number}")

    assert pool.refuses(USAGE, "model-0")
    assert not pool.refuses(USAGE, None)
    assert not pool.refuses(Question("logprobs", 20), "model-0")
    assert not pool.refuses(USAGE, f"model-{MAX_REMEMBERED_MODELS + 1}")
