"""Which extra request headers an upstream may be given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

TOKEN = re.compile(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
CREDENTIALS = frozenset({"authorization", "proxy-authorization", "api-key", "x-api-key", "cookie"})
"""Headers that say who is asking, in lower case."""
SECRET_NAME = re.compile(r"(^|[-_])(authorization|cookie|key|token|secret|password)($|[-_])", re.IGNORECASE)
"""Names of headers whose values are secrets, so that they must come from the environment."""

_SET_BY_API_KEY = {"authorization", "api-key"}
_SET_BY_THE_PROXY = {
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
_UNFIT = re.compile(r"[^\x20-\x7e\t]")


def header_faults(headers: Mapping[str, Any], *, api_key_is_set: bool) -> Iterator[tuple[str, str]]:
    """(name, what is wrong with it); values are never repeated, they may be secrets."""
    seen: set[str] = set()
    for name, value in headers.items():
        lower = name.lower()
        if not TOKEN.match(name):
            yield name, "is not a header name: letters, digits and '-' only"
        elif lower in _SET_BY_THE_PROXY or lower.startswith("x-nightschool-"):
            yield name, "is set by the proxy or its client; leave it out"
        elif lower in _SET_BY_API_KEY and api_key_is_set:
            yield name, "is already set by api_key; keep one of the two"
        elif lower in seen:
            yield name, "is given twice; names of headers do not differ by case"
        if isinstance(value, str) and _UNFIT.search(value):
            yield name, "has a line break or a character that no header can carry"
        seen.add(lower)
