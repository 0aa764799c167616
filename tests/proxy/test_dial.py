"""A connection is made in time, to whom the certificate says, through whom the environment says; or the reason is."""

from __future__ import annotations

import asyncio
import base64
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nightschool.errors import ConnectFailed, ConnectTimedOut
from proxy.dial import Address, address_of, dial
from tests.proxy.fake_transport import Peer, a_turn, answering, ask, peer, rest

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def _no_proxy_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def answer_from(address: Address, connect_s: float = 5.0) -> bytes:
    """The body that is found at the other end."""
    connection = await dial(address, connect_s, a_turn())
    try:
        ask(connection)
        await connection.head()
        return await rest(connection)
    finally:
        connection.close()
        await asyncio.sleep(0.01)


async def failure(address: Address, connect_s: float = 5.0) -> ConnectFailed:
    with pytest.raises(ConnectFailed) as caught:
        await dial(address, connect_s, a_turn())
    await asyncio.sleep(0.01)
    return caught.value


# -- plain TCP


async def test_an_upstream_that_listens_is_reached() -> None:
    async with peer(answering(OK)) as upstream:
        assert await answer_from(address_of("main", f"http://127.0.0.1:{upstream.port}/v1", True)) == b"ok"


async def test_an_upstream_that_does_not_listen_is_named_with_its_port() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        error = await failure(address_of("main", f"http://127.0.0.1:{port}", True))

    assert str(error).startswith(f"upstream 'main': cannot connect to 127.0.0.1:{port}: ")
    assert (error.status, error.error_type) == (502, "upstream_unreachable")


async def test_a_name_that_nobody_knows_is_named() -> None:
    error = await failure(address_of("main", "http://no-such-upstream.invalid", True), 20.0)

    assert "no-such-upstream.invalid:80" in str(error)


async def test_an_upstream_that_accepts_nobody_times_out() -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):  # fill the backlog: from here on Linux drops every SYN
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        await asyncio.sleep(0.1)
        began = time.monotonic()
        error = await failure(address_of("main", f"http://127.0.0.1:{full.getsockname()[1]}", True), 0.3)

    assert isinstance(error, ConnectTimedOut)
    assert (error.status, error.error_type) == (504, "upstream_timeout")
    assert str(error).endswith("within 0.3 s")
    assert time.monotonic() - began < 30  # Linux itself gives up after two minutes


async def test_an_upstream_that_never_finishes_tls_times_out() -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with peer(mute) as upstream:
        error = await failure(address_of("main", f"https://127.0.0.1:{upstream.port}", True), 0.3)

    assert isinstance(error, ConnectTimedOut)


async def test_an_upstream_that_speaks_no_tls_fails() -> None:
    async with peer(answering(OK)) as upstream:

        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        async with peer(plain) as plain_upstream:
            error = await failure(address_of("main", f"https://127.0.0.1:{plain_upstream.port}", True))
        assert f"127.0.0.1:{plain_upstream.port}" in str(error)
        assert upstream.connections == 0


# -- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, and what it has signed for ``localhost`` and for somebody else."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command, which makes the certificates, is not here")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    authority = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl(
        "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA", "-days", "2", *authority
    )
    for name, alternative in (("localhost", "DNS:localhost,IP:127.0.0.1"), ("elsewhere", "DNS:elsewhere.example")):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / f"{name}.ext").write_text(f"subjectAltName={alternative}\nauthorityKeyIdentifier=keyid\n")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)
    return folder


