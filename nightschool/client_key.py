"""Keys with which clients ask this proxy: made here, shown once, kept nowhere; what is kept is a hash.

A key has 256 random bits, so nobody can guess one from its hash, and a plain SHA-256 is enough. Salt and a slow hash
are for passwords, which people choose; here they would cost every request milliseconds and make nothing safer.
"""

from __future__ import annotations

import hashlib
import re
import secrets

PREFIX = "nsk-"
KEY_HASH = r"^sha256:[0-9a-f]{64}$"

_PREFIX = PREFIX.encode()
_KEY = re.compile(_PREFIX + rb"[A-Za-z0-9_-]{43}")


def new_key() -> str:
    """``nsk-`` and 32 random bytes in base64 for URLs."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(key: bytes) -> str:
    """As it stands in the configuration."""
    return "sha256:" + hashlib.sha256(key).hexdigest()


def holds_key(value: bytes) -> bool:
    """Whether a header's value is, or holds, the key of a client of some nightschool proxy."""
    return _PREFIX in value and _KEY.search(value) is not None
