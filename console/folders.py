"""What the data folder keeps by workload: a folder for each workload, in it a folder or a file for each thing.

A name from an address is looked up among what is there, and never becomes a part of a path.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote

from fastapi import HTTPException


def workloads_in(place: Path) -> list[str]:
    """Workloads that have something in a folder such as ``data/datasets``."""
    return sorted(unquote(folder.name) for folder in _shown(place) if folder.is_dir())


def things_in(place: Path, workload: str) -> list[Path]:
    """Of one workload; none where there is no such workload."""
    return [path for folder in _shown(place) if unquote(folder.name) == workload for path in _shown(folder)]


def thing(paths: Iterable[Path], name: str) -> Path:
    """The one of this name, without its ending; else there is no such page."""
    for path in paths:
        if name == (path.name if path.is_dir() else path.stem):
            return path
    raise HTTPException(HTTPStatus.NOT_FOUND, f"There is nothing that is called {name}; it may have been deleted.")


def _shown(place: Path) -> list[Path]:
    """What begins with a dot is not finished."""
    if not place.is_dir():
        return []
    return sorted(path for path in place.iterdir() if not path.name.startswith("."))
