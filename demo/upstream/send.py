"""An answer -> bytes on a connection: head, framing, encoding, pace, and the fault where the behaviour has one."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterable, Iterator
from http import HTTPStatus

from demo.upstream.behaviour import BEFORE_HEAD, Behaviour, Fault
from demo.upstream.connection import Connection
from demo.upstream.endpoints import Answer, answer_to
from demo.upstream.seen import Seen

Headers = list[tuple[str, str]]
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_WINDOW_BITS = {"gzip": 31, "deflate": 15}


async def send(
    connection: Connection, seen: Seen, behaviour: Behaviour, headers: Headers, *, released: asyncio.Event
) -> None:
    """Answer ``seen``; ``headers`` are those that every answer has, ``released`` ends a hang."""
    answer = answer_to(seen, behaviour)
    for status in behaviour.interim:
        await connection.write(_head(status, [("link", "</style.css>; rel=preload")] if status == 103 else []))
    await asyncio.sleep(behaviour.head_delay_s)
    if behaviour.after == BEFORE_HEAD and not await _go_on(connection, behaviour, released):
        return
    chunked = _chunked(answer, behaviour)
    head = _head(answer.status, [*headers, *_framing_headers(answer, behaviour, chunked=chunked), *behaviour.headers])
    await _write(connection, head, one_by_one_s=behaviour.head_byte_delay_s)
    if seen.method != "HEAD" and not await _send_body(
        connection, answer, behaviour, chunked=chunked, released=released
    ):
        return
    connection.finish()
    if behaviour.close or behaviour.close_idle or behaviour.early or _until_close(behaviour):
        connection.close()


async def _send_body(
    connection: Connection, answer: Answer, behaviour: Behaviour, *, chunked: bool, released: asyncio.Event
) -> bool:
    """Send the body; False when the behaviour's fault has ended the answer."""
    number = -1
    for number, piece in enumerate(_cut(_encoded(answer.pieces, behaviour), behaviour)):
        if number and behaviour.event_delay_s:
            await asyncio.sleep(behaviour.event_delay_s)
        if number == behaviour.after and not await _go_on(connection, behaviour, released):
            return False
        await connection.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if behaviour.cut == "byte":
            await asyncio.sleep(0)
    if number < behaviour.after and not await _go_on(connection, behaviour, released):
        return False
    if chunked:
        trailers = "".join(f"{name}: {value}\r\n" for name, value in behaviour.trailers)
        await connection.write(f"0\r\n{trailers}\r\n".encode())
    return True


async def _go_on(connection: Connection, behaviour: Behaviour, released: asyncio.Event) -> bool:
    """Let the fault happen, where it is one of the connection; False when it was the end of the answer."""
    match behaviour.fault:
        case Fault.HANG:
            await released.wait()
            return True
        case Fault.RESET:
            connection.reset()
        case Fault.CLOSE:
            connection.close()
        case Fault.TRUNCATED_CHUNK:
            await connection.write(b'400\r\ndata: {"id": "cut')
            connection.close()
        case Fault.WRONG_CHUNK_SIZE:
            await connection.write(b"no number\r\nxyz\r\n")
            connection.close()
        case _:
            return True
    return False


def _head(status: int, headers: Headers) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    phrase = _PHRASES.get(status, "Unknown")
    return f"HTTP/1.1 {status} {phrase}\r\n{lines}\r\n".encode("latin-1")


def _until_close(behaviour: Behaviour) -> bool:
    return behaviour.framing == "close"


def _chunked(answer: Answer, behaviour: Behaviour) -> bool:
    if _until_close(behaviour) or answer.status in (204, 304):
        return False
    return answer.length is None or behaviour.framing == "chunked" or bool(behaviour.encoding)


def _framing_headers(answer: Answer, behaviour: Behaviour, *, chunked: bool) -> Headers:
    headers = [("content-type", answer.content_type)] if answer.content_type else []
    if behaviour.encoding:
        headers.append(("content-encoding", behaviour.encoding))
    if chunked:
        headers.append(("transfer-encoding", "chunked"))
    elif answer.length is not None and not _until_close(behaviour):
        headers.append(("content-length", str(answer.length)))
    if behaviour.trailers:
        headers.append(("trailer", ", ".join(name for name, _ in behaviour.trailers)))
    if behaviour.close or behaviour.early or _until_close(behaviour):
        headers.append(("connection", "close"))
    return headers


def _encoded(pieces: Iterable[bytes], behaviour: Behaviour) -> Iterator[bytes]:
    """Each piece can be decoded when it arrives, as servers that compress streams do it."""
    if not behaviour.encoding:
        yield from pieces
        return
    compressor = zlib.compressobj(wbits=_WINDOW_BITS[behaviour.encoding])
    for piece in pieces:
        yield compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH)
    yield compressor.flush()


def _cut(pieces: Iterable[bytes], behaviour: Behaviour) -> Iterable[bytes]:
    match behaviour.cut:
        case "byte":
            return (bytes([byte]) for piece in pieces for byte in piece)
        case "all":
            return iter([b"".join(pieces)])
        case _:
            return (piece for piece in pieces if piece)


async def _write(connection: Connection, data: bytes, *, one_by_one_s: float) -> None:
    if not one_by_one_s:
        await connection.write(data)
        return
    for byte in data:
        await connection.write(bytes([byte]))
        await asyncio.sleep(one_by_one_s)
