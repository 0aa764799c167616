"""``GET /v1/models`` where students answer: the upstream's list, with the names behind it by which they can be asked.

upstream's answer ──► is it a list of models? ──► with ours ──► client
                           └─ no (an error, say) ──► as it came
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nightschool.errors import ConnectFailed, UpstreamError
from nightschool.wire import json_text
from nightschool.wire.encoding import UndecodableBody, decode_body
from proxy.answers import answer_json, error_object
from proxy.body import RequestBody
from proxy.client import Client
from proxy.entry import Entry
from proxy.facts import RequestFacts
from proxy.headers import read_answer_head
from proxy.paths import ApiPath
from proxy.route import Route
from proxy.students.get import Got, get
from proxy.students.named_model import PREFIX
from proxy.students.roster import Roster

if TYPE_CHECKING:
    from proxy.runtime import Runtime

ENDPOINT = "/models"
_MOST_BYTES = 16 << 20


def names_of(rosters: Iterable[Roster]) -> list[str]:
    """Of students that answer: each workload's, and each adapter's."""
    names: list[str] = []
    for roster in rosters:
        if roster.answering:
            names.append(PREFIX + roster.workload)
            names += [f"{PREFIX}{roster.workload}@{each.adapter}" for each in roster.answering]
    return names


def merged(body: bytes, names: Iterable[str]) -> bytes | None:
    """The list with ``names`` behind what is in it; None where it is no list of models."""
    try:
        listing = json_text.decode(body)
    except ValueError:
        return None
    if not isinstance(listing, dict) or not isinstance(listing.get("data"), list):
        return None
    own = [{"id": name, "object": "model", "created": 0, "owned_by": "nightschool"} for name in names]
    return json_text.encode({**listing, "data": [*listing["data"], *own]})


class ModelList:
    """One request for the list; lives as long as the request."""

    def __init__(
        self,
        runtime: Runtime,
        entry: Entry,
        *,
        client: Client,
        path: ApiPath,
        facts: RequestFacts,
        body: RequestBody,
        route: Route,
    ) -> None:
        self._runtime = runtime
        self._entry = entry
        self._client = client
        self._path = path
        self._facts = facts
        self._body = body
        self._route = route

    async def run(self) -> None:
        """Answer the client, whatever happens."""
        entry = self._entry
        try:
            entry.begin(self._facts, self._body, method=self._client.method)
            self._answer(await self._asked())
        except UpstreamError as error:
            self._runtime.metrics.count("nightschool_upstream_errors", error.upstream, error.error_type)
            said = error_object(f"nightschool: {error}", error.error_type, code=error.error_type)
            entry.own_answer(error.status, said)
            entry.end(complete=False, error_type=error.error_type)
            answer_json(self._client, error.status, said, entry.header_lines())
        finally:
            entry.end(complete=False, error_type="proxy_stopped")

    async def _asked(self) -> Got:
        """Of the first upstream of the route that can be reached."""
        client, failure = self._client, None
        for name in self._route.upstreams:
            pool = self._runtime.upstreams[name]
            target = pool.target(self._path, client.query, None, client.raw_path)
            lines = client.head.lines(pool.replacement_uncompressed)
            try:
                got = await get(pool, target, lines, most_bytes=_MOST_BYTES)
            except ConnectFailed as error:
                failure = failure or error
                continue
            if name != self._route.upstreams[0]:
                self._entry.answered_by(name, "fallback")
            return got
        assert failure is not None
        raise failure

    def _answer(self, got: Got) -> None:
        head = read_answer_head(got.headers)
        lines = head.lines
        body = got.body
        whole = _plain(got.body, head.content_encoding) if got.status == 200 else None
        if whole is not None and (longer := merged(whole, names_of(self._runtime.rosters.values()))) is not None:
            body = longer
            lines = [line for line in lines if not line.startswith(_ABOUT_THE_BYTES)]
        self._entry.answer(got.status, head)
        self._entry.feed(got.body, time.perf_counter())
        self._entry.end(complete=True)
        self._client.start(got.status, [*lines, self._entry.header_lines()], b"content-length: %d\r\n" % len(body))
        self._client.finish(body)


_ABOUT_THE_BYTES = (b"content-encoding:", b"etag:", b"content-md5:", b"digest:")
"""Header lines that would be wrong of the longer list."""


def _plain(body: bytes, content_encoding: bytes) -> bytes | None:
    try:
        return decode_body(body, content_encoding.decode("latin-1"))
    except UndecodableBody:
        return None
