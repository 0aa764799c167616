"""Who a change or a label is by: the name that a person has given here before, else the login of this process."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from fastapi import Request, Response

from nightschool.login import login_name

_COOKIE = "nightschool-author"
_LONGEST = 60
_KEPT_S = 365 * 86_400


def author_of(request: Request) -> str:
    """To fill the field of a form with."""
    return _clean(unquote(request.cookies.get(_COOKIE, ""))) or login_name()


def given_author(request: Request, given: str) -> str:
    """Of a form that was sent. Nobody can pass for a job of ours."""
    return _clean(given) or author_of(request)


def remember_author(response: Response, name: str) -> None:
    response.set_cookie(_COOKIE, quote(name), max_age=_KEPT_S, httponly=True, samesite="lax")


def _clean(name: str) -> str:
    return re.sub(r"[^\w .@+-]", "", name).strip()[:_LONGEST]
