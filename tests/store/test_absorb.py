"""Finished logs -> segments."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from nightschool.record import SCHEMA_VERSION
from nightschool.store import wal
from nightschool.store.absorb import absorb, absorb_now, clear_absorbed, finished_logs
from nightschool.store.lock import lock
from nightschool.store.manifest import prepare_folder, publish, read_manifest
from nightschool.store.quarantine import list_quarantine
from tests.store.logs import (
    HOUR_US,
    NOON_US,
    exchange,
    feedback,
    header,
    ids,
    open_log,
    rows,
    text_id,
    write_log,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    prepare_folder(tmp_path)
    return tmp_path


def test_rows_of_a_finished_log_are_sealed_and_the_log_is_gone(folder: Path) -> None:
    write_log(folder, [exchange(NOON_US + n, n) for n in range(3)] + [feedback(NOON_US, 0)])

    result = absorb(folder, finished_logs(folder))

    manifest = read_manifest(folder)
    assert (result.rows, result.refused) == (4, [])
    assert [segment.rows for segment in manifest.segments("exchanges")] == [3]
    assert [segment.rows for segment in manifest.segments("feedback")] == [1]
    assert (list((folder / "wal").iterdir()), manifest.absorbed) == ([], ())
    assert ids(folder) == [text_id(NOON_US + n, n) for n in range(3)]


def test_a_log_that_is_being_written_is_left_alone(folder: Path) -> None:
    with open_log(folder, [exchange(NOON_US)]) as path:
        assert finished_logs(folder) == []
        absorb(folder, finished_logs(folder))
        assert path.exists()


def test_several_logs_make_one_segment_per_hour(folder: Path) -> None:
    for n in range(4):
        write_log(folder, [exchange(NOON_US + n, n), exchange(NOON_US + HOUR_US + n, n)], f"log-{n}")

    absorb(folder, finished_logs(folder))

    assert [segment.rows for segment in read_manifest(folder).segments("exchanges")] == [4, 4]


def test_a_backlog_is_published_log_by_log(folder: Path) -> None:
    for n in range(3):
        write_log(folder, [exchange(NOON_US + n, n)], f"log-{n}")

    absorb(folder, finished_logs(folder), batch_bytes=1)

    assert [segment.rows for segment in read_manifest(folder).segments("exchanges")] == [1, 1, 1]


def test_an_absorbed_log_whose_file_is_still_there_is_not_read_again(folder: Path) -> None:
    path = write_log(folder, [exchange(NOON_US)])
    content = path.read_bytes()
    absorb(folder, finished_logs(folder))
    path.write_bytes(content)
    publish(folder, lambda manifest: msgspec.structs.replace(manifest, absorbed=(path.name,)))

    assert (ids(folder), finished_logs(folder)) == ([text_id(NOON_US)], [])
    clear_absorbed(folder)
    assert (ids(folder), path.exists()) == ([text_id(NOON_US)], False)


def test_the_rest_of_a_torn_log_is_kept_and_named(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_log(folder, [exchange(NOON_US)])
    with path.open("ab") as file:
        file.write(b"half a frame")

    absorb(folder, finished_logs(folder))

    (kept,) = list_quarantine(folder)
    assert (kept.name, kept.read_bytes()) == (path.name, b"half a frame")
    assert path.name in caplog.text
    assert ids(folder) == [text_id(NOON_US)]


def test_a_log_with_a_frame_that_makes_no_sense_is_kept_whole(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_log(folder, [wal.encode(77, None), exchange(NOON_US)])
    content = path.read_bytes()

    absorb(folder, finished_logs(folder))

    (kept,) = list_quarantine(folder)
    assert kept.read_bytes() == content
    assert "makes no sense" in caplog.text
    assert ids(folder) == [text_id(NOON_US)]


def test_a_log_that_must_not_be_touched_does_not_hold_up_the_others(folder: Path) -> None:
    newer = folder / "wal" / "0-newer.wal"
    write_log(folder, [exchange(NOON_US)])
    newer.write_bytes(b"".join([*header(schema_version=SCHEMA_VERSION + 1), *exchange(NOON_US + 1, 1)]))

    result = absorb(folder, finished_logs(folder))

    assert [error.path for error in result.refused] == [newer]
    assert newer.exists()
    assert [segment.rows for segment in read_manifest(folder).segments("exchanges")] == [1]


def test_a_failed_publication_leaves_the_logs_and_no_segment(folder: Path) -> None:
    path = write_log(folder, [exchange(NOON_US)])
    (folder / "manifest.json.tmp").mkdir()  # what a disk that refuses looks like

    with pytest.raises(OSError, match=r"manifest\.json\.tmp"):
        absorb(folder, finished_logs(folder))

    assert path.exists()
    assert list(folder.glob("exchanges/**/*.parquet")) == []
    (folder / "manifest.json.tmp").rmdir()
    absorb(folder, finished_logs(folder))
    assert ids(folder) == [text_id(NOON_US)]


def test_somebody_else_may_absorb_only_where_no_recorder_does(folder: Path) -> None:
    path = write_log(folder, [exchange(NOON_US)])

    with lock(folder / "recorder.lock"):
        assert not absorb_now(folder)
        assert path.exists()
    assert absorb_now(folder)
    assert rows(folder, "select count(*) from exchanges") == [(1,)]
    assert not path.exists()


def test_a_folder_whose_manifest_was_deleted_with_it_is_a_store_again_before_anything_is_sealed(tmp_path: Path) -> None:
    path = write_log(tmp_path, [exchange(NOON_US)])

    absorb(tmp_path, [path])

    assert ids(tmp_path) == [text_id(NOON_US)]
