"""The rest of a request's body, passed on as the client sends it while the answer is listened for.

An upstream may answer before it has everything (413, 401); what the client still sends then goes nowhere.
"""

from __future__ import annotations

import asyncio
from collections import deque

from nightschool.errors import UpstreamError
from proxy.chunk import chunk
from proxy.client import Client, ClientLeft
from proxy.connection import Connection


async def upload(connection: Connection, client: Client, ahead: deque[bytes], *, chunked: bool) -> None:
    """Send what was read ahead, then what is still to come.

    Returns when the body is complete or the upstream has answered; a client that leaves fails the connection.
    """
    loop = asyncio.get_running_loop()
    pump = loop.create_task(_pump(connection, client, ahead, chunked=chunked))
    answer = loop.create_task(connection.head())
    try:
        await asyncio.wait((pump, answer), return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not pump.done():
            connection.spoil()
        pump.cancel()
        answer.cancel()
        await asyncio.gather(pump, answer, return_exceptions=True)


async def _pump(connection: Connection, client: Client, ahead: deque[bytes], *, chunked: bool) -> None:
    more = True
    try:
        while ahead:
            data = ahead.popleft()
            await connection.upload(chunk(data) if chunked else data)
        while more:
            connection.await_client()
            data, more = await client.read()
            if data:
                await connection.upload(chunk(data) if chunked else data)
        if chunked:
            await connection.upload(b"0\r\n\r\n")
        connection.uploaded()
    except ClientLeft as error:
        connection.fail(error)
    except UpstreamError:
        return  # whoever waits for the head is told
