"""Who gets to see a page, and whose forms count.

    Host that we go by? -> session from the cookie -> logged in, where a password is set? -> form from one of our pages?

The first stops a foreign page that makes its own name lead to this machine (DNS rebinding); the last a foreign page
that makes a browser send our forms.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal
from urllib.parse import quote, urlsplit

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from console.session import LASTS_S, Session, Sessions
from nightschool.config.console import Console
from nightschool.config.hosts import LOOPBACK_NAMES, is_loopback
from nightschool.errors import NightschoolError

_OPEN = ("/login", "/healthz")
_SAME_SITE: Literal["lax"] = "lax"
"""Not strict: who follows a link from elsewhere would come without the cookie, and the new one would end the login.

Pages change nothing; forms, which do, are not sent with it by another site, and are refused besides.
"""
_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": _CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


_FORM_BYTES = 8 << 20
"""A label may be a long text, and one byte of it three on the way."""
_LOGIN_BYTES = 16 << 10
"""Of a form that anyone can send; the address to go on to is the longest in it."""


class FormRefused(NightschoolError):
    """A form that was not sent by one of our pages, or by one that is too old; or one that none of them sends."""

    def __init__(self, problem: str, *, remedy: str, status: int = 403) -> None:
        self.status = status
        super().__init__(problem, remedy=remedy)


class Guard:
    """In front of every route: the rules by the settings in force, which may change while pages are served."""

    def __init__(self, settings: Callable[[], Console], secret: bytes) -> None:
        self._settings, self._secret = settings, secret
        self._access = Access(settings(), secret)

    async def __call__(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        access = self._in_force(await run_in_threadpool(self._settings))  # they may have to be read from a disk
        request.state.access = access
        return await access.guarded(request, call_next)

    def _in_force(self, settings: Console) -> Access:
        """Listening goes on where it began: where that is open to others, a password goes only for another one."""
        known = self._access.settings
        hashed = settings.password_hash
        if hashed is None and not is_loopback(known.host):
            hashed = known.password_hash
        followed = known.model_copy(update={"password_hash": hashed, "url": settings.url})
        if followed != known:
            self._access = Access(followed, self._secret)
        return self._access


class Access:
    """The rules of one console, by one state of its settings."""

    def __init__(self, settings: Console, secret: bytes) -> None:
        self.settings = settings
        self.sessions = Sessions(secret, settings.password_hash)
        self._hosts = _hosts(settings)

    @property
    def needs_password(self) -> bool:
        return self.settings.password_hash is not None

    @property
    def _safe(self) -> bool:
        """Whether browsers come by https."""
        return self.settings.url is not None and self.settings.url.startswith("https:")

    @property
    def _cookie(self) -> str:
        return "__Host-nightschool" if self._safe else "nightschool"

    def give_cookie(self, response: Response, session: Session) -> None:
        response.set_cookie(
            self._cookie,
            self.sessions.cookie(session),
            max_age=LASTS_S,
            httponly=True,
            secure=self._safe,
            samesite=_SAME_SITE,
        )

    def take_cookie(self, response: Response) -> None:
        response.delete_cookie(self._cookie, httponly=True, secure=self._safe, samesite=_SAME_SITE)

    async def guarded(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        refused = self._refusal(request)
        response = refused if refused is not None else await self._answer(request, call_next)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("cache-control", "no-store")
        return response

    def _refusal(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            return PlainTextResponse(
                f"nightschool: {host!r} is no name of this console; go to it by one of "
                f"{', '.join(sorted(self._hosts))}, or set console.url\n",
                status_code=421,
            )
        if request.method not in ("GET", "HEAD") and not _is_ours(request, host):
            return PlainTextResponse("nightschool: this form was sent by another site\n", status_code=403)
        return None

    async def _answer(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        known = self.sessions.read(request.cookies.get(self._cookie))
        session = known or self.sessions.begin(logged_in=False)
        request.state.session, request.state.token = session, self.sessions.token(session)
        request.state.can_log_out = self.needs_password and session.logged_in
        path = request.url.path
        is_open = path in _OPEN or path.startswith("/static/")
        if self.needs_password and not session.logged_in and not is_open:
            return _to_login(request)
        response = await call_next(request)
        if known is None and not path.startswith("/static/") and "set-cookie" not in response.headers:
            self.give_cookie(response, session)
        return response


async def checked_form(request: Request) -> FormData:
    """The fields of a form; FormRefused unless a page of ours was made for the bearer of its cookie."""
    _check_length(request)
    form = await request.form(max_files=0, max_part_size=_FORM_BYTES)
    access: Access = request.state.access
    if not access.sessions.is_token(request.state.session, str(form.get("token", ""))):
        raise FormRefused("this page is too old to be sent", remedy="load it again, and repeat what you did")
    return form


def _check_length(request: Request) -> None:
    """Before anything of it is read: the token that tells whose form it is stands among the rest."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or "transfer-encoding" in request.headers:
        raise FormRefused("a form must say how long it is", remedy="send it with a Content-Length", status=411)
    most = _LOGIN_BYTES if request.url.path == "/login" else _FORM_BYTES
    if int(length) > most:
        raise FormRefused(
            f"a form of {length} bytes is too long: at most {most} are read here", remedy="shorten it", status=413
        )


def _hosts(settings: Console) -> frozenset[str] | None:
    """Names to go by; None is any, where a password keeps strangers out and no name was given."""
    if not is_loopback(settings.host) and settings.url is None:
        return None
    own = (settings.host,) if settings.url is None else (settings.host, urlsplit(settings.url).hostname or "")
    return frozenset(name.lower() for name in (*LOOPBACK_NAMES, *own))


def _name(host: str) -> str:
    """Of a Host header, without port and brackets."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_ours(request: Request, host: str) -> bool:
    """What browsers say of where a form comes from; those that say nothing have the token to show."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == host


def _to_login(request: Request) -> Response:
    if request.method not in ("GET", "HEAD") or request.headers.get("x-live"):
        return PlainTextResponse("nightschool: log in again\n", status_code=401)
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?next={quote(path, safe='')}", status_code=303)
