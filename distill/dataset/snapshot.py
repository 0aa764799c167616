"""A dataset on the disk: its folder, its manifest, and how it becomes visible.

    data/datasets/<workload>/<name>/  train.parquet  validation.parquet  test.parquet  excluded.parquet
                                      manifest.json  README.md

It is filled under another name and renamed when it is complete and on the disk: what has its name is whole. The name
is made of the newest exchange's day and a hash of all that is in it, so the same store gives the same dataset again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import msgspec

from distill.dataset.settings import Settings
from nightschool.errors import NightschoolError, StoreBusy
from nightschool.store.durable import make_folder, publish_folder
from nightschool.store.lock import lock_at_once

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
CARD = "README.md"
_UNFINISHED = ".unfinished"


class UnknownDataset(NightschoolError):
    """No dataset has this name."""


class Side(msgspec.Struct, kw_only=True, frozen=True):
    """What is in one of the three files."""

    examples: int = 0
    answers: int = 0
    """To be learned, or to be compared with: an example of several turns has several."""
    groups: int = 0
    labelled: int = 0
    newest: int = 0
    """Examples of the newest days."""
    largest_group: int = 0
    """Examples in it."""
    with_logprobs: int = 0
    """Answers whose tokens have the teacher's log probabilities."""


class Novelty(msgspec.Struct, kw_only=True, frozen=True):
    """How new the test examples are: 1 - likeness of the nearest training example."""

    median: float
    novel: int
    """Examples of which at least half is new."""
    copies: int
    """Examples that some training example is a near duplicate of (at least 0.8 alike)."""


class DatasetManifest(msgspec.Struct, kw_only=True, frozen=True):
    """What a dataset is made of; every exchange of the source is in ``counts`` or in ``exclusions``."""

    format_version: int = FORMAT_VERSION
    workload: str
    name: str
    hash: str
    """SHA-256 over the four files and the settings."""
    source: str
    """The condition that picks the exchanges, for people."""
    since: str | None
    until: str | None
    """Limits that the command gave."""
    first: str
    last: str
    """Times of the oldest and the newest exchange."""
    exchanges: int
    settings: Settings
    newest_from: str
    """Examples from then on are in the newest-days view."""
    sides: dict[str, Side]
    exclusions: dict[str, int]
    held_in_longer: int
    """Answers that are learned inside of a longer example."""
    merged: int
    """Inputs that came several times, and are there once."""
    unchecked_calls: int
    """Answers that call tools although their requests list none, as in imported trajectories: nothing to check by."""
    near_clusters: int
    """Clusters of near duplicates among the training examples."""
    novelty: Novelty | None
    """Of the test side; null when it, or the training side, is empty."""
    files: dict[str, str]
    """SHA-256 by file."""


def datasets_of(folder: Path, workload: str) -> list[DatasetManifest]:
    """Every dataset of a workload, the newest last."""
    found = [read_manifest(path.parent) for path in place_of(folder, workload).glob(f"[!.]*/{MANIFEST}")]
    return sorted(found, key=lambda manifest: (manifest.last, _written(folder, manifest), manifest.name))


def find(folder: Path, workload: str, name: str | None = None) -> DatasetManifest:
    """The dataset of this name (or a piece of it), or the newest one."""
    known = datasets_of(folder, workload)
    if not known:
        raise UnknownDataset(
            f"there is no dataset of {workload}", remedy=f"`nightschool dataset build {workload}` makes one"
        )
    matching = [manifest for manifest in known if name is None or name in manifest.name]
    if not matching or (name is not None and len(matching) > 1):
        names = ", ".join(manifest.name for manifest in known)
        raise UnknownDataset(f"{name!r} names no dataset of {workload}, or several", remedy=f"there are: {names}")
    return matching[-1]


def read_manifest(folder: Path) -> DatasetManifest:
    """The manifest in a dataset's folder."""
    remedy = "delete the folder, and build the dataset again"
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=DatasetManifest)
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise UnknownDataset(f"{folder / MANIFEST} cannot be read: {error}", remedy=remedy) from error
    if manifest.name != folder.name:  # a name becomes part of a path
        raise UnknownDataset(f"{folder / MANIFEST} names another dataset: {manifest.name!r}", remedy=remedy)
    return manifest


def place_of(folder: Path, workload: str) -> Path:
    """The folder of a workload's datasets; whatever a client has called it, it stays below ``datasets``."""
    safe = quote(workload, safe=" ")
    return folder / "datasets" / (safe.replace(".", "%2E", 1) if safe.startswith(".") else safe)


def folder_of(folder: Path, manifest: DatasetManifest) -> Path:
    return place_of(folder, manifest.workload) / manifest.name


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """An empty folder to fill, held by one process; it is gone afterwards, and so is what a killed build has left."""
    place = folder / "datasets"
    make_folder(place)
    with lock_at_once(place / "build.lock") as held:
        if not held:
            raise StoreBusy(f"another dataset in {folder} is being built", remedy="wait until it has ended")
        work = place / _UNFINISHED
        shutil.rmtree(work, ignore_errors=True)
        make_folder(work)
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def publish(folder: Path, filled: Path, manifest: DatasetManifest) -> DatasetManifest:
    """Give a filled folder its name, once it is on the disk; what has this name already stays as it is."""
    target = folder_of(folder, manifest)
    if target.exists():
        return read_manifest(target)
    make_folder(target.parent)
    publish_folder(filled, target)
    return manifest


def _written(folder: Path, manifest: DatasetManifest) -> int:
    return (folder_of(folder, manifest) / MANIFEST).stat().st_mtime_ns
