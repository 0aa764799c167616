"""Routing: who answers, since when, what has changed it, and the buttons that change it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, NamedTuple
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from console.access import checked_form
from console.author import author_of, given_author, remember_author
from console.desk import Desk
from console.glance import Glance, glance_of
from console.hands import action_of, hands, if_still, seen, step_of
from console.registry import Registry, read_registry
from nightschool.config import Config, read_config, resolved_yaml
from nightschool.errors import ConfigError
from nightschool.registry.change import Change, change_students
from nightschool.registry.routing import this_moment

_RECENT = 20
_LONGEST_REASON = 500


class Entry(NamedTuple):
    """A workload of the list."""

    name: str
    teacher: str
    glance: Glance


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get("/routing")
    def listing(request: Request) -> Response:
        config, registry = desk.config, read_registry(desk)
        names = [*dict.fromkeys((*config.workloads, *registry.routing.workloads))]
        yaml, fault = _yaml(desk)
        return desk.pages.render(
            request,
            "routing",
            title="Routing",
            entries=[_entry(desk, config, registry, name) for name in names],
            default=config.default_upstream,
            replicas=registry.replicas,
            history=_newest(registry.history),
            yaml=yaml,
            faults=[text for text in (fault, registry.fault) if text],
        )

    @router.get("/routing/{workload:path}")
    def workload(request: Request, workload: str, changes: int = _RECENT) -> Response:
        config, registry = desk.config, read_registry(desk)
        own = [change for change in registry.history if change.workload == workload]
        students = registry.routing.students_of(workload)
        if workload not in config.workloads and workload not in registry.routing.workloads:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no workload {workload}.")
        promote = config.workloads[workload].promote if workload in config.workloads else None
        done = request.query_params.get("done", "")
        return desk.pages.render(
            request,
            "workload",
            title=workload,
            entry=_entry(desk, config, registry, workload),
            students=students,
            ramp=promote.ramp if promote else None,
            mode=config.promote_of(workload).mode,
            hands=[] if registry.fault else hands(students, promote, registry.replicas, this_moment()),
            seen=seen(students),
            replicas=registry.replicas,
            history=_newest(own)[: max(changes, 1)],
            changes=len(own),
            done=next((change for change in own if str(change.revision) == done), None),
            author=author_of(request),
            faults=[registry.fault] if registry.fault else [],
        )

    @router.post("/routing/{workload:path}")
    def change(request: Request, workload: str, form: Annotated[FormData, Depends(checked_form)]) -> Response:
        name, author = str(form.get("hand", "")), given_author(request, str(form.get("author", "")))
        ramp = desk.config.promote_of(workload).ramp
        step = if_still(str(form.get("seen", "")), step_of(name, ramp, this_moment()))
        reason = str(form.get("reason", "")).strip()[:_LONGEST_REASON] or "by hand, in the console"
        made = change_students(desk.data, workload, step, author=author, action=action_of(name), reason=reason)
        query = "" if made is None else f"?done={made.revision}"
        response = RedirectResponse(f"/routing/{quote(workload, safe='')}{query}", status_code=303)
        remember_author(response, author)
        return response

    return router


def _entry(desk: Desk, config: Config, registry: Registry, name: str) -> Entry:
    named = config.workloads.get(name)
    teacher = (named.teacher if named else None) or config.default_upstream
    glance = glance_of(desk, config, name, registry.routing.students_of(name), registry.replicas, registry.history)
    return Entry(name, teacher, glance)


def _newest(history: list[Change]) -> list[Change]:
    return history[::-1]


def _yaml(desk: Desk) -> tuple[str, str]:
    """The file as it is resolved, and why it is not in force where it is bad."""
    try:
        loaded = read_config(desk.file, desk.env)
    except ConfigError as error:
        return "", f"{error.problem}. What was read before stays in force."
    text = resolved_yaml(loaded)
    hashed = loaded.config.console.password_hash
    return (text.replace(hashed, "**********") if hashed else text), ""
