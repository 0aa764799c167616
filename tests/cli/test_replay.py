"""`nightschool replay` prints what would be, for people and for scripts, and refuses what it cannot mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nightschool.registry.change import change_students
from nightschool.registry.steps import force
from tests.cli.command import Command
from tests.distill.dataset.traffic import asked, file, user
from tests.running import config_for, write_config

OLD, NEW = "w--aaaaaaaaaaaa", "w--bbbbbbbbbbbb"
SINCE = ("--since", "2026-01-01")


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Of a folder with a hundred exchanges, all of them the teacher's, and of a student that now answers all."""
    file(
        tmp_path / "data",
        [
            asked(
                number,
                user(f"{number}?"),
                fingerprint="f",
                conversation=str(number),
                model_requested="m",
                prompt_tokens=1000,
                completion_tokens=0,
                cost_usd=0.01,
                reason="rule",
            )
            for number in range(100)
        ],
    )
    for adapter in (OLD, NEW):
        put_live(tmp_path / "data", adapter)
    return str(written(tmp_path))


def written(folder: Path, **sections: Any) -> Path:
    told = {
        "prices": {"m": {"input": 10, "output": 10}},
        "student": {"price": {"input": 1, "output": 1}},
        "workloads": {"w": {"when": {"model": "m"}, "promote": {"teacher_share": 0}}},
    }
    return write_config(folder, config_for("http://127.0.0.1:9/v1", **{**told, **sections}))


def put_live(data: Path, adapter: str) -> None:
    change_students(
        data, "w", lambda before: force(before, adapter, share=100, fingerprints=("f",), now=""),
        author="t", action="t", reason="t",
    )  # fmt: skip


def told(nightschool: Command, *options: str) -> dict[str, Any]:
    """As JSON, of the one workload there is."""
    result = nightschool("replay", *options, *SINCE, "--json")
    assert result.code == 0, result.err
    (totals,) = json.loads(result.out)["workloads"]
    assert isinstance(totals, dict)
    return totals


def test_it_prints_who_would_answer_and_what_that_would_cost(config: str, nightschool: Command) -> None:
    result = nightschool("replay", "--config", config, *SINCE)

    assert result.code == 0
    heads, row, *notes = result.out.splitlines()
    titles = "workload exchanges students then students now cost then cost now difference undecidable why now"
    assert " ".join(heads.split()) == titles
    assert row.split() == ["w", "100", "0%", "100%", "$1.0000", "$0.1000", "-0.9000", "live", "100"]
    assert notes == [
        "an estimate, $0.1000 of the cost now: of 100 that change between teacher and student",
        "students are taken to be always ready and never to fail",
        "costs are sums over the exchanges whose cost is known both then and now",
        "they rest on the tokens that were counted then, and every model counts others",
    ]


def test_what_is_not_known_is_named_below_the_table_and_null_for_scripts(
    tmp_path: Path, config: str, nightschool: Command
) -> None:
    workloads = {"h": {"when": {"header.x": "y"}}, "w": {"when": {"model": "m"}}}
    unpriced = str(written(tmp_path, student={}))
    out = nightschool("replay", "--config", unpriced, *SINCE).out
    assert "in no cost, 100: students have no price\n" in out
    assert out.splitlines()[1].split()[4:7] == ["unknown", "unknown", "unknown"]
    assert told(nightschool, "--config", unpriced)["usd_now"] is None

    header = str(written(tmp_path, workloads=workloads))
    result = nightschool("replay", "--config", header, *SINCE)
    totals = told(nightschool, "--config", header)

    assert "undecidable, 100: a rule reads a header, and none is recorded\n" in result.out
    assert (totals["exchanges"], sum(totals["undecidable"].values()), totals["usd_now"]) == (0, 100, None)


def test_other_shares_can_be_tried(config: str, nightschool: Command) -> None:
    totals = told(nightschool, "--config", config, "--share", "w=30")

    assert totals["exchanges"] == 100
    assert 15 <= totals["students_now"] <= 45
    assert totals["reasons_now"].keys() == {"live", "ramp"}


def test_another_adapter_can_be_tried_by_a_piece_of_its_name(config: str, nightschool: Command) -> None:
    totals = told(nightschool, "--config", config, "--adapters", "w=aaaa:30")

    assert 15 <= totals["reasons_now"]["canary"] <= 45
    assert totals["reasons_now"].keys() == {"canary", "live"}


def test_as_routed_the_exchanges_meet_the_students_of_their_time(config: str, nightschool: Command) -> None:
    totals = told(nightschool, "--config", config, "--adapters", "as-routed")

    assert totals["reasons_now"] == {"rule": 100}
    assert totals["changed"] == 0


def test_the_record_may_lie_elsewhere(tmp_path: Path, config: str, nightschool: Command) -> None:
    (tmp_path / "new").mkdir()
    elsewhere = str(written(tmp_path / "new"))

    assert told(nightschool, "--config", elsewhere, "--data", str(tmp_path / "data"))["exchanges"] == 100


def test_a_time_in_which_nothing_came_is_said_to_be_so(config: str, nightschool: Command) -> None:
    result = nightschool("replay", "--config", config, "--since", "2020-01-01", "--until", "2020-01-02")

    assert (result.code, result.out) == (0, "nothing was recorded in that time\n")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--share", "w=many"), "'w=many' is not of the form W=PERCENT"),
        (("--share", "w=101"), "with 0 to 100 per cent"),
        (("--share", "w=aaaa:5"), "'w=aaaa:5' is not of the form W=PERCENT"),
        (("--adapters", "w=5"), "'w=5' is not of the form W=ADAPTER:PERCENT"),
        (("--adapters", "as-routed", "--share", "w=5"), "as-routed goes with no other students"),
    ],
)
def test_an_option_that_means_nothing_is_refused(
    options: tuple[str, ...], fault: str, config: str, nightschool: Command
) -> None:
    result = nightschool("replay", "--config", config, *options)

    assert result.code == 2
    assert fault in " ".join(result.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--share", "unheard-of=5"), "no workload is called 'unheard-of'"),
        (("--adapters", "w=cccc:5"), "there is no adapter of w"),
    ],
)
def test_what_is_not_there_is_a_problem_that_is_explained(
    options: tuple[str, ...], fault: str, config: str, nightschool: Command
) -> None:
    result = nightschool("replay", "--config", config, *options)

    assert result.code == 1
    assert fault in result.err
