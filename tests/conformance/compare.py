"""Whether a run through nightschool is the same as a run without it, for the client and for the upstream."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from demo.upstream.seen import Seen
from tests.conformance.running import Run

Json = dict[str, Any]
OF_ONE_CONNECTION = ("host", "connection", "keep-alive", "content-length", "transfer-encoding", "accept-encoding")
"""Headers that are set anew; ``accept-encoding`` where usage of a stream is asked for: docs/forwarding.md says why."""
_RANDOM = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|(?<=boundary=)\S+")
_UPSTREAM_REQUEST_ID = re.compile(r"req_\d+")
_MISSING = "nothing"


@dataclass(frozen=True)
class Verdict:
    """On one behaviour of one client."""

    behaviour: str
    ok: bool
    reason: str = ""


KNOWN = {
    "upstream closes before its answer": (
        "an upstream that closes the connection before its answer: nightschool has a connection to the client that "
        "works, and says 502 `upstream_broken` on it. Both are retried."
    ),
    "upstream breaks off a stream": (
        "an upstream that breaks off a stream: nightschool ends it with an error event, on which the client raises an "
        "error of the API instead of one of its transport."
    ),
}
"""Behaviours in which nightschool is meant to be seen, with the cause."""


def verdicts(direct: Run, proxied: Run) -> Iterator[Verdict]:
    """One for each behaviour of the client, and one for what the upstream has seen."""
    for name in dict.fromkeys([*direct.outcomes, *direct.faults, *proxied.outcomes, *proxied.faults]):
        yield _behaviour(name, direct, proxied)
    difference = _upstream_difference(direct, proxied)
    yield Verdict("what the upstream sees", not difference, difference)


def _behaviour(name: str, direct: Run, proxied: Run) -> Verdict:
    if fault := direct.faults.get(name) or proxied.faults.get(name):
        where = "without nightschool too" if name in direct.faults else "with nightschool only"
        return Verdict(name, False, f"{where}: {fault.strip().splitlines()[-1]}")
    difference = first_difference(_masked(direct.outcomes.get(name)), _masked(proxied.outcomes.get(name)))
    if name not in KNOWN:
        return Verdict(name, not difference, difference)
    said = json.dumps(proxied.outcomes.get(name))
    if difference and "nightschool: " in said and "upstream_broken" in said:
        return Verdict(name, True, f"known: {difference}")
    return Verdict(name, False, f"a known difference is not there any more, or is another one: {difference or 'equal'}")


def first_difference(one: Any, other: Any, where: str = "") -> str:
    """The first place in which two JSON values differ, with both; empty when they are equal."""
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = [(f"{where}.{key}", one.get(key, _MISSING), other.get(key, _MISSING)) for key in {**one, **other}]
    elif isinstance(one, list) and isinstance(other, list):
        pairs = [(f"{where}[{index}]", *pair) for index, pair in enumerate(zip_longest(one, other, fillvalue=_MISSING))]
    else:
        return (
            "" if one == other and type(one) is type(other) else f"{where.lstrip('.')}: {_short(one)} | {_short(other)}"
        )
    return next(filter(None, (first_difference(a, b, path) for path, a, b in pairs)), "")


def _masked(value: Any) -> Any:
    """Without the number of the upstream's answer, which counts the requests of both runs together."""
    return json.loads(_UPSTREAM_REQUEST_ID.sub("req_N", json.dumps(value)))


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _upstream_difference(direct: Run, proxied: Run) -> str:
    if len(direct.seen) != len(proxied.seen):
        return f"{len(direct.seen)} requests without nightschool, {len(proxied.seen)} with it"
    for number, (plain, passed) in enumerate(zip(direct.seen, proxied.seen, strict=True)):
        asked, told = _as_seen(plain), _as_seen(passed)
        _take_back_usage(asked, told)
        if difference := first_difference(asked, told):
            return f"request {number} ({plain.target}): {difference}"
    return ""


def _as_seen(seen: Seen) -> Json:
    """A request without what belongs to its connection alone, or is drawn anew for each request."""
    headers = sorted(
        [name.lower(), _RANDOM.sub("RANDOM", value)]
        for name, value in seen.headers
        if name.lower() not in OF_ONE_CONNECTION
    )
    return {"method": seen.method, "target": seen.target, "headers": headers, "body": _body(seen)}


def _body(seen: Seen) -> Any:
    try:
        return seen.json()
    except ValueError:  # an upload, or one that is longer than what the upstream keeps
        return seen.body_sha256 if "multipart/" not in (seen.header("content-type") or "") else seen.body_bytes


def _take_back_usage(asked: Json, told: Json) -> None:
    """Drop ``stream_options`` where the proxy has asked for the usage of a stream and the client has not."""
    plain, passed = asked["body"], told["body"]
    silent = isinstance(plain, dict) and plain.get("stream") and "stream_options" not in plain
    if silent and passed.get("stream_options") == {"include_usage": True}:
        del passed["stream_options"]
