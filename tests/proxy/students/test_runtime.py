"""What the registry says comes into force as one value; pools and rules that did not change are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightschool.config import Config
from nightschool.registry.routing import Students
from nightschool.store import wal
from proxy.callers import Callers
from proxy.control import NOTHING_SAID
from proxy.front import Front
from proxy.journal import Journal, JournalSettings
from proxy.metrics import Metrics
from proxy.runtime import Runtime
from proxy.students.registry import NOTHING, Registered
from tests.proxy.students.cast import OLD, ONE, TWO, config, placed, registered, replica, request

LIVE = Students(live=placed(OLD))


class Makes:
    def __init__(self, folder: Path) -> None:
        self.metrics = Metrics()
        self._journal = Journal(folder, wal.Header, JournalSettings(fsync="off"))

    def runtime(self, given: Config, said: Registered = NOTHING, before: Runtime | None = None) -> Runtime:
        return Runtime(
            given,
            journal=self._journal,
            callers=Callers(b"s" * 32),
            metrics=self.metrics,
            registered=said,
            before=before,
        )


@pytest.fixture
def makes(tmp_path: Path) -> Makes:
    return Makes(tmp_path)


def test_a_change_of_the_registry_keeps_rules_and_pools_of_replicas_that_stay(makes: Makes) -> None:
    given = config()
    before = makes.runtime(given, registered(LIVE, replica(ONE), replica(TWO)))

    after = makes.runtime(given, registered(LIVE, replica(TWO), replica("http://three:8000")), before)

    assert after.routing is before.routing
    assert after.recording is before.recording
    assert list(after.replica_pools) == [TWO, "http://three:8000"]
    assert after.replica_pools[TWO] is before.replica_pools[TWO]
    assert ONE in before.replica_pools


def test_a_changed_configuration_makes_new_rules_and_keeps_pools_whose_times_stay(makes: Makes) -> None:
    said = registered(LIVE, replica(ONE))
    before = makes.runtime(config(), said)
    same = makes.runtime(config(teacher_share=5), said, before)
    hasty = makes.runtime(config(student={"first_token_s": 2.0}), said, same)

    assert same.routing is not before.routing
    assert same.replica_pools[ONE] is before.replica_pools[ONE]
    assert hasty.replica_pools[ONE] is not before.replica_pools[ONE]
    assert (hasty.replica_pools[ONE].timeouts.first_byte_s, hasty.replica_pools[ONE].timeouts.connect_s) == (2.0, 2.0)


async def test_pools_of_replicas_that_are_gone_are_closed(makes: Makes) -> None:
    before = makes.runtime(config(), registered(LIVE, replica(ONE)))
    front = Front(before)

    front.take_over(makes.runtime(before.config, NOTHING, before))

    assert before.replica_pools[ONE].closed


def test_a_request_of_another_workload_is_not_looked_at(makes: Makes) -> None:
    given = config(workloads={"cities": {"when": {"model": "gpt-4o"}}, "other": {"when": {"model": "*"}}})
    runtime = makes.runtime(given, registered(LIVE))

    other = runtime.route(request({"model": "m", "n": 5}), NOTHING_SAID)

    assert (other.workload, other.reason) == ("other", "rule")
    assert runtime.route(request(), NOTHING_SAID).workload == "cities"
    assert b"nightschool_decisions_total{" in makes.metrics.exposition()
