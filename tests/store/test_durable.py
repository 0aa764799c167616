"""Files that are there as a whole, or not at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from nightschool.store.durable import make_folder, new_file, publish_folder


def test_a_new_file_appears_with_its_whole_content(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    with new_file(path) as file:
        file.write(b"content")
        assert not path.exists()

    assert path.read_bytes() == b"content"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_file_is_replaced_when_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with new_file(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"

    assert path.read_bytes() == b"new"


def test_an_error_leaves_the_old_file_and_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), new_file(path):
        raise RuntimeError

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_others_on_the_machine_cannot_read_what_was_recorded(tmp_path: Path) -> None:
    make_folder(tmp_path / "data")
    with new_file(tmp_path / "data" / "file"):
        pass

    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data" / "file").stat().st_mode) == 0o600


def test_a_filled_folder_gets_its_name_as_a_whole(tmp_path: Path) -> None:
    filled = tmp_path / "unfinished"
    filled.mkdir()
    (filled / "file").write_bytes(b"content")

    publish_folder(filled, tmp_path / "target")

    assert [entry.name for entry in tmp_path.iterdir()] == ["target"]
    assert (tmp_path / "target" / "file").read_bytes() == b"content"


def test_a_folder_with_a_file_that_cannot_be_synced_gets_no_name(tmp_path: Path) -> None:
    filled = tmp_path / "unfinished"
    filled.mkdir()
    (filled / "file").symlink_to(tmp_path / "nowhere")

    with pytest.raises(OSError, match="file"):
        publish_folder(filled, tmp_path / "target")

    assert not (tmp_path / "target").exists()
