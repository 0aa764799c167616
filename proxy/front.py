"""The door to the API: reads a request, decides who answers, and sees it through.

This is the hot path: nothing here builds a framework's request or response.
"""

from __future__ import annotations

import asyncio
import logging
import time

from proxy.answers import answer_json, error_object
from proxy.body import RequestBody, is_json, read_body
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
from proxy.upstream import UpstreamPool

LOOK_EVERY_S = 0.1

log = logging.getLogger("nightschool.front")


class Front:
    """Answers clients; ``runtime`` may be replaced at any time, requests under way keep the one they began with."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._retired: list[UpstreamPool] = []
        self._ids = Ids()

    def take_over(self, runtime: Runtime) -> None:
        """Put ``runtime`` in force; pools that it does not share are closed as their last request ends."""
        kept = set(map(id, runtime.pools))
        gone = [pool for pool in self.runtime.pools if id(pool) not in kept]
        for pool in gone:
            pool.close()
        self._retired += gone
        self.runtime = runtime

    async def answer(self, client: Client) -> None:
        """See one request through; raises nothing but cancellation."""
        try:
            await self._forward(client)
        except ClientLeft:
            pass  # before its request was here: there is nobody to answer and nothing to record
        except Exception:
            log.exception("proxy_fault path=%s", client.raw_path.decode("latin-1"))
            fault = error_object("nightschool: the proxy failed; its log says why", "proxy_fault", code="proxy_fault")
            if not client.started:
                answer_json(client, 500, fault)

    async def _forward(self, client: Client) -> None:
        started = time.perf_counter()
        time_us = time.time_ns() // 1000
        runtime, head = self.runtime, client.head
        clients = runtime.clients
        if clients is not None and (refused := clients.refuses(head)) is not None:
            self._turn_away(client, refused)
            return
        if head.control_fault is not None:
            self._refuse(client, str(head.control_fault), param=head.control_fault.header)
            return
        if climbs(client.raw_path):
            self._refuse(client, "the path climbs out of the API with '.' segments", param="path")
            return
        body = await read_body(client, runtime.config.limits.request_body_bytes)
        received = time.perf_counter()
        path = api_path(client.raw_path)
        facts = _facts(path, head, body)
        try:
            route = runtime.route(facts, head.control)
        except StudentUnavailable as fault:
            self._refuse(client, str(fault), param="model", status=fault.status, code=fault.code)
            return
        if clients is not None and (
            refused := clients.forbids(head, route, method=client.method, endpoint=path.endpoint)
        ):
            self._turn_away(client, refused)
            return
        entry = Entry(
            runtime, exchange_id=self._ids.next(time_us), time_us=time_us, started=started, head=head, route=route
        )
        if runtime.rosters and path.endpoint == model_list.ENDPOINT and client.method == b"GET":
            await ModelList(runtime, entry, client=client, path=path, facts=facts, body=body, route=route).run()
            return
        await Exchange(
            runtime, entry, client=client, path=path, facts=facts, body=body, route=route, received=received
        ).run()

    def _turn_away(self, client: Client, refused: Refusal) -> None:
        self.runtime.metrics.count("nightschool_refused", str(refused.status))
        answer_json(client, refused.status, refused.body, refused.lines)

    def _refuse(self, client: Client, problem: str, *, param: str, status: int = 400, code: str | None = None) -> None:
        self.runtime.metrics.count("nightschool_refused", str(status))
        error_type = "invalid_request_error" if status < 500 else "student_unavailable"
        answer_json(client, status, error_object(f"nightschool: {problem}", error_type, code=code, param=param))

    async def look_after(self) -> None:
        """Runs beside the requests: ends what has been silent for too long."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self._retired = [pool for pool in self._retired if pool.open_connections]
            for pool in (*self.runtime.pools, *self._retired):
                pool.look_at_clocks()


def _facts(path: ApiPath, head: RequestHead, body: RequestBody) -> RequestFacts:
    readable = not body.more and is_json(head.content_type) and b"content-encoding" not in head.by_name
    return RequestFacts(
        path.endpoint,
        head.by_name,
        body.data if readable else b"",
        header_tags=head.control.tags,
        deployment=path.deployment,
    )
