"""Who answers, and what a person says about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nightschool.registry.change import change_students, read_history
from nightschool.registry.replicas import ReplicaState, ReplicaStates, write_replicas
from nightschool.registry.routing import Students, read_routing
from nightschool.registry.steps import force, hold, propose, qualify
from tests.cli.command import Command
from tests.distill.evaluate.school import ADAPTER, an_adapter, sorted_mail

CONFIG = """
upstreams: {main: {base_url: "http://127.0.0.1:9/v1"}}
workloads: {w: {when: {tool: sort}, promote: {ramp: [5, 25, 100]}}, quiet: {when: {tool: rest}}}
"""
NOW = "2026-11-25T02:00:00+00:00"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "nightschool.yaml").write_text(CONFIG)
    return tmp_path / "nightschool-data"


def students(data: Path) -> Students:
    return read_routing(data).students_of("w")


def qualified(data: Path, adapter: str = "w--b") -> None:
    def step(before: Students) -> Students:
        return qualify(propose(before, adapter), adapter, fingerprints=("f1",), agreement=0.9)

    change_students(data, "w", step, author="job:night", action="qualify", reason="the gate let it pass")


def put(data: Path, workload: str, step: Callable[[Students], Students]) -> None:
    change_students(data, workload, step, author="anna", action="promote", reason="by hand")


def answering(data: Path) -> list[tuple[str, float]]:
    return [(placed.adapter, placed.share) for placed in students(data).answering()]


def test_where_nothing_was_changed_teachers_answer(nightschool: Command, data: Path) -> None:
    done = nightschool("routes")
    assert done.code == 0
    assert [line.split()[:2] for line in done.out.splitlines()[1:3]] == [["w", "teacher"], ["quiet", "teacher"]]
    assert nightschool("routes", "--history").out == "nothing has been changed yet\n"


def test_promote_goes_up_the_ramp_and_rollback_back_to_the_teacher(nightschool: Command, data: Path) -> None:
    qualified(data)
    shares = []
    for _ in range(3):
        assert nightschool("promote", "w").code == 0
        shares += answering(data)
    assert shares == [("w--b", 5), ("w--b", 25), ("w--b", 100)]
    assert students(data).stage == "live"

    done = nightschool("rollback", "w", "--reason", "customers complain")

    assert done.code == 0
    assert "w: the teacher answers" in done.out
    assert answering(data) == []
    last = read_history(data, "w")[-1]
    assert (last.action, last.reason, last.before.stage) == ("rollback", "customers complain", "live")
    history = nightschool("routes", "w", "--history").out
    assert [line.split()[3] for line in history.splitlines()[1:]] == [
        "qualify",
        "promote",
        "promote",
        "promote",
        "rollback",
    ]


def test_a_share_can_be_chosen(nightschool: Command, data: Path) -> None:
    qualified(data)
    assert nightschool("promote", "w", "--share", "60").code == 0
    assert answering(data) == [("w--b", 60)]


@pytest.mark.parametrize("adapter", [[], ["--adapter", ADAPTER]])
def test_the_share_of_a_live_student_is_lowered(nightschool: Command, data: Path, adapter: list[str]) -> None:
    an_adapter(data, "gone")
    put(data, "w", lambda before: force(before, "w--a", share=100, fingerprints=("f1",), now=NOW))
    put(data, "w", lambda before: force(before, ADAPTER, share=100, fingerprints=("f1",), now=NOW))

    done = nightschool("promote", "w", *adapter, "--share", "25")

    assert done.code == 0, done.err
    assert f"w: {ADAPTER} 25 %, w--a 75 % answers\n" in done.out
    assert "`nightschool hold w` keeps it there" in done.out
    assert f"{ADAPTER} 25 %, w--a 75 %" in nightschool("routes", "w", "--history").out
    assert "w: w--a 100 % answers\n" in nightschool("rollback", "w").out
    assert students(data).withdrawn == (ADAPTER,)


def test_a_known_adapter_is_promoted_although_its_dataset_was_deleted(nightschool: Command, data: Path) -> None:
    an_adapter(data, "gone")
    qualified(data, ADAPTER)

    done = nightschool("promote", "w", "--adapter", ADAPTER)

    assert done.code == 0, done.err
    (placed,) = students(data).answering()
    assert (placed.adapter, placed.fingerprints) == (ADAPTER, ("f1",))


def test_without_a_candidate_nothing_is_promoted(nightschool: Command, data: Path) -> None:
    done = nightschool("promote", "w")
    assert done.code == 1
    assert "there is no qualified candidate" in done.err
    assert "--force" in done.err


def test_an_unknown_workload_is_refused_with_those_there_are(nightschool: Command, data: Path) -> None:
    put(data, "old", lambda before: force(before, "old--a", share=100, fingerprints=(), now=NOW))
    for command in (["promote", "quiett"], ["hold", "quiett"], ["audit", "quiett"]):
        done = nightschool(*command)
        assert done.code == 1
        assert "no workload is called 'quiett' in the configuration; did you mean 'quiet'?" in done.err
        assert "there are: w, quiet\n" in done.err


@pytest.mark.parametrize(
    "command",
    [["rollback", "quiett"], ["routes", "quiett"], ["routes", "quiett", "--history"], ["routes", "quiett", "--json"],
     ["hold", "quiett", "--release"]],
)  # fmt: skip
def test_a_workload_that_is_neither_in_the_configuration_nor_routed_is_refused_with_those_that_are(
    nightschool: Command, data: Path, command: list[str]
) -> None:
    put(data, "old", lambda before: force(before, "old--a", share=100, fingerprints=(), now=NOW))
    done = nightschool(*command)
    assert done.code == 1
    assert done.out == ""
    assert "no workload is called 'quiett'; did you mean 'quiet'?" in done.err
    assert "there are: w, quiet, old\n" in done.err


def test_an_adapter_that_no_gate_let_pass_needs_force_and_gets_the_prompts_it_learned(
    nightschool: Command, data: Path
) -> None:
    dataset = sorted_mail(data)
    an_adapter(data, dataset.name)

    refused = nightschool("promote", "w", "--adapter", ADAPTER)
    forced = nightschool("promote", "w", "--adapter", ADAPTER, "--share", "10", "--force")

    assert refused.code == 1
    assert f"{ADAPTER} has not passed the gate of w" in refused.err
    assert forced.code == 0, forced.err
    (placed,) = students(data).answering()
    assert (placed.adapter, placed.share) == (ADAPTER, 10)
    assert len(placed.fingerprints) == 1


def test_an_adapter_that_was_damaged_is_not_promoted(nightschool: Command, data: Path) -> None:
    an_adapter(data, sorted_mail(data).name)
    (data / "adapters" / ADAPTER / "adapter_config.json").write_text('{"r": 99}')

    done = nightschool("promote", "w", "--adapter", ADAPTER, "--force")

    assert done.code == 1
    assert "adapter_config.json was changed" in done.err
    assert answering(data) == []


def test_held_until_it_is_released(nightschool: Command, data: Path) -> None:
    assert nightschool("hold", "w", "--reason", "release week").code == 0
    assert "held" in nightschool("routes", "w").out
    assert students(data).held
    assert nightschool("hold", "w").out == "w: nothing to change\n"
    assert nightschool("hold", "w", "--release").code == 0
    assert not students(data).held


def test_a_workload_that_left_the_configuration_is_said_to_be_the_teachers(nightschool: Command, data: Path) -> None:
    put(data, "old", lambda before: force(before, "old--a", share=100, fingerprints=(), now=NOW))
    assert "not in the configuration: its teacher answers" in nightschool("routes").out
    assert nightschool("rollback", "old").code == 0
    put(data, "old", hold)
    assert nightschool("hold", "old", "--release").code == 0
    assert not read_routing(data).students_of("old").held


def test_replicas_and_what_they_could_not_load_are_shown(nightschool: Command, data: Path) -> None:
    qualified(data)
    ready = ReplicaState(
        url="http://gpu-1:8000", ready=True, adapters=("w--b",), faults={"w--c": "weights are missing"}
    )
    gone = ReplicaState(url="http://gpu-2:8000", ready=False, why="cannot be reached")
    write_replicas(data, ReplicaStates(time=NOW, replicas=(ready, gone)))

    done = nightschool("routes")

    assert "1 of 2" in done.out
    assert "http://gpu-1:8000  ready, 1 adapter\n" in done.out
    assert "http://gpu-2:8000  not ready: cannot be reached" in done.out
    assert "w--c: weights are missing" in done.out
    told = json.loads(nightschool("routes", "--json").out)
    assert told["routing"]["workloads"]["w"]["candidate"]["adapter"] == "w--b"


def test_a_damaged_routing_state_is_explained(nightschool: Command, data: Path) -> None:
    (data / "registry").mkdir(parents=True)
    (data / "registry" / "routing.json").write_text("{")
    for command in (["routes"], ["rollback", "w"], ["hold", "w"]):
        done = nightschool(*command)
        assert done.code == 1
        assert "is no routing state" in done.err
