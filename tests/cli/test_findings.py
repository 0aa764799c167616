from __future__ import annotations

import fcntl
from datetime import UTC, datetime, timedelta
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from cli.findings import (
    MIB,
    clock,
    data,
    data_folder,
    descriptors,
    hash_key,
    judge_space,
    packages,
    python_version,
    recorder,
    teaching,
)
from cli.reach import judge

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_the_packages_of_this_installation_are_ours() -> None:
    assert packages(packages_distributions()).level == "ok"


def test_another_distribution_with_a_package_of_our_name_is_a_problem() -> None:
    finding = packages({"cli": ["nightschool"], "nightschool": ["nightschool"], "proxy": ["nightschool", "proxy.py"]})

    assert finding.level == "problem"
    assert finding.what == "other packages have our names: proxy of proxy.py"


def test_nights_that_cannot_be_made_here_are_a_warning() -> None:
    (finding,) = teaching(True, ["torch", "peft"])

    assert (finding.level, finding.remedy) == ("warning", "pip install '.[distill]' in the clone of nightschool")
    assert "no torch, peft" in finding.what
    assert [found.level for found in teaching(True, [])] == ["ok"]
    assert list(teaching(False, ["torch"])) == []


@pytest.mark.parametrize(("version", "level"), [((3, 10, 9), "problem"), ((3, 11, 0), "ok"), ((4, 0, 0), "ok")])
def test_python_must_be_3_11_or_later(version: tuple[int, ...], level: str) -> None:
    assert python_version(version).level == level


@pytest.mark.parametrize(("limit", "level"), [(256, "warning"), (4096, "ok"), (-1, "ok")])
def test_few_file_descriptors_are_warned_of(limit: int, level: str) -> None:
    assert descriptors(limit).level == level


@pytest.mark.parametrize(("free_mib", "level"), [(10, "problem"), (500, "warning"), (5000, "ok")])
def test_a_full_disk_is_a_problem_before_it_is_full(free_mib: int, level: str) -> None:
    assert judge_space(free_mib * MIB).level == level


def test_a_clock_before_this_program_was_made_is_wrong() -> None:
    assert clock(datetime(1970, 1, 1, tzinfo=UTC)).level == "problem"
    assert clock(NOW).level == "ok"


@pytest.mark.parametrize(("seconds", "level"), [(0, "ok"), (-60, "ok"), (300, "warning"), (-300, "warning")])
def test_a_clock_that_differs_from_an_upstreams_is_warned_of(seconds: int, level: str) -> None:
    assert clock(NOW, NOW + timedelta(seconds=seconds)).level == level


def test_a_folder_that_can_be_made_is_good_and_is_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"

    assert data_folder(folder).what == f"data: {folder} can be made"
    assert not folder.parent.exists()


def test_a_folder_below_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert [finding.level for finding in data(tmp_path / "file" / "data")] == ["problem"]


def test_the_recorder_runs_while_it_holds_its_lock(tmp_path: Path) -> None:
    with (tmp_path / "recorder.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        running = recorder(tmp_path)
    stopped = recorder(tmp_path)

    assert running.what == "recorder: running"
    assert stopped.what == "recorder: not running, nothing waits for it"


def test_logs_without_a_recorder_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "wal").mkdir()
    (tmp_path / "wal" / "1-0-0.wal").touch()

    assert recorder(tmp_path).level == "warning"


@pytest.mark.parametrize(("mode", "count"), [(0o600, 0), (0o640, 1), (0o604, 1)])
def test_a_hash_key_that_others_can_read_is_warned_of(tmp_path: Path, mode: int, count: int) -> None:
    (tmp_path / "keys").mkdir()
    key = tmp_path / "keys" / "client-hash.key"
    key.touch()
    key.chmod(mode)

    assert len(list(hash_key(tmp_path))) == count


@pytest.mark.parametrize(
    ("status", "brings_key", "level"),
    [
        (200, True, "ok"),
        (401, False, "ok"),
        (401, True, "problem"),
        (403, True, "problem"),
        (404, True, "ok"),
        (301, True, "warning"),
        (500, True, "warning"),
    ],
)
def test_what_the_status_of_an_upstream_means(status: int, brings_key: bool, level: str) -> None:
    assert judge("upstream a", status, 5.0, brings_key=brings_key).level == level
