"""Passwords as the configuration holds them: ``scrypt:<n>:<r>:<p>:<salt>:<hash>``, hexadecimal (RFC 7914)."""

from __future__ import annotations

import hashlib
import hmac
import os

_N, _R, _P = 1 << 15, 8, 1
_LENGTH = 32
_MEMORY_BYTES = 128 * 1024 * 1024


def hash_of(password: str) -> str:
    """A new one each time: the salt is random."""
    return _written(password, os.urandom(16), _N, _R, _P)


def fits(password: str, hashed: str) -> bool:
    """Whether this is the password; takes about a tenth of a second, which is the point."""
    _, n, r, p, salt, _ = hashed.split(":")
    return hmac.compare_digest(_written(password, bytes.fromhex(salt), int(n), int(r), int(p)), hashed)


def _written(password: str, salt: bytes, n: int, r: int, p: int) -> str:
    text = password.encode("utf-8", "replace")
    made = hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, dklen=_LENGTH, maxmem=_MEMORY_BYTES)
    return f"scrypt:{n}:{r}:{p}:{salt.hex()}:{made.hex()}"
