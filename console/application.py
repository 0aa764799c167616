"""The pages put together: rules of access in front, one router for each page, errors as pages of their own."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from console import adapters, datasets, decisions, evaluations, exchanges, login, overview, relabel, routing, runs
from console.access import FormRefused, Guard
from console.desk import Desk
from nightschool.errors import NightschoolError, StoreBusy, StoreError
from nightschool.registry.steps import StepRefused
from nightschool.store.listing import UnknownExchange
from nightschool.store.secret import kept_secret

_STATIC = Path(__file__).parent / "static"
_PAGES = (login, overview, exchanges, relabel, datasets, runs, evaluations, decisions, adapters, routing)


def build_application(desk: Desk) -> FastAPI:
    """The console over one data folder."""
    application = FastAPI(title="nightschool console", docs_url=None, redoc_url=None, openapi_url=None)
    application.middleware("http")(Guard(lambda: desk.config.console, kept_secret(desk.data, "console")))
    application.mount("/static", StaticFiles(directory=_STATIC))
    for page in _PAGES:
        application.include_router(page.routes(desk))

    @application.get("/healthz")
    def healthz() -> Response:
        return PlainTextResponse("ok\n")

    @application.exception_handler(HTTPException)
    def missing(request: Request, error: HTTPException) -> Response:
        title = HTTPStatus(error.status_code).phrase
        return desk.pages.render(
            request, "problem", status=error.status_code, title=title, problem=str(error.detail), remedy=""
        )

    @application.exception_handler(RequestValidationError)
    def unreadable(request: Request, error: RequestValidationError) -> Response:
        names = ", ".join(sorted({str(one["loc"][-1]) for one in error.errors()}))
        return desk.pages.render(
            request,
            "problem",
            status=422,
            title="This address is not understood",
            problem=f"what it says of {names} is of another kind than it must be",
            remedy="",
        )

    @application.exception_handler(NightschoolError)
    def refused(request: Request, error: NightschoolError) -> Response:
        status = _status(error)
        title = "This cannot be done" if status < 500 else "This cannot be read"
        return desk.pages.render(
            request, "problem", status=status, title=title, problem=error.problem, remedy=error.remedy
        )

    return application


def _status(error: NightschoolError) -> int:
    match error:
        case FormRefused():
            return error.status
        case UnknownExchange():
            return 404
        case StoreBusy() | StepRefused():
            return 409
        case StoreError():
            return 500
        case _:
            return 400
