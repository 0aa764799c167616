"""Open a connection to an upstream: TCP, an HTTP proxy's tunnel where the environment names one, TLS with
verification.

Every failure here is a ``ConnectFailed``: nothing of the request has been sent, so another upstream may be asked.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from nightschool.errors import ConnectFailed, ConnectTimedOut
from proxy.connection import Connection
from proxy.turn import Turn


@dataclass(frozen=True, slots=True)
class Address:
    """Where an upstream listens, and how it is reached."""

    upstream: str
    """Its name in the configuration."""
    host: str
    port: int
    tls: ssl.SSLContext | None
    proxy: str | None
    """URL of the HTTP proxy that tunnels to it."""


def address_of(upstream: str, base_url: str, verify_tls: bool | Path) -> Address:
    """The address in ``base_url``.

    ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` are honoured as urllib reads them.
    """
    url = urlsplit(base_url)
    host = url.hostname or ""
    tls = _tls_context(verify_tls) if url.scheme == "https" else None
    proxies = {} if urllib.request.proxy_bypass(host) else urllib.request.getproxies()
    return Address(upstream, host, url.port or (443 if tls else 80), tls, proxies.get(url.scheme))


def _tls_context(verify_tls: bool | Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(verify_tls) if isinstance(verify_tls, Path) else None)
    context.set_alpn_protocols(["http/1.1"])
    if verify_tls is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def dial(address: Address, connect_s: float, turn: Turn) -> Connection:
    """A connection that is ready for its first exchange, within ``connect_s`` all told."""
    loop = asyncio.get_running_loop()
    connection = Connection(address.upstream, loop, turn)
    try:
        async with asyncio.timeout(connect_s):
            if address.proxy is not None:
                await _dial_through_proxy(loop, address, connection)
            else:
                await loop.create_connection(
                    lambda: connection,
                    address.host,
                    address.port,
                    ssl=address.tls,
                    server_hostname=address.host if address.tls else None,
                )
    except TimeoutError:
        raise ConnectTimedOut(
            address.upstream, f"no connection to {address.host}:{address.port} within {connect_s:g} s"
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise ConnectFailed(
            address.upstream, f"certificate of {address.host} refused: {error.verify_message}"
        ) from error
    except OSError as error:
        raise ConnectFailed(
            address.upstream, f"cannot connect to {address.host}:{address.port}: {error.strerror or error}"
        ) from error
    return connection


async def _dial_through_proxy(loop: asyncio.AbstractEventLoop, address: Address, connection: Connection) -> None:
    """CONNECT through the HTTP proxy (RFC 9110 section 9.3.6), then speak to the upstream over the tunnel."""
    proxy = urlsplit(address.proxy if address.proxy and "//" in address.proxy else f"http://{address.proxy}")
    transport, tunnel = await loop.create_connection(_Tunnel, proxy.hostname or "", proxy.port or 80)
    target = f"{address.host}:{address.port}"
    credential = ""
    if proxy.username:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
        credential = f"Proxy-Authorization: Basic {base64.b64encode(pair).decode()}\r\n"
    transport.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{credential}\r\n".encode())
    try:
        answer = await tunnel.answered
    except BaseException:
        transport.abort()
        raise
    if answer.split(b" ")[1:2] != [b"200"]:
        transport.abort()
        status_line = answer.split(b"\r\n")[0].decode("latin-1")
        raise ConnectFailed(address.upstream, f"proxy {proxy.hostname} refused the tunnel to {target}: {status_line}")
    through: asyncio.BaseTransport | None = transport
    if address.tls is not None:
        through = await loop.start_tls(transport, connection, address.tls, server_hostname=address.host)
    else:
        transport.set_protocol(connection)
    if through is None:
        raise ConnectFailed(address.upstream, f"proxy {proxy.hostname} closed the tunnel to {target}")
    connection.connection_made(through)


class _Tunnel(asyncio.Protocol):
    """Waits for the head of the answer to CONNECT."""

    def __init__(self) -> None:
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        if b"\r\n\r\n" in self._received and not self.answered.done():
            self.answered.set_result(self._received)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answered.done():
            self.answered.set_exception(exc or ConnectionResetError("the proxy closed the connection"))
