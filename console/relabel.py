"""Relabel: the doubtful answers one after the other, each to be confirmed or put right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from console.access import checked_form
from console.alternatives import Alternative, alternatives
from console.author import author_of, given_author, remember_author
from console.desk import Desk
from console.doubtful import Doubt, doubtful
from console.editing import Fields, fields_given, fields_of, message_of
from console.questions import last_questions
from console.readable import pretty, question, tools_of
from distill.labels.answer import logged_answer
from distill.labels.newest import NewestLabel, newest_label
from distill.labels.write import write_label
from distill.score.scorer import Question
from nightschool.store.listing import Row, one
from nightschool.wire import json_text
from nightschool.wire.turns import document

SOURCE = "human"
_LISTED = 50


class Queued(NamedTuple):
    """A row of the queue."""

    doubt: Doubt
    question: str
    href: str


class About(NamedTuple):
    """An exchange in the editor."""

    row: Row
    others: list[Alternative]
    label: NewestLabel | None


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get("/relabel")
    def listing(request: Request, workload: str = "") -> Response:
        queue = _queue(desk, workload)
        return desk.pages.render(
            request,
            "relabel",
            title="Relabel",
            rows=_listed(desk, queue[:_LISTED], workload),
            waiting=len(queue),
            workload=workload,
            workloads=desk.workloads(),
            saved=request.query_params.get("saved", ""),
        )

    @router.get("/relabel/{identity}")
    def editor(request: Request, identity: str, workload: str = "") -> Response:
        row = one(desk.data, identity)
        others = alternatives(desk, row)
        chosen = next((one for one in others if one.key == request.query_params.get("take")), None)
        label = _label(desk, row)
        start = chosen.message if chosen else label.answer if label else logged_answer(row["response"])
        return _editor(desk, request, About(row, others, label), fields_of(start), workload, faults=[])

    @router.post("/relabel/{identity}")
    def save(request: Request, identity: str, form: Annotated[FormData, Depends(checked_form)]) -> Response:
        row, fields, workload = one(desk.data, identity), fields_given(form), str(form.get("workload", ""))
        saving = form.get("do") == "save"
        message, faults = message_of(fields, _question(row)) if saving else ({}, [])
        if faults or not saving:
            about = About(row, alternatives(desk, row), _label(desk, row))
            return _editor(desk, request, about, fields, workload, faults=faults)
        following = _following(desk, workload, row["id"])
        author = given_author(request, str(form.get("author", "")))
        write_label(desk.data, row["id"], message, author=author, source=SOURCE)
        desk.asking.forget()
        response = RedirectResponse(_href(following, workload, saved=row["id"]), status_code=303)
        remember_author(response, author)
        return response

    return router


def _editor(
    desk: Desk, request: Request, about: About, fields: Fields, workload: str, *, faults: list[str]
) -> Response:
    row, queue = about.row, _queue(desk, workload)
    doubt = next((each for each in queue if each.exchange == row["id"]), None)
    asked = _question(row)
    return desk.pages.render(
        request,
        "editor",
        status=422 if faults else 200,
        title="Relabel",
        row=row,
        question=question(row["request"]),
        tools=tools_of(row["request"]),
        format=pretty(json_text.encode(asked.response_format).decode()) if asked.response_format else "",
        fields=fields,
        faults=faults,
        doubt=doubt,
        waiting=len(queue),
        others=about.others,
        label=about.label,
        can_be_learned=row["endpoint"] == "/chat/completions" and row["request"] is not None,
        author=author_of(request),
        workload=workload,
        skip=_href(_following(desk, workload, row["id"]), workload),
        saved=request.query_params.get("saved", ""),
    )


def _label(desk: Desk, row: Row) -> NewestLabel | None:
    return desk.asking.ask(lambda store: newest_label(store, row["id"]))


def _queue(desk: Desk, workload: str) -> list[Doubt]:
    return doubtful(desk.asking, [workload] if workload else desk.workloads())


def _following(desk: Desk, workload: str, identity: str) -> str | None:
    """The exchange behind this one in the queue, or the first of it; None at its end."""
    waiting = [doubt.exchange for doubt in _queue(desk, workload)]
    at = waiting.index(identity) + 1 if identity in waiting else 0
    rest = [each for each in (*waiting[at:], *waiting[:at]) if each != identity]
    return rest[0] if rest else None


def _href(identity: str | None, workload: str, *, saved: str = "") -> str:
    told = {name: value for name, value in (("workload", workload), ("saved", saved)) if value}
    query = f"?{urlencode(told)}" if told else ""
    return f"/relabel/{identity}{query}" if identity else f"/relabel{query}"


def _listed(desk: Desk, doubts: Sequence[Doubt], workload: str) -> list[Queued]:
    known = last_questions(desk.asking, [doubt.exchange for doubt in doubts])
    return [Queued(each, known.get(each.exchange, ""), _href(each.exchange, workload)) for each in doubts]


def _question(row: Row) -> Question:
    """What the answer has to keep to."""
    body = document(row["request"])
    if not isinstance(body, dict):
        return Question([])
    tools, form = body.get("tools") or body.get("functions"), body.get("response_format")
    return Question(
        messages=[],
        tools=[tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else [],
        response_format=form if isinstance(form, dict) else None,
    )
