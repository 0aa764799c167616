"""A school whose student answers what it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.distill.night.school import School, knows_all
from tests.fake_replica import FakeReplica, running_replica


@pytest.fixture
def server() -> Iterator[FakeReplica]:
    with running_replica(FakeReplica(knows_all)) as server:
        yield server


@pytest.fixture
def school(tmp_path: Path, server: FakeReplica) -> School:
    school = School(tmp_path, server.url)
    school.mail(400)
    return school
