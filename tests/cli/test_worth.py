from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.cli.command import Command
from tests.distill.recorded import Exchange, chat, record

CONFIG = """
upstreams: {main: {base_url: http://127.0.0.1:9}}
workloads:
  sort:
    when: {system_prompt: ^You sort}
    distill: {min_examples: 51}
"""


@pytest.fixture
def folder(tmp_path: Path, nightschool: Command) -> Path:
    """A configuration, and a hundred exchanges of one workload."""
    (tmp_path / "nightschool.yaml").write_text(CONFIG)
    now_us = time.time_ns() // 1000
    exchanges = [
        Exchange(chat("You sort.", f"message {n}"), ("a | b", "c")[n % 2], now_us - n * 1_000_000, "sort")
        for n in range(100)
    ]
    return record(tmp_path / "nightschool-data", exchanges)


def test_the_report_is_for_people(folder: Path, nightschool: Command) -> None:
    result = nightschool("worth", "sort", "--gpu-hour-usd", "0.5")

    assert result.code == 0
    for told in (
        "Is sort worth teaching?",
        "100 answers can be learned from, there are enough to begin",
        "2 labels from a closed set of labels",
        "GPU: $0.50 x 730.5 hours = $365.25 a month",
        "85 training answers",
    ):
        assert told in result.out


def test_markdown_can_be_kept(folder: Path, nightschool: Command) -> None:
    text = nightschool("worth", "sort", "--markdown").out

    assert text.startswith("# Is sort worth teaching?\n\n100 answers can be learned from")
    assert "| `a \\| b` | 50 |" in text
    assert "`--gpu-hour-usd` reckons with yours" in text
    tables = [line for line in text.splitlines() if line.startswith("| a first student")]
    assert tables == [
        "| a first student | 85 training answers | 51 |  | now | `distill.min_examples`; 85% of the usable answers are "
        "trained on |"
    ]


def test_json_holds_every_figure(folder: Path, nightschool: Command) -> None:
    found = json.loads(nightschool("worth", "sort", "--json", "--gpu-hour-usd", "0.5", "--gpu-hours", "100").out)

    assert found["figures"]["rows"] == 100
    assert found["answers"]["labels"] == {"a | b": 50, "c": 50}
    assert found["money"]["gpu"] == 50.0
    assert found["money"]["spend"] == pytest.approx(0.2 * 365.25 / 12)
    assert found["needs"][0]["need"] == 51
    assert found["verdict"]["looks"] == "good"


def test_an_unknown_workload_is_explained(folder: Path, nightschool: Command) -> None:
    result = nightschool("worth", "srot")

    assert result.code == 1
    assert "nothing is recorded for 'srot' in this span of time" in result.err
    assert "`nightschool workloads` lists what there is" in result.err


@pytest.mark.parametrize(
    "arguments",
    [[], ["sort", "--json", "--markdown"], ["sort", "--gpu-hours", "9"], ["sort", "--gpu-hour-usd", "-1"]],
)
def test_wrong_usage_exits_with_2(folder: Path, nightschool: Command, arguments: list[str]) -> None:
    assert nightschool("worth", *arguments).code == 2
