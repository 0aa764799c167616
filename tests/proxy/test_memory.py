"""Whatever passes through, the worker holds little of it: large bodies stream, and a slow side slows the other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import Behaviour
from tests.raw import RawConnection, ask, chat_request, request
from tests.running import RunningProxy, config_for, running_proxy
from tests.waiting import until

MIB = 1 << 20
PIECE = bytes(range(256)) * 256


@pytest.fixture(scope="module")
def warm(shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    """A proxy that has answered before, so that what it imports late is there."""
    with running_proxy(config_for(shared_upstream.base_url), tmp_path_factory.mktemp("warm")) as proxy:
        for stream in (False, True) * 20:
            ask(proxy.url, chat_request(stream=stream))
        yield proxy


def rss(proxy: RunningProxy) -> int:
    return int(proxy.worker().memory_info().rss)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "application/json"])
def test_an_upload_of_200_mb_grows_the_worker_by_less_than_32_mb(
    warm: RunningProxy, upstream: ScriptedUpstream, chunked: bool, content_type: str
) -> None:
    count = 200 * MIB // len(PIECE)
    before, peak = rss(warm), 0
    framing = ("transfer-encoding", "chunked") if chunked else ("content-length", str(200 * MIB))
    digest = hashlib.sha256()
    with RawConnection(warm.url) as connection:
        connection.send(request("POST", "/v1/files", [("content-type", content_type), framing]))
        for number in range(count):
            digest.update(PIECE)
            connection.send(b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE)
            if number % 100 == 0:
                peak = max(peak, rss(warm))
        if chunked:
            connection.send(b"0\r\n\r\n")
        answer = connection.answer()

    (seen,) = upstream.seen
    assert answer.status == 200
    assert (seen.body_bytes, seen.body_sha256) == (200 * MIB, digest.hexdigest())
    assert max(peak, rss(warm)) - before < 32 * MIB


def test_a_download_of_200_mb_grows_the_worker_by_less_than_32_mb(
    warm: RunningProxy, upstream: ScriptedUpstream
) -> None:
    upstream.then(Behaviour(download_bytes=200 * MIB))
    before, peak, received = rss(warm), 0, 0
    with RawConnection(warm.url) as connection:
        connection.send(request("GET", "/v1/files/x/content"))
        connection.head()
        while received < 200 * MIB:
            received += len(connection.read(4 * MIB))
            peak = max(peak, rss(warm))

    assert peak - before < 32 * MIB


@pytest.mark.parametrize("streamed", [False, True])
def test_a_slow_reader_slows_the_upstream_down(warm: RunningProxy, upstream: ScriptedUpstream, streamed: bool) -> None:
    upstream.then(Behaviour(download_bytes=200 * MIB, deltas=("x" * 100_000,) * 2_000))
    before = rss(warm)
    with RawConnection(warm.url, receive_buffer_bytes=4096) as connection:
        connection.send(chat_request(stream=True) if streamed else request("GET", "/v1/files/x/content"))
        connection.head()
        sent = settled(upstream)

        assert sent < 100 * MIB  # the kernel's own buffers, on both sides of the proxy, may hold tens of MiB
        assert rss(warm) - before < 32 * MIB
        assert connection.read(MIB)


def test_an_upstream_that_does_not_read_slows_the_client_down(warm: RunningProxy, upstream: ScriptedUpstream) -> None:
    before, sent = rss(warm), 0
    head = [("content-type", "application/octet-stream"), ("content-length", str(200 * MIB))]
    with RawConnection(warm.url) as connection:
        connection.socket.settimeout(1.0)
        connection.send(request("POST", "/v1/echo", [*head, ("x-scripted", "stop-reading")]))
        try:
            while sent < 200 * MIB:
                sent += connection.socket.send(PIECE)
        except TimeoutError:
            pass
        assert sent < 64 * MIB
        assert rss(warm) - before < 32 * MIB
        upstream.release()
        connection.socket.settimeout(20.0)
        while sent < 200 * MIB:
            sent += connection.socket.send(PIECE[: 200 * MIB - sent])

        assert connection.answer().json()["body_bytes"] == 200 * MIB


def settled(upstream: ScriptedUpstream) -> int:
    """What the upstream has sent once it has stopped sending."""
    counts = [-1, 0]

    def quiet() -> bool:
        counts.append(upstream.seen[-1].sent_bytes if upstream.seen else 0)
        return counts[-1] > 0 and len(set(counts[-100:])) == 1  # half a second

    until(quiet)
    return counts[-1]
