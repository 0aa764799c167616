"""Upstreams behind TLS, directly and through the HTTP proxy that the environment names."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from demo.scripted_upstream import ScriptedUpstream, upstream_in_thread
from demo.upstream.behaviour import TEXT
from tests.raw import ask, chat_request
from tests.running import config_for, running_proxy


@dataclass(frozen=True)
class Authority:
    """A certificate authority for one test run, and the certificate that it gave to 127.0.0.1."""

    file: Path
    server: ssl.SSLContext


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl command makes the certificates of this test")
    folder = tmp_path_factory.mktemp("tls")
    making = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    extensions = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run([openssl, *making, *extensions], cwd=folder, check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return Authority(folder / "cert.pem", server)


@pytest.fixture(scope="module")
def secure(authority: Authority) -> Iterator[ScriptedUpstream]:
    with upstream_in_thread(tls=authority.server) as upstream:
        yield upstream


@dataclass(eq=False)
class Tunnel:
    """An HTTP proxy that only knows CONNECT, and remembers where it was asked to connect to."""

    url: str = ""
    heads: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        host, _, port = head.split()[1].decode().partition(":")
        there_reader, there_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
def tunnel() -> Iterator[Tunnel]:
    tunnel = Tunnel()
    started = threading.Event()
    stop = asyncio.Event()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        server = await asyncio.start_server(tunnel.serve, "127.0.0.1", 0)
        tunnel.url = f"http://user:pass%20word@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        started.set()
        await stop.wait()
        server.close()

    def main() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(run())

    thread = threading.Thread(target=main)
    thread.start()
    started.wait()
    yield tunnel
    loop.call_soon_threadsafe(stop.set)
    thread.join()


def test_an_authority_of_ones_own_is_trusted_and_everybody_else_refused(
    secure: ScriptedUpstream, authority: Authority, tmp_path: Path
) -> None:
    config = config_for(
        secure.base_url,
        upstreams={
            "trusted": {"base_url": secure.base_url, "verify_tls": str(authority.file)},
            "strict": {"base_url": secure.base_url},
            "careless": {"base_url": secure.base_url, "verify_tls": False},
            "wrong-name": {
                "base_url": secure.base_url.replace("127.0.0.1", "localhost"),
                "verify_tls": str(authority.file),
            },
        },
        default_upstream="trusted",
        workloads={name: {"when": {"model": name}, "teacher": name} for name in ("strict", "careless", "wrong-name")},
    )
    with running_proxy(config, tmp_path) as proxy:
        answers = {name: ask(proxy.url, chat_request(name)) for name in ("trusted", "careless")}
        refused = {name: ask(proxy.url, chat_request(name)) for name in ("strict", "wrong-name")}
        stream = ask(proxy.url, chat_request("trusted", stream=True))

        assert {answer.status for answer in answers.values()} == {200}
        assert stream.body.endswith(b"data: [DONE]\n\n")
        for name, answer in refused.items():
            assert answer.status == 502
            assert name in answer.json()["error"]["message"]
            assert "certificate" in answer.json()["error"]["message"]


def test_the_proxy_of_the_environment_is_used_for_tls(
    secure: ScriptedUpstream, authority: Authority, tunnel: Tunnel, tmp_path: Path
) -> None:
    upstreams = {"main": {"base_url": secure.base_url, "verify_tls": str(authority.file)}}
    config = config_for(secure.base_url, upstreams=upstreams)
    with running_proxy(config, tmp_path, env={"HTTPS_PROXY": tunnel.url}) as proxy:
        answer = ask(proxy.url, chat_request())

    assert answer.json()["choices"][0]["message"]["content"] == TEXT
    (head,) = tunnel.heads
    assert head.startswith(f"CONNECT 127.0.0.1:{secure.port} HTTP/1.1\r\n".encode())
    assert b"dXNlcjpwYXNzIHdvcmQ=" in head  # user:pass word
    assert b"sk-test" not in head


def test_no_proxy_goes_around_it(
    secure: ScriptedUpstream, authority: Authority, tunnel: Tunnel, tmp_path: Path
) -> None:
    upstreams = {"main": {"base_url": secure.base_url, "verify_tls": str(authority.file)}}
    env = {"HTTPS_PROXY": tunnel.url, "NO_PROXY": "127.0.0.1"}
    with running_proxy(config_for(secure.base_url, upstreams=upstreams), tmp_path, env=env) as proxy:
        assert ask(proxy.url, chat_request()).status == 200

    assert tunnel.heads == []
