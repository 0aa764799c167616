"""What root makes in the data folder of another account belongs to that account, so that its processes go on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nightschool.registry.change import change_students
from nightschool.registry.routing import Students
from nightschool.registry.steps import force
from nightschool.store.absorb import absorb, finished_logs
from nightschool.store.durable import make_folder, new_file, open_private, publish_folder
from nightschool.store.erase import erase
from nightschool.store.lock import lock, lock_at_once
from nightschool.store.secret import kept_secret
from proxy.log_file import DiskLog
from tests.store.logs import NOON_US, exchange, text_id, write_log

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for others")
SERVICE = (65534, 65533)
"""User and group that own the data folder."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    os.chown(folder, *SERVICE)
    return folder


def of_root(data: Path) -> list[str]:
    return sorted(str(path.relative_to(data)) for path in data.rglob("*") if owner(path) != SERVICE)


def owner(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_uid, found.st_gid


def test_a_file_and_its_folders(data: Path) -> None:
    with new_file(data / "a" / "b" / "file"):
        pass

    assert of_root(data) == []


def test_a_file_that_is_replaced(data: Path) -> None:
    (data / "file").touch()
    with new_file(data / "file"):
        pass

    assert of_root(data) == []


def test_a_filled_folder(data: Path) -> None:
    filled = data / "unfinished"
    filled.mkdir()
    (filled / "file").touch()
    (filled / "folder").mkdir()

    publish_folder(filled, data / "target")

    assert of_root(data) == []


def test_locks(data: Path) -> None:
    with lock(data / "a"), lock_at_once(data / "b"):
        assert of_root(data) == []


def test_what_an_older_version_left_to_root_is_given_away_when_it_is_opened(data: Path) -> None:
    (data / "lock").touch()
    with lock(data / "lock"):
        pass

    assert of_root(data) == []


def test_a_store_that_is_filled_and_erased_from(data: Path) -> None:
    make_folder(data / "wal")
    os.chown(write_log(data, [exchange(NOON_US, 0), exchange(NOON_US + 1, 1)]), *SERVICE)

    absorb(data, finished_logs(data))
    erase(data, {text_id(NOON_US, 0)})
    kept_secret(data, "console")

    assert of_root(data) == []


def test_a_log_of_a_proxy(data: Path) -> None:
    DiskLog(data / "wal" / "a.wal").close()

    assert of_root(data) == []


def test_a_change_of_the_registry(data: Path) -> None:
    def step(before: Students) -> Students:
        return force(before, "w--abc", share=100, fingerprints=("f",), now="2026-11-25T02:00:00+00:00")

    change_students(data, "w", step, author="root", action="promote", reason="by hand")

    assert of_root(data) == []


def test_what_stands_in_a_folder_of_roots_stays_roots(tmp_path: Path) -> None:
    with new_file(tmp_path / "file"):
        pass

    assert owner(tmp_path / "file") == (0, 0)


def test_a_link_to_a_file_of_roots_gives_nothing_away(data: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch()
    (data / "symbolic").symlink_to(secret)
    (data / "hard").hardlink_to(secret)

    with pytest.raises(OSError, match="symbolic"):
        open_private(data / "symbolic", os.O_RDWR)
    os.close(open_private(data / "hard", os.O_RDWR))

    assert owner(secret) == (0, 0)
