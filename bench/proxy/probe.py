"""Before anything is measured: does a proxy answer as the upstream does?"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from bench.proxy import traffic
from bench.proxy.failure import BenchFailure
from bench.proxy.load import without
from bench.proxy.port import ask
from bench.proxy.traffic import AS_UPSTREAM, Manner

TIMES = 3
"""Requests of each kind that one check sends."""


class Bodies(NamedTuple):
    """What every answer of a proxy is."""

    plain: bytes
    stream: bytes


def learn_bodies(port: int, manner: Manner = AS_UPSTREAM, *, varies: str = "") -> Bodies:
    """Ask a few times; fails unless all answers are alike and mean what the upstream means.

    ``varies``: what of the bodies may differ from answer to answer, and is left out of them.
    """
    plain, stream = (_steady(port, manner, stream=stream, varies=varies) for stream in (False, True))
    return Bodies(plain, stream)


def _steady(port: int, manner: Manner, *, stream: bool, varies: str) -> bytes:
    bodies = {without(varies, _checked(port, manner, stream=stream)) for _ in range(TIMES)}
    if len(bodies) > 1:
        raise BenchFailure(f"port {port} answers the same request differently: {[body[:300] for body in bodies]}")
    return bodies.pop()


def _checked(port: int, manner: Manner, *, stream: bool) -> bytes:
    body = traffic.request_body(stream=stream, model=manner.model)
    reply = ask(port, "POST", manner.path, body, headers=manner.headers)
    if reply.status != 200:
        raise BenchFailure(f"port {port} answers {reply.status}: {reply.body[:500]!r}")
    said = streamed_text(reply.body) if stream else json.loads(reply.body)["choices"][0]["message"]["content"]
    if said != traffic.answer_text():
        raise BenchFailure(f"port {port} changes the answer: {reply.body[:500]!r}")
    return reply.body


def streamed_text(body: bytes) -> str:
    """The assistant's words; fails unless there are all events, nothing of the usage, and ``[DONE]`` at the end."""
    lines = [line.removeprefix(b"data: ") for line in body.splitlines() if line.startswith(b"data: ")]
    if lines[-1:] != [b"[DONE]"] or len(lines) != traffic.STREAM_EVENTS + 1:
        raise BenchFailure(f"a stream of {len(lines)} data lines, the last {lines[-1:]!r}")
    chunks: list[dict[str, Any]] = [json.loads(line) for line in lines[:-1]]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
