"""`nightschool gate`, as a person types it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.cli.command import Command
from tests.distill.gate.evaluations import answers, write_evaluation

CONFIG = "upstreams: {main: {base_url: http://127.0.0.1:9/v1}}\n"


def pairs(folder: Path, *, wins: int, losses: int, ties: int) -> str:
    lines = [f"w{n},0,1,{'novel' if n % 2 else ''}" for n in range(wins)]
    lines += [f"l{n},1,0," for n in range(losses)] + [f"t{n},1,1,tool:a" for n in range(ties)]
    random.Random(1).shuffle(lines)
    (folder / "pairs.csv").write_text("group,teacher,student,slice\n" + "\n".join(lines) + "\n")
    return "pairs.csv"


def test_pairs_are_judged_and_the_json_has_what_scripts_need(nightschool: Command, tmp_path: Path) -> None:
    file = pairs(tmp_path, wins=45, losses=45, ties=810)

    done = nightschool("gate", "--pairs", file, "--criterion", "parity", "--margin", "0.05", "--json")

    told = json.loads(done.out)
    assert done.code == 0
    assert told["verdict"] == "promote"
    assert told["threshold"] == 600
    assert told["e_value"] >= 600
    assert (told["rows"], told["mean_difference"], told["rows_needed"]) == (900, 0, 0)
    assert -0.05 < told["interval"][0] < 0 < told["interval"][1]
    assert {one["name"] for one in told["slices"]} == {"novel", "tool:a"}


def test_an_alpha_is_the_risk_of_this_decision(nightschool: Command, tmp_path: Path) -> None:
    file = pairs(tmp_path, wins=24, losses=24, ties=432)

    default = nightschool("gate", "--pairs", file, "--margin", "0.05")
    bolder = json.loads(nightschool("gate", "--pairs", file, "--margin", "0.05", "--alpha", "0.05", "--json").out)

    assert default.out.startswith("undecided: the evidence is")
    assert "rows needed" in default.out
    assert (bolder["verdict"], bolder["threshold"]) == ("promote", 20)


def test_a_dossier_is_kept_and_replayed(nightschool: Command, tmp_path: Path) -> None:
    file = pairs(tmp_path, wins=45, losses=45, ties=810)
    nightschool("gate", "--pairs", file, "--margin", "0.05", "--keep", "kept")
    (dossier,) = (tmp_path / "kept").iterdir()

    again = nightschool("gate", "--replay", str(dossier))
    as_json = nightschool("gate", "--replay", str(dossier), "--json")
    dossier.write_text(dossier.read_text().replace('"promote"', '"reject"'))
    changed = nightschool("gate", "--replay", str(dossier))

    assert again.code == 0
    assert again.out.endswith("agrees in every field\n")
    assert json.loads(as_json.out)["agrees"] is True
    assert changed.code == 1
    assert "was changed after the decision" in changed.err


def test_the_newest_evaluation_is_judged_by_the_configuration(nightschool: Command, tmp_path: Path) -> None:
    (tmp_path / "nightschool.yaml").write_text(
        CONFIG + "workloads: {triage: {when: {tag.task: triage}, promote: {margin: 0.05, min_rows: 100}}}\n"
    )
    write_evaluation(tmp_path / "nightschool-data", answers([(1.0, 1.0)] * 280))

    done = nightschool("gate", "triage", "--json")
    again = nightschool("gate", "--replay", json.loads(done.out)["dossier"])
    stricter = nightschool("gate", "triage", "--margin", "0.01")

    assert json.loads(done.out)["verdict"] == "promote"
    assert again.code == 0
    assert stricter.out.startswith("undecided")


def test_without_an_evaluation_it_says_how_to_make_one(nightschool: Command, tmp_path: Path) -> None:
    (tmp_path / "nightschool.yaml").write_text(CONFIG)

    done = nightschool("gate", "triage")

    assert done.code == 1
    assert "nightschool evaluate triage" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("triage", "--pairs", "x.csv"),
        ("--pairs", "x.csv", "--criterion", "better"),
        ("--replay", "x.json", "--margin", "0.1"),
        ("triage", "--keep", "there"),
        ("--pairs", "x.csv", "--evaluation", "e1"),
    ],
)
def test_what_does_not_go_together_is_a_fault_of_usage(nightschool: Command, arguments: tuple[str, ...]) -> None:
    assert nightschool("gate", *arguments).code == 2


@pytest.mark.parametrize(
    ("option", "value"), [("--margin", "0"), ("--margin", "nan"), ("--alpha", "1"), ("--alpha", "0")]
)
def test_criteria_that_make_no_sense_are_refused(nightschool: Command, tmp_path: Path, option: str, value: str) -> None:
    done = nightschool("gate", "--pairs", pairs(tmp_path, wins=1, losses=1, ties=8), option, value)

    assert done.code == 1
    assert "the gate cannot judge by this" in done.err
