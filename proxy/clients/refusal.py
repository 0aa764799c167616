"""What a client is told that may not, in OpenAI's shapes, so that its library raises what it raises for OpenAI."""

from __future__ import annotations

import math
from typing import NamedTuple

from proxy.answers import error_object


class Refusal(NamedTuple):
    """A whole answer."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def lines(self) -> bytes:
        """The headers as they go out."""
        return b"".join(b"%b: %b\r\n" % header for header in self.headers)


def stranger(*, brings_key: bool) -> Refusal:
    """401: who asks has no key, or one that is not known."""
    what = "this key is not known" if brings_key else "a key is missing"
    return _refusal(
        401,
        f"{what}: ask whoever runs this proxy for one, and send it as your API key",
        "invalid_request_error",
        code="invalid_api_key",
        headers=((b"www-authenticate", b"Bearer"),),
    )


def too_often(client: str, per_minute: int, wait_s: float) -> Refusal:
    """429 that goes away by itself; OpenAI's clients wait as long as they are told, and ask again."""
    milliseconds = max(1, math.ceil(wait_s * 1000))
    return _refusal(
        429,
        f"{client} has used up its {per_minute} requests per minute; one more may come in {milliseconds} ms",
        "requests",
        code="rate_limit_exceeded",
        headers=(
            (b"retry-after", b"%d" % math.ceil(milliseconds / 1000)),
            (b"retry-after-ms", b"%d" % milliseconds),
        ),
    )


def too_much(client: str, usd: float, period: str, wait_s: float) -> Refusal:
    """429 that does not go away soon, so that clients are told not to try again."""
    return _refusal(
        429,
        f"{client} has spent its {usd:g} USD per {period} (UTC)",
        "insufficient_quota",
        code="insufficient_quota",
        headers=((b"retry-after", b"%d" % math.ceil(wait_s)), (b"x-should-retry", b"false")),
    )


def elsewhere(client: str, workload: str | None) -> Refusal:
    """403: it is not for this that the client has its key."""
    what = "what belongs to no workload" if workload is None else f"the workload {workload}"
    return _refusal(
        403, f"{client} may not ask for {what}", "invalid_request_error", code="workload_not_allowed", param="model"
    )


def beside_the_path(client: str) -> Refusal:
    """403: only what the client's workloads are asked for."""
    return _refusal(
        403,
        f"{client} may use its workloads only, by POST to a path that answers with a model",
        "invalid_request_error",
        code="workload_not_allowed",
        param="path",
    )


def unrecorded(client: str) -> Refusal:
    """403: a budget is read from records."""
    return _refusal(
        403,
        f"{client} has a budget, so its requests are recorded: leave out x-nightschool-record: off",
        "invalid_request_error",
        code="recording_required",
        param="x-nightschool-record",
    )


def _refusal(
    status: int,
    message: str,
    error_type: str,
    *,
    code: str,
    param: str | None = None,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> Refusal:
    return Refusal(status, headers, error_object(f"nightschool: {message}", error_type, code=code, param=param))
