"""A client on a bare connection: one that reads slowly, sends slowly, or leaves in the middle."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import NamedTuple

SMALL_BUFFER_BYTES = 16 << 10
READ_BYTES = 64 << 10
SEND_PIECES = 8


@dataclass(frozen=True, slots=True)
class Manners:
    """What a client does that others do not."""

    read_pause_s: float = 0.0
    send_pause_s: float = 0.0
    leaves_after: int | None = None
    """Bytes of the answer, with its head."""


class RawAnswer(NamedTuple):
    """What came until the connection ended, or the client left."""

    status: int | None
    headers: dict[str, str]
    body: bytes
    whole: bool
    """The body ended as its framing promised."""


async def ask_raw(port: int, path: str, body: bytes, headers: dict[str, str], manners: Manners) -> RawAnswer:
    """One request on a connection of its own."""
    reader, writer = await _connect(port, small=manners.read_pause_s > 0)
    try:
        await _send(writer, _request(path, body, headers), manners.send_pause_s)
        return _parsed(await _received(reader, manners))
    finally:
        # A client that leaves does so at once, with whatever is still on its way.
        writer.transport.abort()


async def _connect(port: int, *, small: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    client = socket.socket()
    client.setblocking(False)
    if small:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
    try:
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
    except BaseException:
        client.close()
        raise
    return await asyncio.open_connection(sock=client, limit=SMALL_BUFFER_BYTES)


def _request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = {"host": "127.0.0.1", "content-type": "application/json", "connection": "close", **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in {**lines, "content-length": str(len(body))}.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


async def _send(writer: asyncio.StreamWriter, data: bytes, pause_s: float) -> None:
    step = -(-len(data) // SEND_PIECES) if pause_s else len(data)
    for begin in range(0, len(data), step):
        writer.write(data[begin : begin + step])
        await writer.drain()
        await asyncio.sleep(pause_s)


async def _received(reader: asyncio.StreamReader, manners: Manners) -> bytes:
    received = bytearray()
    while manners.leaves_after is None or len(received) < manners.leaves_after:
        try:
            data = await reader.read(READ_BYTES)
        except ConnectionResetError:
            break
        if not data:
            break
        received += data
        await asyncio.sleep(manners.read_pause_s)
    return bytes(received)


def _parsed(received: bytes) -> RawAnswer:
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return RawAnswer(None, {}, b"", False)
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "chunked" in headers.get("transfer-encoding", ""):
        return RawAnswer(int(first.split()[1]), headers, *_dechunked(body))
    length = headers.get("content-length")
    return RawAnswer(int(first.split()[1]), headers, body, length is None or len(body) == int(length))


def _dechunked(data: bytes) -> tuple[bytes, bool]:
    body, position = bytearray(), 0
    while (end := data.find(b"\r\n", position)) >= 0:
        size = int(data[position:end], 16)
        if size == 0:
            return bytes(body), True
        body += data[end + 2 : end + 2 + size]
        position = end + 2 + size + 2
    return bytes(body), False
