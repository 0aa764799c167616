"""A whole small answer of an upstream, for the proxy itself."""

from __future__ import annotations

from typing import NamedTuple

from nightschool.errors import AnswerBroken
from proxy.connection import Headers
from proxy.upstream import UpstreamPool


class Got(NamedTuple):
    status: int
    headers: Headers
    body: bytes


async def get(pool: UpstreamPool, target: bytes, lines: bytes, *, most_bytes: int) -> Got:
    """Ask with the header ``lines``; raises UpstreamError, also for an answer that is larger than expected."""
    connection = await pool.acquire()
    try:
        connection.start(
            b"GET %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (target, pool.host_header, lines),
            b"",
            bodiless=False,
            first_byte_s=pool.timeouts.first_byte_s,
            idle_s=pool.timeouts.idle_s,
        )
        status, headers = await connection.head()
        body = bytearray()
        while not connection.ended:
            body += await connection.read()
            if len(body) > most_bytes:
                raise AnswerBroken(pool.name, f"sent more than {most_bytes} bytes where a short answer was expected")
        return Got(status, headers, bytes(body))
    finally:
        pool.release(connection)
