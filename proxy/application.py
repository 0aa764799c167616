"""The FastAPI application behind the door: feedback, health, metrics."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from nightschool.record import Feedback
from proxy.clients.known import KnownClients
from proxy.journal import Journal
from proxy.metrics import Metrics

OPEN_PATHS = ("/healthz", "/readyz")
"""Whoever looks after the process may ask for these, with a key or without."""
_READ = ["GET", "HEAD"]


class FeedbackBody(BaseModel):
    """What somebody thought of one exchange; at least a score or a comment."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")]
    """Of the exchange: the response header ``x-nightschool-id``."""
    score: Annotated[float, Field(strict=True, allow_inf_nan=False)] | None = None
    comment: Annotated[str, Field(max_length=10_000)] | None = None
    user: Annotated[str, Field(max_length=200)] | None = None


class ClientsOnly:
    """Strangers get nothing but health, where the configuration names clients."""

    def __init__(self, application: ASGIApp, *, metrics: Metrics, clients: Callable[[], KnownClients | None]) -> None:
        self._application = application
        self._metrics = metrics
        self._clients = clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        known = self._clients()
        refused = None
        if known is not None and scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            refused = known.is_stranger(dict(scope["headers"]))
        if refused is None:
            await self._application(scope, receive, send)
            return
        self._metrics.count("nightschool_refused", str(refused.status))
        headers = {name.decode(): value.decode() for name, value in refused.headers}
        await Response(refused.body, refused.status, headers, "application/json")(scope, receive, send)


def build_application(
    journal: Journal,
    metrics: Metrics,
    *,
    draining: Callable[[], bool],
    redacted: Callable[[str], str],
    clients: Callable[[], KnownClients | None] = lambda: None,
) -> FastAPI:
    """Everything that is not forwarded."""
    application = FastAPI(title="nightschool proxy", docs_url=None, redoc_url=None, openapi_url=None)

    application.add_middleware(ClientsOnly, metrics=metrics, clients=clients)

    @application.api_route("/healthz", methods=_READ)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @application.api_route("/readyz", methods=_READ)
    async def readyz(response: Response) -> dict[str, object]:
        """Recording that fails does not make the proxy unready: traffic goes on without it."""
        stopping = draining()
        response.status_code = 503 if stopping else 200
        state = journal.state
        return {
            "status": "draining" if stopping else "ready",
            "recording": {
                "behind": state.behind,
                "frames_lost": state.lost,
                "queued_bytes": state.queued_bytes,
                "last_error": state.last_error,
            },
        }

    @application.api_route("/metrics", methods=_READ)
    async def exposition() -> Response:
        metrics.publish(journal.state)
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @application.post("/nightschool/v1/feedback", status_code=202)
    async def feedback(body: FeedbackBody) -> JSONResponse:
        if body.score is None and body.comment is None:
            return _error(400, "feedback needs a score or a comment", param="score")
        given = Feedback(
            exchange_id=body.id,
            time_us=time.time_ns() // 1000,
            score=body.score,
            comment=body.comment and redacted(body.comment),
            user=body.user and redacted(body.user),
        )
        if not journal.feedback(given):
            return _error(503, "the feedback could not be written to the disk; send it again later")
        return JSONResponse({"id": body.id, "status": "recorded"}, status_code=202)

    @application.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        hint = " (the API is under /v1: does your base_url end in /v1?)" if error.status_code == 404 else ""
        answer = _error(error.status_code, f"{request.method} {request.url.path}: {error.detail}{hint}")
        answer.headers.update(error.headers or {})  # of a 405: Allow
        return answer

    @application.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        return _error(400, f"{where or 'body'}: {first['msg']}", param=where or None)

    return application


def _error(status: int, message: str, *, param: str | None = None) -> JSONResponse:
    error = {"message": f"nightschool: {message}", "type": "invalid_request_error", "param": param, "code": None}
    return JSONResponse({"error": error}, status_code=status)
