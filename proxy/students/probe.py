"""Asks replicas to which nobody is sent whether they are well again, beside the requests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from nightschool.errors import UpstreamError
from proxy.students.breaker import Breakers
from proxy.students.get import get
from proxy.upstream import UpstreamPool

PROBE_EVERY_S = 1.0
PATIENCE_S = 2.0
_MOST_BYTES = 64 * 1024


async def probe(pools: Mapping[str, UpstreamPool], breakers: Breakers) -> None:
    """Once, all whose pause is over at the same time."""
    await asyncio.gather(*(_probe(pools[url], url, breakers) for url in breakers.due() if url in pools))


def health_target(url: str) -> bytes:
    """Beside the API, not below it."""
    return f"{urlsplit(url).path.rstrip('/')}/health".encode()


async def _probe(pool: UpstreamPool, url: str, breakers: Breakers) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            answer = await get(pool, health_target(url), b"", most_bytes=_MOST_BYTES)
    except (UpstreamError, TimeoutError):
        return
    if answer.status == 200:
        breakers.healthy(url)
