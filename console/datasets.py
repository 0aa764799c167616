"""Datasets: what students learn from and are tested by, and that the one is nothing of the other."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from console.charts import Series, bars
from console.damage import DAMAGE
from console.dataset_facts import AllFacts, Distribution, Facts
from console.desk import Desk
from console.folders import thing, things_in, workloads_in
from console.samples import Sample, sample
from distill.dataset.reasons import REASONS, REDUNDANT
from distill.dataset.sides import SIDES
from distill.dataset.snapshot import DatasetManifest, UnknownDataset, read_manifest

SIDE_KINDS = {"train": "teacher", "validation": "audit", "test": "student"}
"""The colour of each side."""


class Listed(NamedTuple):
    """A dataset of the list; without a manifest it is damaged."""

    workload: str
    name: str
    manifest: DatasetManifest | None
    fault: str
    written: float


class Part(NamedTuple):
    """A line of a table of shares."""

    name: str
    train: int
    train_share: float
    test: int
    test_share: float


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()
    place, all_facts = desk.data / "datasets", AllFacts()

    @router.get("/datasets")
    def listing(request: Request) -> Response:
        names = workloads_in(place)
        return desk.pages.render(
            request,
            "datasets",
            title="Datasets",
            groups=[(name, _newest_first([_listed(name, path) for path in things_in(place, name)])) for name in names],
            workloads=desk.workloads(),
        )

    @router.get("/datasets/{workload:path}/{name}")
    def dataset(request: Request, workload: str, name: str, side: str = "test", at: int = 0) -> Response:
        folder = thing(things_in(place, workload), name)
        manifest = read_manifest(folder)
        facts, fault = _facts(all_facts, manifest, folder)
        side = side if side in SIDES else "test"
        there = manifest.sides[side].examples if side in manifest.sides else 0
        at = min(max(at, 0), max(there - 1, 0))
        return desk.pages.render(
            request,
            "dataset",
            title=f"Dataset {manifest.name}",
            manifest=manifest,
            sides=[(name, manifest.sides[name]) for name in SIDES if name in manifest.sides],
            reasons=REASONS,
            redundant=REDUNDANT,
            settings=[(name, getattr(manifest.settings, name)) for name in manifest.settings.__struct_fields__],
            facts=facts,
            fault=fault,
            lengths=_chart(facts.lengths, "Characters of a conversation") if facts else "",
            times=_chart(facts.times, f"Examples by {facts.step}") if facts else "",
            tools=_parts(facts.tools, facts) if facts else [],
            answers=_parts(facts.answers, facts) if facts and facts.answers else [],
            kinds=SIDE_KINDS,
            side=side,
            position=at,
            there=there,
            sample=_sample(folder / f"{side}.parquet", at),
        )

    return router


def _listed(workload: str, folder: Path) -> Listed:
    try:
        return Listed(workload, folder.name, read_manifest(folder), "", folder.stat().st_mtime)
    except UnknownDataset as error:
        return Listed(workload, folder.name, None, f"{error.problem}; {error.remedy}", 0.0)


def _newest_first(listed: list[Listed]) -> list[Listed]:
    """The damaged ones last."""
    return sorted(listed, key=lambda one: (one.manifest.last if one.manifest else "", one.written), reverse=True)


def _facts(known: AllFacts, manifest: DatasetManifest, folder: Path) -> tuple[Facts | None, str]:
    try:
        return known.of(manifest, folder), ""
    except DAMAGE as error:
        return None, f"its files cannot be read: {error}"


def _sample(path: Path, at: int) -> Sample | None:
    try:
        return sample(path, at)
    except DAMAGE:  # the page says of its files what is wrong
        return None


def _chart(distribution: Distribution, title: str) -> Markup:
    series = [Series(side, SIDE_KINDS[side], counts) for side, counts in distribution.by_side.items()]
    return bars(distribution.labels, series, title)


def _parts(distribution: Distribution, facts: Facts) -> list[Part]:
    """Shares are those of all answers to learn, or to be compared with, of a side."""
    train, test = (max(facts.learned[side], 1) for side in ("train", "test"))
    counts = zip(distribution.labels, distribution.by_side["train"], distribution.by_side["test"], strict=True)
    return [Part(name, here, here / train, there, there / test) for name, here, there in counts]
