"""Callers as the record knows them.

A keyed hash of the credential, so that one caller can be told from another and nobody learns the key.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from nightschool.store.secret import kept_secret

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
    """The data folder's secret for callers."""
    return kept_secret(data, "client-hash")
