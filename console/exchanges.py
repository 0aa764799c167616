"""Exchanges: the list with its filters, and one of them whole."""

from __future__ import annotations

from typing import Any, NamedTuple

import duckdb
from fastapi import APIRouter, Request, Response

from console.browse import Found, Place, newer, older
from console.desk import Desk
from console.filters import Asked, asked
from console.questions import CHARACTERS
from console.readable import pretty, shown
from console.routed import in_words
from distill.labels.newest import newest_label
from nightschool.store.filter import NO_WORKLOAD
from nightschool.store.listing import Row, feedback_about, one
from nightschool.wire.turns import turns


class Listed(NamedTuple):
    """A row of the list."""

    row: Row
    question: str
    href: str


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get("/exchanges")
    def exchanges(request: Request) -> Response:
        wanted = asked(request.query_params)
        behind = Place.read(request.query_params.get("behind", ""))
        found = older(desk.asking, wanted.filters, behind)
        workloads = [*desk.workloads(_recorded(desk)), NO_WORKLOAD]
        told = listing(wanted, behind, found, workloads=workloads, listen=desk.config.listen)
        return desk.pages.render(request, "exchanges", **told)

    @router.get("/exchanges/{identity}")
    def exchange(request: Request, identity: str) -> Response:
        wanted = asked(request.query_params)
        row = one(desk.data, identity)
        here = Place.of(row)
        later = newer(desk.asking, wanted.filters, here)
        earlier = older(desk.asking, wanted.filters, here, limit=1)
        return desk.pages.render(
            request,
            "exchange",
            title=f"Exchange {row['id'][-12:]}",
            row=row,
            turns=shown(turns(row)),
            why=in_words(row["target"], row["reason"]),
            request_json=pretty(row["request"]),
            response_json=pretty(row["response"]),
            feedback=feedback_about(desk.data, row["id"]),
            label=desk.asking.ask(lambda store: newest_label(store, row["id"])),
            newer=_href(later, wanted) if later else "",
            older=older_href(earlier, wanted),
            back=f"/exchanges{wanted.query}",
        )

    return router


def listing(wanted: Asked, behind: Place | None, found: Found, *, workloads: list[str], listen: str) -> dict[str, Any]:
    """What the list's page tells."""
    return {
        "title": "Exchanges",
        "wanted": wanted,
        "rows": [_listed(row, wanted) for row in found.rows],
        "next": wanted.with_(behind=str(found.after)) if found.after else "",
        "searched_to": found.searched_to,
        "first_page": behind is None,
        "workloads": workloads,
        "listen": listen,
    }


def older_href(found: Found, wanted: Asked) -> str:
    """Of the next older one; where looking for it takes too long, of the list, which goes on looking."""
    if found.rows:
        return _href(found.rows[0], wanted)
    return f"/exchanges{wanted.with_(behind=str(found.after))}" if found.after else ""


def _recorded(desk: Desk) -> list[str]:
    """Workloads, for the menu."""

    def question(store: duckdb.DuckDBPyConnection) -> list[str]:
        found = store.execute("select distinct workload from exchanges where workload is not null").fetchall()
        return [name for (name,) in found]

    return desk.asking.remembered("recorded", lambda: desk.asking.ask(question))


def _listed(row: Row, wanted: Asked) -> Listed:
    return Listed(row, row["last_question"][:CHARACTERS], _href(row, wanted))


def _href(row: Row, wanted: Asked) -> str:
    return f"/exchanges/{row['id']}{wanted.query}"
