"""A request is out of memory once it has ended, with its body and its connections, and waits for no collector.

The worker's collector comes seldom, so what only it would free adds up: with every closed connection, and while an
upstream fails with every request.
"""

from __future__ import annotations

import contextlib
import gc
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.scripted_upstream import ScriptedUpstream, upstream_in_thread
from demo.upstream.behaviour import BEFORE_HEAD, Behaviour, Fault
from proxy.body import RequestBody
from proxy.client import Client
from proxy.entry import Entry
from proxy.exchange import Exchange
from proxy.relay import Relay
from proxy.request_head import RequestHead
from proxy.server import FrontProtocol
from proxy.student_attempt import StudentAttempt
from tests.proxy.student_proxy import student_proxy
from tests.proxy.student_replica import said
from tests.raw import RawConnection, chat_request
from tests.waiting import until

OF_A_REQUEST = {FrontProtocol, RequestHead, Client, RequestBody, Entry, Exchange, Relay, StudentAttempt}
BROKEN = Behaviour(status=500)
CUT = Behaviour(fault=Fault.CLOSE)
CUT_BEFORE_ITS_HEAD = Behaviour(fault=Fault.CLOSE, after=BEFORE_HEAD)
SLOW = Behaviour(event_delay_s=0.05)


@pytest.fixture(scope="module")
def replica() -> Iterator[ScriptedUpstream]:
    with upstream_in_thread() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def teacher() -> Iterator[ScriptedUpstream]:
    with upstream_in_thread() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def nobody() -> str:
    """A URL that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def left_of_requests() -> list[str]:
    return sorted(type(known).__name__ for known in gc.get_objects() if type(known) in OF_A_REQUEST)


def ask(url: str, request: bytes) -> None:
    """See the answer to its end, or to where it is cut."""
    with RawConnection(url) as connection, contextlib.suppress(ConnectionError, AssertionError, ValueError):
        connection.send(request)
        connection.answer()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("student", "answer"),
    [
        (said("Bern"), Behaviour()),
        (BROKEN, Behaviour()),
        (CUT_BEFORE_ITS_HEAD, Behaviour()),
        (CUT_BEFORE_ITS_HEAD, BROKEN),
        (CUT_BEFORE_ITS_HEAD, CUT),
        (CUT_BEFORE_ITS_HEAD, CUT_BEFORE_ITS_HEAD),
    ],
)
def test_a_request_is_freed_whatever_student_and_teacher_do(
    tmp_path: Path,
    replica: ScriptedUpstream,
    teacher: ScriptedUpstream,
    student: Behaviour,
    answer: Behaviour,
    stream: bool,
) -> None:
    replica.forget()
    teacher.forget()
    with student_proxy(tmp_path, teacher.base_url, replica.url) as proxy:
        for _ in range(2):
            replica.then(student)
            teacher.then(answer)
            ask(proxy.url, chat_request(stream=stream))
        assert len(replica.seen) == 2

        until(lambda: not left_of_requests(), what="every request is freed")


@pytest.mark.usefixtures("no_collector")
def test_a_request_is_freed_when_nobody_can_be_reached(tmp_path: Path, nobody: str) -> None:
    with student_proxy(tmp_path, nobody, nobody.removesuffix("/v1")) as proxy:
        ask(proxy.url, chat_request())
        assert proxy.failures() == {"fallback_connect": 1}

        until(lambda: not left_of_requests(), what="every request is freed")


@pytest.mark.usefixtures("no_collector")
def test_a_request_is_freed_when_it_is_refused(tmp_path: Path, nobody: str) -> None:
    with student_proxy(tmp_path, nobody) as proxy:
        ask(proxy.url, chat_request(headers=[("x-nightschool-target", "nobody")]))

        until(lambda: not left_of_requests(), what="every request is freed")


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("student", [SLOW, CUT_BEFORE_ITS_HEAD])
def test_a_request_is_freed_when_its_client_leaves(
    tmp_path: Path, replica: ScriptedUpstream, teacher: ScriptedUpstream, student: Behaviour
) -> None:
    replica.forget()
    teacher.forget()
    replica.then(student)
    teacher.then(SLOW)
    with student_proxy(tmp_path, teacher.base_url, replica.url) as proxy:
        with RawConnection(proxy.url) as connection:
            connection.send(chat_request(stream=True))
            connection.head()
            assert "Exchange" in left_of_requests()

        until(lambda: not left_of_requests(), what="every request is freed")
