from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.cli.command import Command
from tests.distill.recorded import DAY_US, Exchange, call, chat, record

CONFIG = "upstreams: {main: {base_url: http://127.0.0.1:9}}\n"
EPISODES = Path(__file__).parents[2].parent / "shared" / "data" / "tau-airline" / "gpt-4o-airline.json"
TODAY_US = time.time_ns() // 1000
TRANSLATE = "You translate from English to {}. Answer with the translation and nothing else, keep all names."


@pytest.fixture
def folder(tmp_path: Path, nightschool: Command) -> Path:
    """A configuration, and a day's traffic in its data folder."""
    (tmp_path / "nightschool.yaml").write_text(CONFIG)
    exchanges = [
        *(
            Exchange(chat("Redact.", f"text {n}\nof two lines", tools=["redact"]), call("redact", "{}"))
            for n in range(50)
        ),
        *(Exchange(chat(TRANSLATE.format("French"), f"text {n}")) for n in range(25)),
        *(Exchange(chat(TRANSLATE.format("German"), f"text {n}")) for n in range(20)),
        *(Exchange(chat("Be kind."), workload="kindness") for _ in range(5)),
        Exchange({}, endpoint="/models"),
    ]
    times = (exchange._replace(time_us=TODAY_US - n * 1_000_000) for n, exchange in enumerate(exchanges))
    return record(tmp_path / "nightschool-data", times)


def test_the_table_shows_groups_their_prompts_and_what_to_do_next(folder: Path, nightschool: Command) -> None:
    result = nightschool("workloads")

    lines = result.out.splitlines()
    assert result.code == 0
    assert lines[0].split()[:3] == ["workload", "exchanges", "share"]
    assert lines[1].split("  ")[0].endswith("(no rule)")
    assert lines[1].split()[3:9] == ["50", "50%", "$0.1000", "5,000", "→", "2,500"]
    assert lines[1].rstrip().endswith("text 0 of two lines")
    assert [line.startswith("  chat-") for line in lines] == [False, False, False, True, True, False]
    assert lines[5].split()[:2] == ["kindness", "5"]
    assert "1 exchanges hold no prompt" in result.err
    assert f"next: nightschool workloads --yaml {lines[1].split()[0]}" in result.err


def test_json_has_everything_of_every_group(folder: Path, nightschool: Command) -> None:
    found = json.loads(nightschool("workloads", "--json", "--since", "1d").out)

    first = found["workloads"][0]
    assert found["without_prompt"] == 1
    assert (first["exchanges"], first["kind"], first["tools"]) == (50, "tool_call", ["redact"])
    assert first["rule"].startswith(f"  {first['id']}:\n    when:\n      tool: redact\n")
    assert [len(line["variants"]) for line in found["workloads"]] == [0, 2, 0]


def test_the_yaml_of_a_group_is_a_valid_workload(folder: Path, nightschool: Command, tmp_path: Path) -> None:
    found = json.loads(nightschool("workloads", "--json").out)["workloads"]
    lines = [found[0], *found[1]["variants"]]

    blocks = [nightschool("workloads", "--yaml", line["id"]).out for line in lines]

    (tmp_path / "nightschool.yaml").write_text(f"{CONFIG}workloads:\n{''.join(blocks)}")
    assert nightschool("check").code == 0


def test_an_id_is_the_same_tomorrow(folder: Path, nightschool: Command) -> None:
    before = {line["id"] for line in json.loads(nightschool("workloads", "--json").out)["workloads"]}

    record(folder, [Exchange(chat(TRANSLATE.format("Czech")), time_us=TODAY_US + n) for n in range(3)])

    assert {line["id"] for line in json.loads(nightschool("workloads", "--json").out)["workloads"]} == before


@pytest.mark.parametrize(
    ("identity", "problem", "remedy"),
    [
        ("nobody", "there is no workload 'nobody' in this span of time", "--since looks further back"),
        ("kindness", "kindness has a name", "its rule, if there is one, stands in the configuration"),
    ],
)
def test_what_has_no_rule_says_why(
    folder: Path, nightschool: Command, identity: str, problem: str, remedy: str
) -> None:
    result = nightschool("workloads", "--yaml", identity)

    assert result.code == 1
    assert problem in result.err
    assert remedy in result.err


def test_prompts_that_are_not_recorded_have_no_rule(nightschool: Command, tmp_path: Path) -> None:
    (tmp_path / "nightschool.yaml").write_text(CONFIG)
    record(tmp_path / "nightschool-data", [Exchange(chat("Secret."), bodies=False, time_us=TODAY_US - DAY_US)])
    (line,) = json.loads(nightschool("workloads", "--json").out)["workloads"]

    result = nightschool("workloads", "--yaml", line["id"])

    assert result.code == 1
    assert "set `record.bodies: full`" in result.err


def test_an_empty_span_of_time_is_said(folder: Path, nightschool: Command) -> None:
    result = nightschool("workloads", "--since", "2999-01-01")

    assert (result.code, result.out) == (0, "")
    assert "no exchange with a prompt in this span of time" in result.err
    assert json.loads(nightschool("workloads", "--since", "2999-01-01", "--json").out)["workloads"] == []


@pytest.mark.parametrize("arguments", [["--since", "yesterday"], ["--yaml", "x", "--json"], ["-n", "0"]])
def test_wrong_usage_exits_with_2(folder: Path, nightschool: Command, arguments: list[str]) -> None:
    assert nightschool("workloads", *arguments).code == 2


def test_imported_episodes_are_a_workload_that_can_be_named_and_weighed(nightschool: Command, tmp_path: Path) -> None:
    if not EPISODES.is_file():
        pytest.skip("the logged episodes of tau-airline are not there (../shared/data)")
    (tmp_path / "nightschool.yaml").write_text(CONFIG)
    assert nightschool("logs", "import", str(EPISODES)).code == 0

    (line,) = json.loads(nightschool("workloads", "--json").out)["workloads"]
    rule = nightschool("workloads", "--yaml", line["id"])
    weighed = nightschool("worth", line["id"])

    assert (line["exchanges"], line["kind"], line["spend_usd"]) == (2454, "tool_call", None)
    assert "^# Airline Agent Policy" in rule.out
    assert (weighed.code, "2,454 answers can be learned from" in weighed.out) == (0, True)
    assert "what the teacher costs is not known" in weighed.out


def test_the_printed_lines_make_a_workload_of_what_was_recorded_before_them(
    folder: Path, nightschool: Command, tmp_path: Path
) -> None:
    group = nightschool("workloads").out.splitlines()[1].split()[0]
    lines = nightschool("workloads", "--yaml", group).out.replace(f"{group}:", "redaction:", 1)
    (tmp_path / "nightschool.yaml").write_text(f"{CONFIG}workloads:\n{lines}    distill: {{min_examples: 10}}\n")

    built = nightschool("dataset", "build", "redaction")
    listed = nightschool("workloads")

    assert "from 50 exchanges" in built.out
    assert f"{group} (before redaction)" in listed.out
    assert f"--yaml {group}" not in listed.err


def test_a_workload_that_keeps_the_id_of_its_group_is_not_told_to_be_older_than_itself(
    nightschool: Command, tmp_path: Path
) -> None:
    (tmp_path / "nightschool.yaml").write_text(
        f"{CONFIG}workloads: {{kindness: {{when: {{path: '*'}}, recorded_as: [kindness]}}}}\n"
    )
    record(tmp_path / "nightschool-data", [Exchange(chat("Be kind."), workload="kindness", time_us=TODAY_US)])

    line = nightschool("workloads").out.splitlines()[1]

    assert line.split()[:2] == ["kindness", "1"]
