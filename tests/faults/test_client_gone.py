"""A client that leaves: within a second the upstream is told to stop, and the record says that the answer was cut."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import Behaviour
from tests.raw import RawConnection, ask, chat_request, request
from tests.running import RunningProxy, config_for, running_proxy
from tests.waiting import until

Leave = Callable[[RawConnection], None]


def by_closing(connection: RawConnection) -> None:
    connection.close()


def by_resetting(connection: RawConnection) -> None:
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.fixture
def proxy(upstream: ScriptedUpstream, tmp_path: Path) -> Iterator[RunningProxy]:
    with running_proxy(config_for(upstream.base_url), tmp_path) as proxy:
        yield proxy


def assert_cancelled(upstream: ScriptedUpstream, left: float) -> None:
    until(lambda: upstream.seen and upstream.open_answers == 0)
    cancelled = upstream.seen[-1].cancelled
    assert cancelled is not None
    assert cancelled - left < 1.0


@pytest.mark.parametrize("leave", [by_closing, by_resetting])
@pytest.mark.parametrize("model", ["hang", "hang-after-head", "slow"])
def test_leaving_in_the_middle_of_a_stream(
    proxy: RunningProxy, upstream: ScriptedUpstream, leave: Leave, model: str
) -> None:
    connection = RawConnection(proxy.url)
    connection.send(chat_request(model, stream=True))
    exchange_id = dict(connection.head()[1])["x-nightschool-id"]
    if model != "hang-after-head":
        connection.chunk()
    left = time.monotonic()
    leave(connection)

    assert_cancelled(upstream, left)
    record = proxy.record(exchange_id)
    assert (record["complete"], record["error_type"]) == (False, "client_left")
    assert proxy.metric("nightschool_open_requests") == 0


@pytest.mark.parametrize("leave", [by_closing, by_resetting])
@pytest.mark.parametrize("stream", [False, True])
def test_leaving_before_there_is_an_answer(
    proxy: RunningProxy, upstream: ScriptedUpstream, leave: Leave, stream: bool
) -> None:
    connection = RawConnection(proxy.url)
    connection.send(chat_request("hang-before-head", stream=stream))
    until(lambda: upstream.open_answers == 1)
    left = time.monotonic()
    leave(connection)

    assert_cancelled(upstream, left)
    until(lambda: proxy.rows("SELECT complete, error_type, status FROM exchanges"))
    (record,) = proxy.rows("SELECT complete, error_type, status FROM exchanges")
    assert record == {"complete": False, "error_type": "client_left", "status": None}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("prompt_bytes", [20_000, 100_000, 500_000, 5_000_000])
def test_leaving_behind_a_long_prompt(
    proxy: RunningProxy, upstream: ScriptedUpstream, prompt_bytes: int, stream: bool
) -> None:
    connection = RawConnection(proxy.url)
    messages = [{"role": "user", "content": "x" * prompt_bytes}]
    connection.send(chat_request(headers=[("x-scripted", "hang-before-head")], messages=messages, stream=stream))
    until(lambda: upstream.seen and upstream.seen[0].body_complete)
    left = time.monotonic()
    by_closing(connection)

    assert_cancelled(upstream, left)
    until(lambda: proxy.rows("SELECT complete, error_type FROM exchanges WHERE error_type IS NOT NULL"))
    (record,) = proxy.rows("SELECT complete, error_type, status FROM exchanges")
    assert record == {"complete": False, "error_type": "client_left", "status": None}


@pytest.mark.parametrize("file_bytes", [100_000, 5_000_000])
def test_leaving_behind_an_upload(proxy: RunningProxy, upstream: ScriptedUpstream, file_bytes: int) -> None:
    connection = RawConnection(proxy.url)
    headers = [("content-type", "application/octet-stream"), ("x-scripted", "hang-before-head")]
    connection.send(request("POST", "/v1/files", headers, bytes(file_bytes)))
    until(lambda: upstream.seen and upstream.seen[0].body_complete)
    left = time.monotonic()
    by_closing(connection)

    assert_cancelled(upstream, left)


@pytest.mark.parametrize("waiting", [1, 5])
@pytest.mark.parametrize("leave", [by_closing, by_resetting])
def test_leaving_while_more_requests_wait_for_the_answer(
    proxy: RunningProxy, upstream: ScriptedUpstream, leave: Leave, waiting: int
) -> None:
    connection = RawConnection(proxy.url)
    connection.send(chat_request("hang-before-head") + chat_request() * waiting)
    until(lambda: upstream.open_answers == 1)
    left = time.monotonic()
    leave(connection)

    assert_cancelled(upstream, left)
    until(lambda: proxy.rows("SELECT complete FROM exchanges WHERE error_type IS NOT NULL"))
    (record,) = proxy.rows("SELECT complete, error_type FROM exchanges")
    assert record == {"complete": False, "error_type": "client_left"}
    assert len(upstream.seen) == 1


def test_leaving_in_the_middle_of_an_upload(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    connection = RawConnection(proxy.url)
    headers = [("content-type", "application/octet-stream"), ("content-length", "10000000")]
    connection.send(request("POST", "/v1/files", headers) + bytes(1_000_000))
    until(lambda: upstream.seen and upstream.seen[0].body_bytes > 500_000)
    left = time.monotonic()
    by_closing(connection)

    assert_cancelled(upstream, left)
    assert not upstream.seen[0].body_complete


def test_leaving_without_reading_a_large_answer(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    upstream.then(Behaviour(download_bytes=500_000_000))
    connection = RawConnection(proxy.url, receive_buffer_bytes=4096)
    connection.send(request("GET", "/v1/files/x/content"))
    connection.head()
    left = time.monotonic()
    by_closing(connection)

    assert_cancelled(upstream, left)


def test_a_client_that_reads_to_the_end_and_leaves_has_had_its_answer(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    """The official client closes as soon as it has ``[DONE]``, without waiting for the last chunk."""
    for _ in range(20):
        with RawConnection(proxy.url) as connection:
            connection.send(chat_request(stream=True))
            exchange_id = dict(connection.head()[1])["x-nightschool-id"]
            received = b""
            while b"[DONE]" not in received:
                received += connection.chunk()
        assert proxy.record(exchange_id)["complete"] is True


def test_leaving_just_as_the_answer_is_complete_leaves_a_worker_that_answers(proxy: RunningProxy) -> None:
    for number in range(300):
        connection = RawConnection(proxy.url)
        connection.send(chat_request())
        time.sleep(number % 10 / 2000)  # around the moment at which the answer is there
        by_resetting(connection)

    until(lambda: proxy.metric("nightschool_open_requests") == 0)
    assert ask(proxy.url, chat_request()).status == 200
