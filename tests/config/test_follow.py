"""A configuration that is followed: good changes are given once, bad ones are told once, and no file is no change."""

from __future__ import annotations

from pathlib import Path

from nightschool.config.follow import Followed
from tests.config.files import NO_ENV, UPSTREAM, write


def followed(folder: Path) -> tuple[Followed, list[str]]:
    refused: list[str] = []
    file = write(folder, UPSTREAM)
    return Followed(file, NO_ENV, refused=lambda: refused.append("refused")), refused


def test_a_good_change_is_given_once(tmp_path: Path) -> None:
    found, refused = followed(tmp_path)
    assert found.look() is None

    write(tmp_path, UPSTREAM + "drain_s: 7\n")
    changed = found.look()

    assert changed is not None
    assert changed.drain_s == 7
    assert (found.look(), refused) == (None, [])


def test_a_bad_change_is_told_once_and_the_next_good_one_counts(tmp_path: Path) -> None:
    found, refused = followed(tmp_path)
    write(tmp_path, "drain_s: soon\n")

    assert [found.look(), found.look()] == [None, None]
    assert refused == ["refused"]

    write(tmp_path, UPSTREAM + "drain_s: 8\n")
    assert found.look() is not None


def test_a_file_that_an_editor_has_moved_away_for_a_moment_is_no_change(tmp_path: Path) -> None:
    found, refused = followed(tmp_path)
    file = tmp_path / "nightschool.yaml"
    aside = file.rename(tmp_path / "aside")

    assert found.look() is None
    aside.rename(file)

    assert (found.look(), refused) == (None, [])
