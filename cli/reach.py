"""Whether an upstream can be reached: one GET of its list of models, whose body is not looked at."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx

from cli.findings import Finding, clock
from nightschool.config import Upstream

TIMEOUT_S = 3.0


def reach(name: str, upstream: Upstream) -> Iterator[Finding]:
    """What the upstream said, and whether its clock agrees with ours."""
    place = f"upstream {name} ({upstream.base_url})"
    try:
        with httpx.Client(timeout=TIMEOUT_S, verify=_trust(upstream.verify_tls)) as client:
            answer = client.get(_models_url(upstream), headers=_headers(upstream))
    except httpx.TimeoutException:
        yield Finding("problem", f"{place}: no answer within {TIMEOUT_S:g} s", "check the network, and HTTPS_PROXY")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, ImportError) as error:  # the last two: an odd HTTPS_PROXY
        yield Finding("problem", f"{place}: {error}", "check base_url, the network, HTTPS_PROXY and verify_tls")
    except OSError as error:  # the file of authorities cannot be read, or holds none
        yield Finding("problem", f"{place}: verify_tls: {error}", "name a PEM file with certificates")
    else:
        milliseconds = answer.elapsed.total_seconds() * 1000
        yield judge(place, answer.status_code, milliseconds, brings_key=upstream.api_key is not None)
        yield from _skew(answer.headers.get("date"), answer.status_code)


def judge(place: str, status: int, milliseconds: float, *, brings_key: bool) -> Finding:
    """Any answer proves that the upstream is there; only some are good news."""
    what = f"{place}: status {status} in {milliseconds:.0f} ms"
    if status in (401, 403) and brings_key:
        return Finding("problem", what, "the upstream refuses this api_key; check the variable's value")
    if status in (401, 403):
        return Finding("ok", f"{what}, as it should be without a key: callers bring their own")
    if status == 404:
        return Finding("ok", f"{what}; it is there, but has no list of models")
    if 300 <= status < 400:
        return Finding("warning", what, "write where it redirects to into base_url; redirects are not followed")
    if status >= 500:
        return Finding("warning", what, "the upstream has a problem of its own; try again later")
    return Finding("ok", what)


def _models_url(upstream: Upstream) -> str:
    if upstream.kind == "azure":
        return f"{upstream.root}/openai/models?api-version={upstream.api_version}"
    return f"{upstream.root}/models"


def _headers(upstream: Upstream) -> dict[str, str]:
    headers = dict(upstream.headers)
    if upstream.api_key is not None:
        key = upstream.api_key.get_secret_value()
        headers |= {"api-key": key} if upstream.kind == "azure" else {"authorization": f"Bearer {key}"}
    return headers


def _trust(verify_tls: bool | Path) -> bool | ssl.SSLContext:
    return ssl.create_default_context(cafile=verify_tls) if isinstance(verify_tls, Path) else verify_tls


def _skew(date: str | None, status: int) -> Iterator[Finding]:
    """Only a finding that is not ok; a gateway's error page may carry any date."""
    if date is None or status >= 500:
        return
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return
    finding = clock(datetime.now(UTC), theirs.astimezone(UTC))
    if finding.level != "ok":
        yield finding
