"""`nightschool status`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nightschool.store.lock import lock
from tests.cli.command import Command
from tests.cli.stores import configure, recorded


@pytest.fixture
def data(nightschool: Command, tmp_path: Path) -> Path:
    return recorded(tmp_path)


def test_it_says_how_much_and_how_recent(nightschool: Command, data: Path) -> None:
    code, out, _ = nightschool("status")

    assert code == 0
    assert re.search(r"exchanges +4 in 3 segments, .* KiB, 1 of them still in logs\n", out)
    assert re.search(r"feedback +1 in 1 segments", out)
    assert re.search(r"newest +2026-03-10T15:00:00\+00:00\n", out)
    assert re.search(r"recorder +not running", out)


def test_a_running_recorder_and_quarantined_files_are_seen(nightschool: Command, data: Path) -> None:
    (data / "quarantine").mkdir()
    (data / "quarantine" / "torn.wal").touch()

    with lock(data / "recorder.lock"):
        out = nightschool("status").out

    assert re.search(r"recorder +running\n", out)
    assert re.search(r"quarantine +1 damaged files, set aside: torn\.wal", out)


def test_json_is_for_scripts(nightschool: Command, data: Path) -> None:
    status = json.loads(nightschool("status", "--json").out)

    assert status["tables"]["exchanges"]["rows"] == 4
    assert (status["recorder_running"], status["logs_waiting"], status["quarantined"]) == (False, 1, [])


def test_before_anything_is_recorded_it_says_so(nightschool: Command, tmp_path: Path) -> None:
    data = configure(tmp_path)
    assert "no data folder" in nightschool("status").err

    data.mkdir()
    assert re.search(r"newest +nothing recorded yet", nightschool("status").out)
