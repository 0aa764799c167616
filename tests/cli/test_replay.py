"""`nightschool replay` prints what would be, for people and for scripts, and refuses what it cannot mean."""

from __future__ import annotations

import json
from pathlib import Path

from nightschool.registry.change import change_students
from nightschool.registry.steps import force
from tests.cli.command import Command
from tests.distill.dataset.traffic import asked, file, user
from tests.running import config_for, write_config


def prepared(folder: Path) -> Path:
    told = config_for(
        "http://127.0.0.1:9/v1",
        prices={"m": {"input": 10, "output": 10}},
        student={"price": {"input": 1, "output": 1}},
        workloads={"w": {"when": {"model": "m"}, "promote": {"teacher_share": 0}}},
    )
    records = [
        asked(
            n,
            user(f"{n}?"),
            fingerprint="f",
            conversation=str(n),
            prompt_tokens=1000,
            completion_tokens=0,
            cost_usd=0.01,
        )
        for n in range(100)
    ]
    file(folder / "data", records)
    change_students(
        folder / "data", "w", lambda before: force(before, "w--a", share=100, fingerprints=("f",), now=""),
        author="t", action="t", reason="t",
    )  # fmt: skip
    return write_config(folder, told)


def test_it_prints_who_would_answer_and_what_that_would_cost(tmp_path: Path, nightschool: Command) -> None:
    result = nightschool("replay", "--config", str(prepared(tmp_path)), "--since", "2026-01-01")

    assert result.code == 0
    assert "100%" in result.out
    assert "$1.0000" in result.out
    assert "-0.9000" in result.out


def test_other_shares_can_be_tried(tmp_path: Path, nightschool: Command) -> None:
    config = str(prepared(tmp_path))

    told = json.loads(
        nightschool("replay", "--config", config, "--since", "2026-01-01", "--share", "w=30", "--json").out
    )

    (totals,) = told["workloads"]
    assert totals["exchanges"] == 100
    assert 15 <= totals["students_now"] <= 45
    assert totals["reasons"].keys() == {"canary", "ramp"}


def test_a_share_that_means_nothing_is_refused(tmp_path: Path, nightschool: Command) -> None:
    result = nightschool("replay", "--config", str(prepared(tmp_path)), "--share", "w=many")

    assert result.code == 2
    assert "'w=many' is not of the form W=PERCENT" in result.err
