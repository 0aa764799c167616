"""An OpenAI-compatible upstream that answers by script, and can misbehave down to the byte.

    async with ScriptedUpstream() as upstream:          # in the event loop that runs
        upstream.then(Behaviour(status=500))            # the next answer; then healthy again
        ... upstream.base_url ... upstream.seen ...

    with upstream_in_thread() as upstream: ...          # in a loop of its own, for programs without one

    python -m demo.scripted_upstream --port 0           # as a program; the model's name chooses the behaviour

It needs no key and no model. ``demo.upstream.behaviour`` lists what it can do.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from demo.upstream.behaviour import Behaviour, Fault, named
from demo.upstream.connection import Connection
from demo.upstream.seen import Seen
from demo.upstream.send import Headers, send

Answer = Callable[[dict[str, Any]], Behaviour | None]
"""How to answer a request whose body is a JSON object; None for as any other."""


class ScriptedUpstream:
    """A server on ``127.0.0.1``.

    A behaviour comes from the script, the header, the model's name, or ``answer``; else it is ``default``.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        default: Behaviour | None = None,
        answer: Answer | None = None,
    ) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        """How many were opened so far."""
        self._port = port
        self._tls = tls
        self._default = default or Behaviour()
        self._by_request = answer
        self._script: deque[Behaviour] = deque()
        self._live: set[Connection] = set()
        self._request_ids = itertools.count(1)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._released = asyncio.Event()
        self._server = await self._loop.create_server(
            self._connect, "127.0.0.1", self._port, ssl=self._tls, backlog=2048
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in list(self._live):
            connection.transport.abort()
        while self._live:
            await asyncio.sleep(0)
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        """Root of the server, without the API's path."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes."""
        return f"{self.url}/v1"

    @property
    def open_connections(self) -> int:
        return len(self._live)

    @property
    def open_answers(self) -> int:
        """Answers that are on their way, streams above all."""
        return sum(seen.open for seen in self.seen)

    def then(self, *behaviours: Behaviour) -> Self:
        """Answer the next requests so, one each, in the order in which their heads arrive."""
        self._script.extend(behaviours)
        return self

    def release(self) -> None:
        """Let everything that hangs go on; what comes later hangs again. May be called from any thread."""

        def release() -> None:
            self._released.set()
            self._released = asyncio.Event()

        self._loop.call_soon_threadsafe(release)

    def forget(self) -> None:
        """Release what hangs, drop what is left of the script and the list of requests."""
        self.release()
        self._script.clear()
        self.seen.clear()

    def _connect(self) -> Connection:
        self.connections += 1
        return Connection(self.connections, self._answer, self._live)

    async def _answer(self, connection: Connection, seen: Seen) -> None:
        self.seen.append(seen)
        behaviour = await self._behaviour(connection, seen)
        if behaviour.fault is Fault.GARBAGE_STATUS_LINE:
            await connection.write(b"SSH-2.0-OpenSSH_9.6\r\n")
            connection.close()
        elif behaviour.fault is Fault.DROP_REUSED and connection.served:
            connection.close()
        else:
            await send(connection, seen, behaviour, self._headers(), released=self._released)

    async def _behaviour(self, connection: Connection, seen: Seen) -> Behaviour:
        """Choose, and read the body unless the behaviour is not to."""
        scripted = self._script.popleft() if self._script else named(seen.header("x-scripted") or "")
        if scripted is not None and scripted.early:
            return scripted
        if scripted is not None and scripted.fault is Fault.STOP_READING:
            connection.transport.pause_reading()
            await self._released.wait()
            connection.transport.resume_reading()
        await connection.body(seen)
        behaviour = scripted or self._by_body(seen) or self._default
        if behaviour.encoding not in (seen.header("accept-encoding") or ""):
            return replace(behaviour, encoding="")
        return behaviour

    def _by_body(self, seen: Seen) -> Behaviour | None:
        """An Azure deployment counts as a model."""
        _, _, deployment = seen.path.partition("/deployments/")
        if deployment:
            return named(deployment.partition("/")[0])
        try:
            body = seen.json()
        except (ValueError, RecursionError):
            return None
        if not isinstance(body, dict):
            return None
        by_model = named(body["model"]) if isinstance(body.get("model"), str) else None
        return by_model or (self._by_request(body) if self._by_request else None)

    def _headers(self) -> Headers:
        """As api.openai.com sends them, with an id that is new for every answer."""
        return [
            ("date", "Sun, 01 Nov 2026 12:00:00 GMT"),
            ("server", "scripted"),
            ("x-request-id", f"req_{next(self._request_ids)}"),
            ("openai-organization", "scripted-org"),
            ("openai-processing-ms", "7"),
            ("openai-version", "2020-10-01"),
            ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-remaining-requests", "9999"),
        ]


@contextlib.contextmanager
def upstream_in_thread(
    *, tls: ssl.SSLContext | None = None, default: Behaviour | None = None, answer: Answer | None = None
) -> Iterator[ScriptedUpstream]:
    """A scripted upstream in an event loop and a thread of its own."""
    upstream = ScriptedUpstream(tls=tls, default=default, answer=answer)
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        async with upstream:
            started.set()
            await stop.wait()

    def main() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(run())
        finally:
            started.set()

    thread = threading.Thread(target=main, name="scripted-upstream")
    thread.start()
    started.wait()
    try:
        yield upstream
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _serve(port: int) -> None:
    async with ScriptedUpstream(port=port) as upstream:
        print(upstream.base_url, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Serve until interrupted; the address is the only line on stdout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
