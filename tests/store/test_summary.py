"""The state of a data folder in numbers."""

from __future__ import annotations

from pathlib import Path

from nightschool.store.absorb import absorb, finished_logs
from nightschool.store.lock import lock
from nightschool.store.manifest import prepare_folder
from nightschool.store.summary import summarize
from tests.store.logs import NOON_US, exchange, feedback, write_log


def test_everything_is_counted_once(tmp_path: Path) -> None:
    prepare_folder(tmp_path)
    write_log(tmp_path, [exchange(NOON_US, 0), exchange(NOON_US + 1, 1)])
    absorb(tmp_path, finished_logs(tmp_path))
    write_log(tmp_path, [exchange(NOON_US + 2, 2), feedback(NOON_US, 0)])
    (tmp_path / "quarantine").mkdir()
    (tmp_path / "quarantine" / "torn.wal").touch()

    with lock(tmp_path / "recorder.lock"):
        summary = summarize(tmp_path)

    exchanges, opinions = summary.tables["exchanges"], summary.tables["feedback"]
    assert (exchanges.rows, exchanges.unsealed_rows, exchanges.segments) == (3, 1, 1)
    assert (opinions.rows, opinions.unsealed_rows, opinions.segments) == (1, 1, 0)
    assert summary.newest_exchange == "2026-03-10T12:00:00.000002+00:00"
    assert (summary.logs_waiting, summary.recorder_running, summary.quarantined) == (1, True, ["torn.wal"])
    assert summary.bytes >= exchanges.bytes + summary.log_bytes


def test_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    summary = summarize(tmp_path)

    assert (summary.tables["exchanges"].rows, summary.newest_exchange, summary.recorder_running) == (0, None, False)