def tls_server(certificates: Path, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_private_authority_is_trusted_when_its_file_is_named(certificates: Path, host: str) -> None:
    async with peer(answering(OK), tls_server(certificates)) as upstream:
        address = address_of("main", f"https://{host}:{upstream.port}/v1", certificates / "ca.pem")

        assert await answer_from(address) == b"ok"


async def test_http_1_1_is_agreed_on_although_the_upstream_would_rather_speak_http_2(certificates: Path) -> None:
    agreed: list[str | None] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        agreed.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await answering(OK)(reader, writer)

    async with peer(handler, tls_server(certificates)) as upstream:
        await answer_from(address_of("main", f"https://localhost:{upstream.port}", certificates / "ca.pem"))

    assert agreed == ["http/1.1"]


async def test_an_unknown_authority_is_refused_with_the_reason(certificates: Path) -> None:
    async with peer(answering(OK), tls_server(certificates)) as upstream:
        error = await failure(address_of("main", f"https://localhost:{upstream.port}", True))

    assert str(error).startswith("upstream 'main': certificate of localhost refused: ")
    assert "issuer certificate" in error.cause or "self-signed" in error.cause


async def test_a_certificate_of_somebody_else_is_refused_with_the_reason(certificates: Path) -> None:
    async with peer(answering(OK), tls_server(certificates, "elsewhere")) as upstream:
        error = await failure(address_of("main", f"https://localhost:{upstream.port}", certificates / "ca.pem"))

    assert "certificate of localhost refused: Hostname mismatch" in str(error)


async def test_nothing_is_verified_only_when_told_so(certificates: Path) -> None:
    async with peer(answering(OK), tls_server(certificates, "elsewhere")) as upstream:
        assert await answer_from(address_of("main", f"https://localhost:{upstream.port}", False)) == b"ok"


# -- a proxy on the way


class TunnelProxy:
    """An HTTP proxy that knows CONNECT; ``asked`` keeps the heads that it was sent."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 Connection established\r\nvia: 1.1 test\r\n\r\n") -> None:
        self.asked: list[str] = []
        self._answer = answer

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.asked.append(head)
        if b" 200 " not in self._answer:
            writer.write(self._answer)
            return
        host, _, port = head.split(" ")[1].rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(self._answer)
        try:
            await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
        finally:
            far_writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def between(proxy: TunnelProxy, tls: ssl.SSLContext | None) -> AsyncIterator[tuple[Peer, Peer]]:
    """The upstream, and the proxy that leads to it."""
    async with peer(answering(OK), tls) as upstream, peer(proxy) as listening:
        yield upstream, listening


async def test_https_goes_through_the_tunnel_of_a_proxy(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = TunnelProxy()
    async with between(proxy, tls_server(certificates)) as (upstream, listening):
        monkeypatch.setenv("HTTPS_PROXY", f"http://us%40er:pass%3Aword@127.0.0.1:{listening.port}")
        address = address_of("main", f"https://localhost:{upstream.port}", certificates / "ca.pem")

        assert await answer_from(address) == b"ok"

    (head,) = proxy.asked
    assert head.startswith(f"CONNECT localhost:{upstream.port} HTTP/1.1\r\nHost: localhost:{upstream.port}\r\n")
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'us@er:pass:word').decode()}\r\n" in head


async def test_plain_http_goes_through_a_tunnel_too(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = TunnelProxy()
    async with between(proxy, None) as (upstream, listening):
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{listening.port}")

        assert await answer_from(address_of("main", f"http://localhost:{upstream.port}", True)) == b"ok"

    assert proxy.asked == [f"CONNECT localhost:{upstream.port} HTTP/1.1\r\nHost: localhost:{upstream.port}\r\n\r\n"]


async def test_a_wrong_certificate_is_refused_inside_the_tunnel_too(
    certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with between(TunnelProxy(), tls_server(certificates, "elsewhere")) as (upstream, listening):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listening.port}")
        error = await failure(address_of("main", f"https://localhost:{upstream.port}", certificates / "ca.pem"))

    assert "certificate of localhost refused: Hostname mismatch" in str(error)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "HTTP/1.1 407 Proxy Authentication Required"),
        (b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 4\r\n\r\noops", "HTTP/1.1 502 Bad Gateway"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "SSH-2.0-OpenSSH_9.6"),
        (b"", "the proxy closed the connection"),
    ],
)
async def test_a_refused_tunnel_says_who_refused_and_how(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, says: str
) -> None:
    async with between(TunnelProxy(answer), None) as (upstream, listening):
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@127.0.0.1:{listening.port}")
        error = await failure(address_of("main", f"https://localhost:{upstream.port}", True))

    assert says in str(error)
    assert "secret" not in str(error)
    assert upstream.connections == 0


async def test_a_proxy_that_stays_silent_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with peer(mute) as listening:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listening.port}")
        error = await failure(address_of("main", "https://upstream.invalid", True), 0.3)

    assert isinstance(error, ConnectTimedOut)


def test_a_host_in_no_proxy_is_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "inside.example,.corp.example")

    assert address_of("main", "https://api.example", True).proxy == "http://127.0.0.1:1"
    assert address_of("main", "http://api.example", True).proxy is None
    assert address_of("main", "https://inside.example", True).proxy is None
    assert address_of("main", "https://gpu.corp.example:8000", True).proxy is None


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("https://api.example/v1", "api.example", 443, True),
        ("http://api.example", "api.example", 80, False),
        ("https://api.example:8443", "api.example", 8443, True),
        ("http://[::1]:8000/v1", "::1", 8000, False),
    ],
)
def test_the_address_is_what_the_base_url_says(url: str, host: str, port: int, tls: bool) -> None:
    address = address_of("main", url, True)

    assert (address.host, address.port, address.tls is not None) == (host, port, tls)
