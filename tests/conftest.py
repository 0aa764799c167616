"""What holds for all tests: how several processes share them, one thread for torch, and one scripted upstream."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from demo.scripted_upstream import ScriptedUpstream, upstream_in_thread
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


@pytest.fixture(scope="session")
def shared_upstream() -> Iterator[ScriptedUpstream]:
    with upstream_in_thread() as upstream:
        yield upstream


@pytest.fixture
def upstream(shared_upstream: ScriptedUpstream) -> Iterator[ScriptedUpstream]:
    """The shared upstream, without anything that an earlier test left behind."""
    shared_upstream.forget()
    yield shared_upstream
    shared_upstream.release()
