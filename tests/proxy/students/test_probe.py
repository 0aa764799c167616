"""Replicas that are sent nobody are asked for their health until they are well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nightschool.config import Timeouts, Upstream
from proxy.students.breaker import Breakers
from proxy.students.probe import health_target, probe
from proxy.upstream import UpstreamPool
from tests.json_server import JsonHandler, serving
from tests.proxy.fake_transport import a_turn


class Sick(JsonHandler):
    """Says 503 until it is told to be well."""

    status = 503
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send(self.status, {})


@pytest.fixture
def sick() -> Iterator[tuple[type[Sick], str]]:
    handler: Any = type("Handler", (Sick,), {"asked": []})
    with serving(handler) as url:
        yield handler, url


def pool_of(url: str) -> UpstreamPool:
    return UpstreamPool(url, Upstream(base_url=f"{url}/v1"), Timeouts(connect_s=1.0), a_turn(), direct=True)


async def test_only_one_that_says_that_it_is_well_is_tried_again(sick: tuple[type[Sick], str]) -> None:
    handler, url = sick
    breakers, pool = Breakers(iter(float(second) for second in range(0, 1000, 10)).__next__), pool_of(url)
    breakers.failed(url, "fallback_connect")

    await probe({url: pool}, breakers)
    assert breakers.is_open(url)
    handler.status = 200
    await probe({url: pool}, breakers)

    assert breakers.available(url)
    assert handler.asked == ["/health", "/health"]
    await probe({url: pool}, breakers)
    assert len(handler.asked) == 2
    pool.close()


async def test_one_that_cannot_be_reached_stays_open() -> None:
    url = "http://127.0.0.1:9"
    breakers, pool = Breakers(iter(float(second) for second in range(0, 1000, 10)).__next__), pool_of(url)
    breakers.failed(url, "fallback_connect")

    await probe({url: pool}, breakers)

    assert breakers.is_open(url)


async def test_replicas_are_reached_without_the_environments_http_proxy(
    sick: tuple[type[Sick], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler, url = sick
    handler.status = 200
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    breakers, pool = Breakers(iter(float(second) for second in range(0, 1000, 10)).__next__), pool_of(url)
    breakers.failed(url, "fallback_connect")

    await probe({url: pool}, breakers)

    assert breakers.available(url)
    pool.close()


def test_health_lies_beside_the_api() -> None:
    assert health_target("http://gpu-1:8000") == b"/health"
    assert health_target("http://gateway/replica-1/") == b"/replica-1/health"
