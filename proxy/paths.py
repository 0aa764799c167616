"""Which paths are the API, and what they are called below its base.

/v1/chat/completions                              -> /chat/completions
/openai/deployments/my-gpt/chat/completions       -> /chat/completions, deployment my-gpt
/openai/v1/chat/completions                       -> /chat/completions
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

_DOTS = re.compile(rb"(?:/|%2f)(?:\.|%2e){1,2}(?:/|%2f|$)", re.IGNORECASE)
_BEFORE_PATH = re.compile(rb"https?://[^/?#]+", re.IGNORECASE)
_AZURE = re.compile(r"/openai(?:/deployments/(?P<deployment>[^/]+)|/v1)?(?P<endpoint>/.*)?", re.DOTALL)

API_PREFIXES = (b"/v1/", b"/openai/")


class ApiPath(NamedTuple):
    endpoint: str
    """Still percent-encoded, as the client sent it."""
    deployment: str | None
    """Name of the Azure deployment in the path, decoded."""


_CHAT = ApiPath("/chat/completions", None)


def api_path(raw_path: bytes) -> ApiPath:
    """For a path that begins with one of ``API_PREFIXES``."""
    if raw_path == b"/v1/chat/completions":
        return _CHAT
    if raw_path.startswith(b"/v1/"):
        return ApiPath(raw_path[3:].decode("latin-1"), None)
    match = _AZURE.fullmatch(raw_path.decode("latin-1"))
    assert match is not None
    deployment = match["deployment"]
    return ApiPath(match["endpoint"] or "/", unquote(deployment) if deployment else None)


def origin_form(target: bytes) -> bytes:
    """Path and query of a request's target, also of one that names the host (RFC 9112 section 3.2.2); others stay."""
    before = _BEFORE_PATH.match(target)
    if before is None:
        return target
    path = target[before.end() :]
    return path if path.startswith(b"/") else b"/" + path


def climbs(raw_path: bytes) -> bool:
    """The path has ``.`` or ``..`` segments, with which it could leave the base path of an upstream."""
    return (b"." in raw_path or b"%2" in raw_path) and _DOTS.search(raw_path) is not None
