"""A change is by somebody, even where the user has no name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fastapi import Request

from console.author import author_of
from nightschool.login import login_name
from nightschool.registry.change import read_history
from tests.cli.command import Command

_NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `docker run --user 54321`: no name in the environment, none in the list of users.

    The folder comes first: pytest asks whose it is.
    """
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)


@pytest.mark.usefixtures("nobody")
def test_a_user_without_a_name_is_called_by_the_number() -> None:
    assert login_name() == "uid 54321"


@pytest.mark.usefixtures("nobody")
def test_a_change_and_a_label_can_be_by_a_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "nightschool.yaml"
    file.write_text('upstreams: {main: {base_url: "http://127.0.0.1:9/v1"}}\nworkloads: {w: {when: {tool: sort}}}\n')

    assert Command(capsys)("hold", "w", "--config", str(file)).code == 0

    assert [change.author for change in read_history(tmp_path / "nightschool-data", "w")] == ["uid 54321"]
    assert author_of(Request({"type": "http", "headers": []})) == "uid 54321"


def test_a_name_in_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _NAMES:
        monkeypatch.setenv(name, "mara")

    assert login_name() == "mara"
