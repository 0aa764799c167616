"""What the record says of one exchange, as it becomes known: times, who answered, how it ended; journaled once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nightschool.record import id_text
from nightschool.store import wal
from proxy.body import RequestBody
from proxy.facts import RequestFacts
from proxy.headers import AnswerHead, is_text
from proxy.request_head import RequestHead
from proxy.route import Route

if TYPE_CHECKING:
    from proxy.runtime import Runtime


class Entry:
    """Open from the request's arrival to ``end``; everything after ``end`` is ignored."""

    __slots__ = (
        "_begun",
        "_content_encoding",
        "_content_type",
        "_failed",
        "_first_byte_at",
        "_head",
        "_own_s",
        "_reason",
        "_recording",
        "_route",
        "_runtime",
        "_started",
        "_text",
        "_time_us",
        "_upstream",
        "_upstream_request_id",
        "ended",
        "id",
        "status",
    )

    def __init__(
        self,
        runtime: Runtime,
        *,
        exchange_id: bytes,
        time_us: int,
        started: float,
        head: RequestHead,
        route: Route,
    ) -> None:
        self.id = exchange_id
        self.status: int | None = None
        """What the client was told; None as long as it was told nothing."""
        self.ended = False
        self._runtime = runtime
        self._time_us = time_us
        self._started = started
        """``time.perf_counter()`` at which the request's head was here."""
        self._head = head
        self._route = route
        self._upstream = route.replicas[0].name if route.replicas else route.upstreams[0]
        self._failed: Route | None = None
        """The student's that gave no answer."""
        self._reason = route.reason
        self._recording = runtime.recording.recording(head.control.record)
        self._begun = False
        self._own_s = 0.0
        self._first_byte_at: float | None = None
        self._upstream_request_id: bytes | None = None
        self._content_type = b""
        self._content_encoding = b""
        self._text = False
        runtime.metrics.open_requests += 1

    def begin(self, facts: RequestFacts, body: RequestBody, *, method: bytes) -> None:
        """Journal the request, and who was chosen first; the second call, for another upstream, says nothing new."""
        if self._begun:
            return
        self._begun = True
        route, head = self._failed or self._route, self._head
        key = head.credential
        meta = wal.Request(
            id=self.id,
            time_us=self._time_us,
            method=method.decode("latin-1"),
            endpoint=facts.endpoint,
            content_type=head.content_type,
            content_encoding=head.content_encoding,
            model=facts.deployment,
            workload=route.workload,
            conversation=head.control.conversation,
            target=route.target,
            adapter=route.adapter,
            reason=self._reason,
            propensity=route.propensity,
            upstream=self._upstream,
            tags=head.control.tags,
            client=None if key is None else self._runtime.callers.pseudonym(key),
            error_type="request_too_large" if body.too_large else None,
        )
        whole = not body.more and head.is_json
        self._recording.begin(meta, body.data if whole else b"")

    def asked(self, upstream: str) -> None:
        """It is to answer now."""
        self._upstream = upstream

    def answered_by(self, upstream: str, reason: str) -> None:
        """``reason`` is told unless there is a better one: that a student failed."""
        self._upstream = upstream
        if self._failed is None:
            self._reason = reason

    def fall_back(self, teacher: Route, reason: str) -> None:
        """The student gave no answer: from now on everything is said of its teacher's."""
        self._failed = self._route
        self._route, self._reason = teacher, reason
        self._upstream = teacher.upstreams[0]

    def spend(self, seconds: float) -> None:
        """Time that was our own doing: neither the client nor the upstream was waited for."""
        self._own_s += seconds

    def answer(self, status: int, head: AnswerHead) -> None:
        """The upstream's answer has begun."""
        self.status = status
        self._content_type = head.content_type
        self._content_encoding = head.content_encoding
        self._upstream_request_id = head.request_id
        self._text = is_text(head.content_type)

    def own_answer(self, status: int, body: bytes) -> None:
        """The proxy answers by itself, with JSON."""
        self.status = status
        self._content_type = b"application/json"
        self._content_encoding = b""
        self._text = True
        self.feed(body, time.perf_counter())

    def feed(self, chunk: bytes, arrived_at: float) -> None:
        """A piece of the answer, as it came from upstream."""
        if self._first_byte_at is None:
            self._first_byte_at = arrived_at
        if self._text and not self.ended:
            self._recording.feed(chunk)

    def end(self, *, complete: bool, error_type: str | None = None) -> None:
        """Journal how it ended; for a complete answer this stands before the client can know that it is complete."""
        if self.ended:
            return
        self.ended = True
        latency_s = time.perf_counter() - self._started
        first_token_s = None if self._first_byte_at is None else self._first_byte_at - self._started
        request_id = self._upstream_request_id
        route = self._route
        if self._begun:
            self._recording.end(
                wal.End(
                    id=self.id,
                    status=self.status,
                    complete=complete,
                    error_type=error_type,
                    content_type=self._content_type.decode("latin-1"),
                    content_encoding=self._content_encoding.decode("latin-1"),
                    upstream=self._upstream,
                    reason=self._reason,
                    upstream_request_id=None if request_id is None else request_id.decode("latin-1"),
                    latency_us=int(latency_s * 1e6),
                    first_token_us=None if first_token_s is None else int(first_token_s * 1e6),
                    overhead_us=int(self._own_s * 1e6),
                    target=route.target if self._failed else None,
                    adapter=route.adapter if self._failed else None,
                    propensity=route.propensity if self._failed else 1.0,
                )
            )
        runtime = self._runtime
        labels = (runtime.workload_label(route.workload), self._upstream, route.target)
        runtime.metrics.open_requests -= 1
        runtime.metrics.answered(
            labels,
            self.status or CLIENT_LEFT_STATUS,
            latency_s=latency_s,
            first_token_s=first_token_s,
            overhead_s=self._own_s,
        )
        if not complete:
            runtime.metrics.count("nightschool_incomplete", *labels, error_type or "")

    def header_lines(self) -> bytes:
        """Our own response headers."""
        route = self._route
        lines = (
            f"x-nightschool-id: {id_text(self.id)}\r\n"
            f"x-nightschool-target: {route.target}\r\n"
            f"x-nightschool-reason: {self._reason}\r\n"
        )
        if route.adapter is not None:
            lines += f"x-nightschool-adapter: {route.adapter}\r\n"
        return lines.encode()


CLIENT_LEFT_STATUS = 499
"""In metrics, where there was no answer; nginx's number for it."""
