"""Sessions: a signed cookie says that its bearer has given the password, and ties forms to one browser.

Nothing is kept on the server, so a restart ends no session; another password ends all of them.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import NamedTuple

from itsdangerous import BadSignature, URLSafeTimedSerializer

LASTS_S = 12 * 3600


class Session(NamedTuple):
    """Of one browser."""

    id: str
    logged_in: bool


class Sessions:
    """Cookies under one secret and one password, or none."""

    def __init__(self, secret: bytes, password_hash: str | None) -> None:
        self._secret = secret
        self._cookies = URLSafeTimedSerializer(secret, salt=f"session {password_hash}")

    def begin(self, *, logged_in: bool) -> Session:
        return Session(secrets.token_hex(16), logged_in)

    def cookie(self, session: Session) -> str:
        return str(self._cookies.dumps([session.id, session.logged_in]))

    def read(self, cookie: str | None) -> Session | None:
        """None for one that is not ours, was changed, or is too old."""
        try:
            identity, logged_in = self._cookies.loads(cookie or "", max_age=LASTS_S)
        except (BadSignature, ValueError, TypeError):
            return None
        return Session(str(identity), bool(logged_in))

    def token(self, session: Session) -> str:
        """What every form has to send back: another site cannot know it."""
        return hmac.new(self._secret, f"form {session.id}".encode(), hashlib.sha256).hexdigest()

    def is_token(self, session: Session, token: str) -> bool:
        return hmac.compare_digest(self.token(session).encode(), token.encode("utf-8", "replace"))
