"""Callers as the record knows them.

A keyed hash of the credential, so that one caller can be told from another and nobody learns the key.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

MAX_REMEMBERED = 10_000


class Callers:
    """Pseudonyms under one secret; the same credential has the same pseudonym for as long as the secret is kept."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._pseudonyms: dict[bytes, str] = {}

    def pseudonym(self, credential: bytes) -> str:
        """16 hex digits of a keyed BLAKE2b (RFC 7693)."""
        known = self._pseudonyms.get(credential)
        if known is None:
            if len(self._pseudonyms) >= MAX_REMEMBERED:
                self._pseudonyms.clear()
            known = hashlib.blake2b(credential, key=self._secret, digest_size=8).hexdigest()
            self._pseudonyms[credential] = known
        return known


def caller_secret(data: Path) -> bytes:
    """The folder's secret, made by whoever needs it first."""
    path = data / "keys" / "client-hash.key"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    if not path.exists():
        fresh.touch(mode=0o600)
        fresh.write_bytes(os.urandom(32))
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()
