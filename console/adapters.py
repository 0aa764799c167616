"""An adapter: what it was made of, and how its loss fell."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
from fastapi import APIRouter, Request, Response

from console.desk import Desk
from console.folders import thing
from console.registry import read_registry
from console.runs import loss_chart
from distill.train.points import Point, read_curve
from nightschool.registry.adapters import place_of, read_adapter

CURVE = "curve.csv"


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get("/runs/adapters/{name}")
    def adapter(request: Request, name: str) -> Response:
        place = place_of(desk.data)
        folders = [path for path in place.iterdir() if path.is_dir()] if place.is_dir() else []
        folder = thing((path for path in folders if not path.name.startswith(".")), name)
        manifest, points, registry = read_adapter(folder), _curve(folder / CURVE), read_registry(desk)
        return desk.pages.render(
            request,
            "adapter",
            title=f"Adapter {manifest.name}",
            manifest=manifest,
            curve=loss_chart(points) if points else "",
            replicas=[each.url for each in registry.replicas.ready_with(manifest.name)],
            fault=registry.fault,
        )

    return router


def _curve(path: Path) -> list[Point]:
    """Empty where there is none that can be read."""
    try:
        return read_curve(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, csv.Error, msgspec.ValidationError):
        return []
