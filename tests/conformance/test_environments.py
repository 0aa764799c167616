"""Clients that cannot be run here are skipped with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.environments import NoEnvironment, node_environment


def test_without_npm_the_node_clients_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoEnvironment, match="there is no npm"):
        node_environment()
