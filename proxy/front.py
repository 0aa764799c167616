"""The door to the API: reads a request, decides who answers, and sees it through.

This is the hot path: nothing here builds a framework's request or response.
"""

from __future__ import annotations

import asyncio
import logging
import time
from weakref import WeakSet

from proxy.answers import answer_json, error_object
from proxy.body import RequestBody, read_body
from proxy.client import Client, ClientLeft
from proxy.clients.refusal import Refusal
from proxy.entry import Entry
from proxy.exchange import Exchange
from proxy.facts import RequestFacts
from proxy.ids import Ids
from proxy.paths import ApiPath, api_path, climbs
from proxy.request_head import RequestHead
from proxy.runtime import Runtime
from proxy.students import model_list
from proxy.students.model_list import ModelList
from proxy.students.named_model import StudentUnavailable
from proxy.turn import Turn
from proxy.upstream import UpstreamPool

LOOK_EVERY_S = 0.1
_NEVER_FORWARDED = (b"CONNECT", b"TRACE")
"""A tunnel is none of the API; an upstream that answers TRACE would show the caller our key for it."""
_ALLOWED = b"allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"
_FAULT = "proxy_fault path=%r"

log = logging.getLogger("nightschool.front")


class Front:
    """Answers clients; ``runtime`` may be replaced at any time, requests under way keep the one they began with."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._retired: WeakSet[UpstreamPool] = WeakSet()
        """Of configurations before; each lives as long as a request that may use it."""
        self._ids = Ids()

    @property
    def turn(self) -> Turn:
        return self.runtime.journal.turn

    def take_over(self, runtime: Runtime) -> None:
        """Put ``runtime`` in force; pools that it does not share are closed as their last request ends."""
        kept = set(map(id, runtime.pools))
        gone = [pool for pool in self.runtime.pools if id(pool) not in kept]
        for pool in gone:
            pool.close()
        self._retired.update(gone)
        self.runtime = runtime

    def answer_at_once(self, client: Client) -> None:
        """See a request through that is here in full; without a task where nothing has to be waited for."""
        try:
            if not self._may_pass(client):
                return
            body = client.whole_body()
            exchange = self._admitted(client, RequestBody(body, False, len(body)))
            if exchange is None or (isinstance(exchange, Exchange) and exchange.begin()):
                return
            client.start_task(self._see_through(client, exchange))
        except Exception:
            log.exception(_FAULT, client.raw_path)
            self._own_up(client)

    async def answer(self, client: Client) -> None:
        """See one request through; raises nothing but cancellation."""
        try:
            if not self._may_pass(client):
                return
            body = await read_body(client, self.runtime.config.limits.request_body_bytes)
            exchange = self._admitted(client, body)
            if exchange is not None:
                await exchange.run()
        except ClientLeft:
            pass  # before its request was here: there is nobody to answer and nothing to record
        except Exception:
            log.exception(_FAULT, client.raw_path)
            self._own_up(client)

    async def _see_through(self, client: Client, exchange: Exchange | ModelList) -> None:
        try:
            await exchange.run()
        except Exception:
            log.exception(_FAULT, client.raw_path)
            self._own_up(client)
        client.leave()

    def _may_pass(self, client: Client) -> bool:
        """By what its head says; if not, it has been told so."""
        clients = self.runtime.clients
        if clients is not None and (refused := clients.refuses(client.head)) is not None:
            self._turn_away(client, refused)
            return False
        fault = client.head.control_fault
        if fault is not None:
            self._refuse(client, str(fault), param=fault.header)
            return False
        if client.method in _NEVER_FORWARDED:
            self._refuse(client, f"{client.method.decode()} is not forwarded", status=405, lines=_ALLOWED)
            return False
        if climbs(client.raw_path):
            self._refuse(client, "the path climbs out of the API with '.' segments", param="path")
            return False
        return True

    def _admitted(self, client: Client, body: RequestBody) -> Exchange | ModelList | None:
        """What will answer; None where the client has been refused."""
        received = time.perf_counter()
        runtime, head = self.runtime, client.head
        path = api_path(client.raw_path)
        facts = _facts(path, head, body)
        try:
            route = runtime.route(facts, head.control)
        except StudentUnavailable as fault:
            self._refuse(client, str(fault), param="model", status=fault.status, code=fault.code)
            return None
        clients = runtime.clients
        if clients is not None and (
            refused := clients.forbids(head, route, method=client.method, endpoint=path.endpoint)
        ):
            self._turn_away(client, refused)
            return None
        entry = Entry(
            runtime,
            exchange_id=self._ids.next(client.time_us),
            time_us=client.time_us,
            started=client.arrived_at,
            head=head,
            route=route,
        )
        if runtime.rosters and path.endpoint == model_list.ENDPOINT and client.method == b"GET":
            return ModelList(runtime, entry, client=client, path=path, facts=facts, body=body, route=route)
        return Exchange(
            runtime, entry, client=client, path=path, facts=facts, body=body, route=route, received=received
        )

    def _own_up(self, client: Client) -> None:
        """The proxy has failed."""
        fault = error_object("nightschool: the proxy failed; its log says why", "proxy_fault", code="proxy_fault")
        if not client.started:
            answer_json(client, 500, fault)

    def _turn_away(self, client: Client, refused: Refusal) -> None:
        self.runtime.metrics.count("nightschool_refused", str(refused.status))
        answer_json(client, refused.status, refused.body, refused.lines)

    def _refuse(
        self,
        client: Client,
        problem: str,
        *,
        param: str | None = None,
        status: int = 400,
        code: str | None = None,
        lines: bytes = b"",
    ) -> None:
        self.runtime.metrics.count("nightschool_refused", str(status))
        error_type = "invalid_request_error" if status < 500 else "student_unavailable"
        answer_json(client, status, error_object(f"nightschool: {problem}", error_type, code=code, param=param), lines)

    async def look_after(self) -> None:
        """Runs beside the requests: ends what has been silent for too long."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for pool in (*self.runtime.pools, *self._retired):
                pool.look_at_clocks()


def _facts(path: ApiPath, head: RequestHead, body: RequestBody) -> RequestFacts:
    readable = not body.more and head.is_json and not head.content_encoding
    return RequestFacts(
        path.endpoint,
        head.by_name,
        body.data if readable else b"",
        header_tags=head.control.tags,
        deployment=path.deployment,
    )
