"""A client that sends exactly the bytes it is given, and keeps exactly those that come back."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

WAIT_S = 20.0


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """One HTTP answer, with the framing taken off but everything else as it came."""

    status_line: str
    headers: list[tuple[str, str]]
    body: bytes
    whole: bool
    """Whether the body ended as its framing promised."""
    interim: list[int] = field(default_factory=list)
    trailers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.status_line.split()[1])

    def all(self, name: str) -> list[str]:
        """Every value of a header, by its name in lower case."""
        return [value for key, value in self.headers if key.lower() == name]

    def header(self, name: str) -> str | None:
        """The first value of a header, by its name in lower case."""
        return next(iter(self.all(name)), None)

    def json(self) -> Any:
        return json.loads(self.body)


class RawConnection:
    """A socket to the host of ``url``."""

    def __init__(self, url: str, *, receive_buffer_bytes: int | None = None) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.socket = socket.socket()
        if receive_buffer_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.settimeout(WAIT_S)
        try:
            self.socket.connect((parts.hostname, parts.port or 80))
        except OSError:
            self.socket.close()
            raise
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> RawConnection:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes, or fewer at the end of the connection."""
        return self._file.read(size)

    def rest(self) -> bytes:
        """Everything until the connection ends; a reset is an end."""
        received = b""
        try:
            while data := self._file.read1():
                received += data
        except ConnectionResetError:
            pass
        return received

    def answer(self, *, head_only: bool = False) -> RawAnswer:
        """Read one answer; informational ones before it are only counted."""
        interim: list[int] = []
        while True:
            status_line, headers = self.head()
            status = int(status_line.split()[1])
            if status >= 200:
                break
            interim.append(status)
        trailers: list[tuple[str, str]] = []
        if head_only or status in (204, 304):
            return RawAnswer(status_line, headers, b"", True, interim)
        body, whole = self._body(headers, trailers)
        return RawAnswer(status_line, headers, body, whole, interim, trailers)

    def head(self) -> tuple[str, list[tuple[str, str]]]:
        """Read a status line and the headers behind it."""
        status_line = self._line()
        if not status_line.startswith("HTTP/1."):
            raise ConnectionError(f"no HTTP answer came, but {status_line!r}")
        return status_line, list(self._header_lines())

    def chunk(self) -> bytes:
        """Read one chunk; empty at the last one."""
        size = int(self._line(), 16)
        data = self.read(size)
        if size:
            self._line()
        return data

    def _line(self) -> str:
        return self._file.readline().decode("latin-1").rstrip("\r\n")

    def _header_lines(self) -> Iterator[tuple[str, str]]:
        while line := self._line():
            name, _, value = line.partition(":")
            yield name, value.strip()

    def _body(self, headers: list[tuple[str, str]], trailers: list[tuple[str, str]]) -> tuple[bytes, bool]:
        by_name = {name.lower(): value for name, value in headers}
        if "chunked" in by_name.get("transfer-encoding", ""):
            return self._chunked(trailers)
        if "content-length" in by_name:
            size = int(by_name["content-length"])
            try:
                body = self.read(size)
            except ConnectionResetError:
                return b"", False
            return body, len(body) == size
        return self.rest(), True

    def _chunked(self, trailers: list[tuple[str, str]]) -> tuple[bytes, bool]:
        body = b""
        try:
            while (line := self._line()) and (size := int(line.partition(";")[0], 16)):
                data = self.read(size)
                body += data
                if len(data) < size:
                    return body, False
                self._line()
            trailers.extend(self._header_lines() if line else [])
        except (ConnectionResetError, ValueError):
            return body, False
        return body, bool(line)


def request(method: str, target: str, headers: list[tuple[str, str]] | None = None, body: bytes | None = None) -> bytes:
    """The bytes of a request, with ``host`` and, for a body, ``content-length``, unless ``headers`` has a framing."""
    lines = [("host", "localhost"), *(headers or [])]
    framed = any(name.lower() in ("content-length", "transfer-encoding") for name, _ in lines)
    if body is not None and not framed:
        lines.append(("content-length", str(len(body))))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + (body or b"")


def ask(url: str, data: bytes, *, head_only: bool = False) -> RawAnswer:
    """Send ``data`` over a connection of its own and read one answer."""
    with RawConnection(url) as connection:
        connection.send(data)
        return connection.answer(head_only=head_only)


def chat_request(
    model: str = "plain",
    *,
    target: str = "/v1/chat/completions",
    headers: list[tuple[str, str]] | None = None,
    **fields: Any,
) -> bytes:
    """The bytes of a chat completion request."""
    body = {"model": model, "messages": [{"role": "user", "content": "say hello"}], **fields}
    all_headers = [("content-type", "application/json"), ("authorization", "Bearer sk-test"), *(headers or [])]
    return request("POST", target, all_headers, json.dumps(body).encode())
