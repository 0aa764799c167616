"""The file of results, and the table that is made of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench.distill.plan import Planned, Run, chosen, runs
from bench.distill.results import Result, Trained, add_result, read_results
from bench.distill.score import Score
from bench.distill.table import table
from bench.distill.task import Counts
from bench.proxy.failure import BenchFailure

PLANNED = {each.name: each for each in runs()}


def result(planned: Planned, right: int = 8) -> Result:
    return Result(
        key=planned.run.key,
        name=planned.name,
        run=planned.run,
        ended="2026-11-25 04:00",
        answers={"unseen rows": Score(rows=(Counts(right, 10, 10),) * 3, valid=3)},
        teacher={"unseen rows": Score(rows=(Counts(7, 10, 10),) * 3, valid=3)},
        trained=Trained(examples=1_000, seconds=600, tokens_per_s=200),
    )


def test_results_come_back_as_they_were_added(tmp_path: Path) -> None:
    added = [result(PLANNED[name]) for name in ("made", "banking77")]
    for each in added:
        add_result(tmp_path / "new" / "results.jsonl", each)

    assert list(read_results(tmp_path / "new" / "results.jsonl").values()) == added


def test_a_line_that_a_kill_cut_off_is_passed_over_and_then_replaced(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    add_result(file, result(PLANNED["made"]))
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:50])

    assert len(read_results(file)) == 1
    add_result(file, result(PLANNED["banking77"]))
    assert len(read_results(file)) == 2


def test_a_damaged_line_in_the_middle_is_told(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text("{}\n{}\n")

    with pytest.raises(BenchFailure, match="line 1"):
        read_results(file)


def test_every_planned_run_has_a_name_and_a_key_of_its_own() -> None:
    assert len({each.run.key for each in runs()}) == len(PLANNED) == len(runs())


def test_the_key_depends_on_every_setting_and_not_on_their_order() -> None:
    run = Run(task="made", training={"epochs": 1, "rank": 8})

    assert run.key == Run(task="made", training={"rank": 8, "epochs": 1}).key
    assert run.key != msgspec.structs.replace(run, seed=2).key


def test_runs_are_chosen_by_name_and_changed_settings_make_other_runs() -> None:
    (changed,) = chosen(runs(), ["presidio-types-1"], {"epochs": 7}, quick=False)

    assert changed.run.training["epochs"] == 7
    assert changed.run.key != PLANNED["presidio-types-1"].run.key
    assert [each.name for each in chosen(runs(), ["made*"], {}, quick=False)] == ["made", "made-base"]


def test_quick_runs_never_stand_for_real_ones() -> None:
    quick = chosen(runs(), [], {}, quick=True)

    assert not {each.run.key for each in quick} & {each.run.key for each in runs()}


def test_the_table_has_the_targets_and_whether_they_are_met() -> None:
    results = {each.key: each for each in (result(PLANNED["presidio-types-1"]), result(PLANNED["made"]))}

    lines = {line.split("|")[1].strip(): line for line in table(runs(), results).splitlines() if line.startswith("|")}

    assert ">= teacher " in lines["presidio-types-1"]
    assert "| yes " in lines["presidio-types-1"]
    assert "| NO " in lines["made"]
    assert "not run yet" in lines["banking77"]
