"""What every fault is done to: a scripted upstream of its own, and an empty folder for a proxy in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.scripted_upstream import ScriptedUpstream, upstream_in_thread


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with upstream_in_thread() as upstream:
        yield upstream
