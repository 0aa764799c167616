"""What holds for all tests: torch has one thread, and how several processes share them."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.side_by_side import ByFile, asks_for_engine

os.environ.setdefault("OMP_NUM_THREADS", "1")
"""Before anybody imports torch, and for the processes that tests start: two threads that share the sums of a tiny model
mostly wait for one another, and all the more where another process wants a core as well."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks for the engine goes first, because it takes longest."""
    items.sort(key=lambda item: not asks_for_engine(item.path))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)
