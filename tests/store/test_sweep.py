"""Files that nobody needs any more leave the disk, and no others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nightschool.store.absorb import absorb, finished_logs
from nightschool.store.compact import compact_once
from nightschool.store.manifest import prepare_folder, read_manifest
from nightschool.store.sweep import sweep
from tests.store.logs import NOON_US, exchange, ids, open_log, write_log


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two segments merged into one, so that two files are garbage."""
    prepare_folder(tmp_path)
    for n in range(2):
        write_log(tmp_path, [exchange(NOON_US + n, n)])
        absorb(tmp_path, finished_logs(tmp_path))
    assert compact_once(tmp_path)
    return tmp_path


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.glob("*/date=*/**/*") if path.is_file()}


def age(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (0, 0))


def test_garbage_stays_for_its_grace(folder: Path) -> None:
    assert sweep(folder) == 0
    assert len(files(folder)) == 3


def test_garbage_goes_after_its_grace(folder: Path) -> None:
    assert sweep(folder, grace_s=0) == 2

    manifest = read_manifest(folder)
    assert files(folder) == {segment.path for segment in manifest.segments("exchanges")}
    assert manifest.garbage == ()
    assert len(ids(folder)) == 2


def test_an_orphan_goes_when_it_is_old(folder: Path) -> None:
    place = folder / "exchanges" / "date=2026-03-10" / "hour=03"
    age(place / "20260310T030000-0123abcd.parquet")
    age(place / "20260310T030000-0123abce.parquet.tmp")
    (place / "20260310T030000-0123abcf.parquet").touch()

    assert sweep(folder) == 2
    assert [path.name for path in place.iterdir()] == ["20260310T030000-0123abcf.parquet"]


def test_what_is_in_use_stays_however_old(folder: Path) -> None:
    for path in files(folder):
        os.utime(folder / path, (0, 0))

    assert sweep(folder) == 0
    assert len(ids(folder)) == 2


def test_files_of_others_are_never_touched(folder: Path) -> None:
    mine = [folder / "exchanges" / "date=2026-03-10" / "notes.parquet", folder / "exchanges" / "README.md"]
    for path in mine:
        age(path)

    sweep(folder, grace_s=0)

    assert all(path.exists() for path in mine)


def test_empty_folders_go_with_their_last_file(folder: Path) -> None:
    orphan = folder / "feedback" / "date=2020-01-01" / "hour=03" / "20200101T030000-0123abcd.parquet"
    age(orphan)

    sweep(folder)

    assert list((folder / "feedback").iterdir()) == []


def test_a_log_that_was_never_born_goes_when_it_is_old(folder: Path) -> None:
    age(folder / "wal" / ".20260310T120000Z-w-1.wal.new")

    with open_log(folder, []) as path:
        sweep(folder)
        assert list((folder / "wal").iterdir()) == [path]
