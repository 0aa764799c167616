"""An upstream as the proxy uses it: where a path leads, whose credential is sent, and a pool of kept-alive
connections.

A connection that was kept is used again only while nobody has closed it and it is younger than ``keepalive_s``: a
request that was written to a dying connection may or may not have had an effect, so it is never repeated here.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from urllib.parse import quote, urlsplit

from nightschool.config import Timeouts, Upstream
from nightschool.errors import ConnectFailed, ConnectTimedOut
from proxy.connection import Connection, Headers
from proxy.dial import address_of, dial
from proxy.headers import Replacement
from proxy.inquiry import Question
from proxy.paths import ApiPath
from proxy.turn import Turn

DEPLOYED = frozenset(("/chat/completions", "/completions", "/embeddings", "/audio/speech", "/images/generations"))
"""Azure serves these below the path of a deployment."""

UNREACHABLE_S = 5.0
MAX_REMEMBERED_MODELS = 1000


class UpstreamPool:
    """Lends connections to one upstream, last used first; a background look ends exchanges that stay silent."""

    def __init__(self, name: str, config: Upstream, timeouts: Timeouts, turn: Turn, *, direct: bool = False) -> None:
        """``direct``: not through the HTTP proxy that the environment names."""
        url = urlsplit(config.root)
        self.name = name
        self.config = config
        self.timeouts = timeouts
        self.host_header = url.netloc.encode()
        own = _own_headers(config)
        self.replacement = Replacement(own)
        self.replacement_uncompressed = Replacement([*own, (b"accept-encoding", b"identity")])
        """For an answer that we have to read."""
        self._base_path = url.path.encode()
        self._keepalive_s = config.keepalive_s
        self._turn = turn
        address = address_of(name, config.root, config.verify_tls)
        self._address = replace(address, proxy=None) if direct else address
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._places = asyncio.Semaphore(config.max_connections) if config.max_connections else None
        self._closed = False
        self._unreachable_until = 0.0
        self._refused: set[tuple[Question, str | None]] = set()

    def target(self, path: ApiPath, query: bytes, model: str | None, raw_path: bytes) -> bytes:
        """The request target; ``raw_path`` is what the client asked for.

        An Azure client's path goes to an Azure upstream as it came; an OpenAI client's is turned into Azure's, with
        the model's name for the deployment's.
        """
        if self.config.kind == "openai":
            target = self._base_path + path.endpoint.encode("latin-1")
        elif raw_path.startswith(b"/openai/"):
            target = self._base_path + raw_path
        else:
            deployment = f"/deployments/{quote(model, safe='')}" if model and path.endpoint in DEPLOYED else ""
            target = self._base_path + f"/openai{deployment}{path.endpoint}".encode("latin-1")
        if self.config.api_version is not None and b"&api-version=" not in b"&" + query:
            query = b"&".join(filter(None, (query, f"api-version={self.config.api_version}".encode())))
        return target + b"?" + query if query else target

    @property
    def unreachable(self) -> bool:
        """No connection could be made a moment ago: a fallback is asked first."""
        return asyncio.get_running_loop().time() < self._unreachable_until

    def refuses(self, question: Question, model: str | None) -> bool:
        return (question, model) in self._refused

    def remember_refusal(self, question: Question, model: str | None) -> None:
        """It is not asked of this model again, until the next start or change of this upstream."""
        if len(self._refused) < MAX_REMEMBERED_MODELS:
            self._refused.add((question, model))

    async def acquire(self) -> Connection:
        """A connection of one's own until ``release``; raises ``ConnectFailed``."""
        if self._places is not None:
            await self._take_place(self._places)
        connection = self._kept() or await self._dialled()
        self._busy.add(connection)
        return connection

    def acquire_kept(self) -> Connection | None:
        """A connection of one's own that is open already; None where one has to be waited for."""
        if self._places is not None:
            return None
        connection = self._kept()
        if connection is not None:
            self._busy.add(connection)
        return connection

    async def _take_place(self, places: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(self.timeouts.connect_s):
                await places.acquire()
        except TimeoutError:
            cause = f"none of {self.config.max_connections} connections was free within {self.timeouts.connect_s:g} s"
            raise ConnectTimedOut(self.name, cause) from None

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.fresh:
                return connection
            connection.close()
        return None

    async def _dialled(self) -> Connection:
        try:
            return await dial(self._address, self.timeouts.connect_s, self._turn)
        except BaseException as error:
            if isinstance(error, ConnectFailed):
                self._unreachable_until = asyncio.get_running_loop().time() + UNREACHABLE_S
            if self._places is not None:
                self._places.release()
            raise

    def release(self, connection: Connection) -> None:
        """Give a connection back.

        Kept if its exchange ended well, else closed, which cancels what the upstream is doing. An answer that has
        arrived and that nobody has taken must go with its connection: the next borrower would read it as its own.
        """
        self._busy.discard(connection)
        if self._places is not None:
            self._places.release()
        if connection.ended and connection.usable and not self._closed:
            connection.keep(self._keepalive_s)
            self._idle.append(connection)
        else:
            connection.close()

    def look_at_clocks(self) -> None:
        """End every exchange whose deadline has passed, and close what has idled for too long.

        Called a few times a second.
        """
        now = asyncio.get_running_loop().time()
        for connection in [c for c in self._busy if c.deadline < now]:
            connection.time_out()
        stale = [c for c in self._idle if not c.fresh]
        if stale:
            self._idle = [c for c in self._idle if c.fresh]
            for connection in stale:
                connection.close()

    def close(self) -> None:
        """Close what idles; what is busy is closed as it is released."""
        self._closed = True
        for connection in self._idle:
            connection.close()
        self._idle = []

    @property
    def closed(self) -> bool:
        """It keeps no connection any more."""
        return self._closed

    @property
    def open_connections(self) -> int:
        return len(self._busy) + len(self._idle)


def _own_headers(config: Upstream) -> Headers:
    """None where the caller's own credential passes through."""
    headers = [(name.lower().encode(), value.encode()) for name, value in config.headers.items()]
    if config.api_key is not None:
        key = config.api_key.get_secret_value()
        name, value = ("api-key", key) if config.kind == "azure" else ("authorization", f"Bearer {key}")
        headers.append((name.encode(), value.encode()))
    return headers
