"""Runs: the night and the training that go on, and what earlier ones have left."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from console.charts import path
from console.decisions import Brief, Briefs
from console.desk import Desk
from console.folders import things_in, workloads_in
from distill.evaluate.result import Manifest, UnknownEvaluation, read_manifest
from distill.night.report import Report, nights_of, reports_of
from distill.night.standing import Stage, Standing, is_running, standing_nights
from distill.train.points import Point, smoothed
from distill.train.progress import Seen, read_progress
from nightschool.registry.adapters import AdapterDamaged, name_of, read_adapter
from nightschool.registry.adapters import place_of as adapters_in
from nightschool.registry.manifest import AdapterManifest

STAGES: tuple[Stage, ...] = ("dataset", "train", "load", "evaluate", "gate", "promote")
OUTCOME_KINDS = {"promoted": "good", "qualified": "good", "held": "warn", "rejected": "bad", "withdrawn": "bad"}
_RECENT = 5
_CURVE_POINTS = 200


class Night(NamedTuple):
    """One that has not come to its end."""

    standing: Standing
    running: bool
    """Else it was killed, and is begun again by the scheduler or by the same command."""


class Training(NamedTuple):
    """A run that has not come to its end."""

    seen: Seen
    curve: Markup


class Listed(NamedTuple):
    """What there is of one workload, the newest first."""

    workload: str
    nights: list[Report]
    adapters: list[AdapterManifest]
    evaluations: list[Manifest]
    decisions: list[Brief]
    faults: list[str]
    more: int
    """Of all these, how many are not in the list."""

    @property
    def is_worth_showing(self) -> bool:
        return any((self.nights, self.adapters, self.evaluations, self.decisions, self.faults))


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()
    briefs = Briefs()

    @router.get("/runs")
    def listing(request: Request, all: str = "") -> Response:
        names = [*dict.fromkeys((*desk.config.workloads, *_recorded(desk.data)))]
        groups = [_listed(desk.data, name, briefs, recent=None if name == all else _RECENT) for name in names]
        return desk.pages.render(
            request,
            "runs",
            title="Runs",
            nights=[Night(each, is_running(desk.data, each.workload)) for each in standing_nights(desk.data)],
            trainings=[Training(each, loss_chart(each.progress.points)) for each in read_progress(desk.data)],
            stages=STAGES,
            groups=[each for each in groups if each.is_worth_showing],
            kinds=OUTCOME_KINDS,
            workloads=names,
        )

    return router


def loss_chart(points: Iterable[Point]) -> Markup:
    """Training loss, smoothed, and what the validation side said, over the steps."""
    known = list(points)
    looks = [(point.step, point.validation_loss) for point in known if point.validation_loss is not None]
    return path(
        smoothed(known, _CURVE_POINTS),
        "Loss over the steps of training",
        more=[[(float(step), loss) for step, loss in looks]] if looks else [],
        dots=True,
        x_title="steps",
    )


def _recorded(data: Path) -> list[str]:
    """Workloads of which something is left, whatever the configuration says today."""
    places = [workloads_in(data / name) for name in ("evaluations", "decisions", "datasets")]
    told = [unquote(path.stem) for path in nights_of(data).glob("*.jsonl")]
    learned = [unquote(path.name.rpartition("--")[0]) for path in adapters_in(data).glob("[!.]*--*")]
    return sorted({*(name for place in places for name in place), *told, *learned})


def _listed(data: Path, workload: str, briefs: Briefs, *, recent: int | None) -> Listed:
    faults: list[str] = []
    nights = reports_of(data, workload)[::-1]
    adapters, evaluations = _adapters(data, workload, faults), _evaluations(data, workload, faults)
    decisions = [path for path in things_in(data / "decisions", workload) if path.suffix == ".json"]
    return Listed(
        workload=workload,
        nights=nights[:recent],
        adapters=adapters[:recent],
        evaluations=evaluations[:recent],
        decisions=briefs.of(decisions, recent),
        faults=faults,
        more=sum(len(each[recent:]) for each in (nights, adapters, evaluations, decisions)) if recent else 0,
    )


def _adapters(data: Path, workload: str, faults: list[str]) -> list[AdapterManifest]:
    """One that is damaged hides no other."""
    found = []
    for folder in sorted(adapters_in(data).glob(f"{name_of(workload, '')}*")):
        try:
            found.append(read_adapter(folder))
        except AdapterDamaged as error:
            faults.append(f"{error.problem}; {error.remedy}")
    own = (one for one in found if one.workload == workload)
    return sorted(own, key=lambda one: (one.created, one.name), reverse=True)


def _evaluations(data: Path, workload: str, faults: list[str]) -> list[Manifest]:
    found = []
    for folder in things_in(data / "evaluations", workload):
        if folder.is_dir():
            try:
                found.append(read_manifest(folder))
            except UnknownEvaluation as error:
                faults.append(f"{error.problem}; {error.remedy}")
    return sorted(found, key=lambda one: one.finished, reverse=True)
