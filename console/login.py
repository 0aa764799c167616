"""The login: one password, few attempts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from console.access import Access, checked_form
from console.attempts import Attempts
from console.desk import Desk
from console.password import fits


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()
    attempts = Attempts()

    @router.get("/login")
    def form(request: Request) -> Response:
        return desk.pages.render(
            request, "login", title="Log in", to=_inside(request.query_params.get("next")), said=""
        )

    @router.post("/login")
    async def log_in(request: Request, given: Annotated[FormData, Depends(checked_form)]) -> Response:
        access: Access = request.state.access
        to = _inside(str(given.get("next", "")))
        address = request.client.host if request.client else ""
        wait_s = attempts.wait_s(address)
        if wait_s > 0:
            said = f"Too many wrong passwords. Wait {wait_s:.0f} seconds."
            page = desk.pages.render(request, "login", status=429, title="Log in", to=to, said=said)
            page.headers["retry-after"] = f"{wait_s:.0f}"
            return page
        hashed = access.settings.password_hash
        attempts.failed(address)  # before the hash, which takes long: many at once must not slip through
        if hashed is None or not await run_in_threadpool(fits, str(given.get("password", "")), hashed):
            return desk.pages.render(
                request, "login", status=403, title="Log in", to=to, said="That is not the password."
            )
        attempts.succeeded(address)
        response = RedirectResponse(to, status_code=303)
        access.give_cookie(response, access.sessions.begin(logged_in=True))
        return response

    @router.post("/logout")
    def log_out(request: Request, given: Annotated[FormData, Depends(checked_form)]) -> Response:
        access: Access = request.state.access
        response = RedirectResponse("/login" if access.needs_password else "/", status_code=303)
        access.take_cookie(response)
        return response

    return router


def _inside(path: str | None) -> str:
    """A path of this console: a login leads nowhere else."""
    safe = path and path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if path and safe else "/"
