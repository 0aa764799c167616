"""`nightschool labels` and `nightschool dataset`, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from distill.dataset.reasons import REASONS
from tests.cli.command import Command

TRAJECTORIES = Path(__file__).parents[3] / "shared" / "data" / "tau-airline" / "gpt-4o-airline.json"
AIRLINE = ("airline", "--where", "upstream = 'import'")


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    """A configuration, and a file of four hundred chats."""
    (tmp_path / "nightschool.yaml").write_text(
        "upstreams: {main: {base_url: http://127.0.0.1:9/v1}}\n"
        "workloads: {triage: {when: {tag.task: triage}, distill: {min_examples: 50}}}\n"
    )
    questions = [{"role": "user", "content": f"ticket {number * 7919}"} for number in range(400)]
    answer = {"role": "assistant", "content": "billing"}
    (tmp_path / "chats.jsonl").write_text(
        "".join(json.dumps({"messages": [question, answer]}) + "\n" for question in questions)
    )
    return tmp_path / "chats.jsonl"


def test_from_imported_chats_to_corrected_answers_to_a_dataset_to_files(
    nightschool: Command, chats: Path, tmp_path: Path
) -> None:
    assert nightschool("logs", "import", str(chats), "--workload", "triage").code == 0
    exported = nightschool("labels", "export", "triage", "--limit", "3", "-o", "fix.jsonl")
    lines = [json.loads(line) for line in Path("fix.jsonl").read_text().splitlines()]
    Path("fix.jsonl").write_text(json.dumps({**lines[0], "message": "refunds"}) + "\n" + json.dumps(lines[1]))
    labelled = nightschool("labels", "import", "fix.jsonl", "--source", "review")
    built = nightschool("dataset", "build", "triage")
    shown = nightschool("dataset", "show", "triage", "--json")
    files = nightschool("dataset", "export", "triage", "-o", "out")

    assert "3 exchanges written" in exported.err
    assert labelled.out == "1 labels imported, 1 left as they were\n"
    assert "examples from 400 exchanges" in built.out
    sides = json.loads(shown.out)["sides"]
    assert sum(side["examples"] for side in sides.values()) == 400
    assert sum(side["labelled"] for side in sides.values()) == 1
    assert f"{sides['train']['examples']} train" in files.out
    texts = [(tmp_path / "out" / f"{side}.jsonl").read_text() for side in sides]
    assert sum(text.count("refunds") for text in texts) == 1


def test_the_card_is_shown_and_others_are_named(nightschool: Command, chats: Path) -> None:
    nightschool("logs", "import", str(chats), "--workload", "triage")
    nightschool("dataset", "build", "triage")

    shown = nightschool("dataset", "show", "triage")

    assert "Left out: 0 of 400 exchanges" in shown.out
    assert "min_examples: 50" in shown.out


def test_what_cannot_be_done_says_what_to_do(nightschool: Command, chats: Path) -> None:
    nightschool("logs", "import", str(chats), "--workload", "other")

    empty = nightschool("dataset", "build", "triage")
    unknown = nightschool("dataset", "show", "triage")
    few = nightschool("dataset", "build", "some", "--where", "id in (select id from exchanges limit 5)")

    assert (empty.code, unknown.code, few.code) == (1, 1, 1)
    assert "no exchange is recorded for workload = triage; there are: other (400)" in empty.err
    assert "nightschool dataset build triage" in unknown.err
    assert "min_examples is 300" in few.err


def test_a_format_that_is_none_is_a_usage_error(nightschool: Command, chats: Path) -> None:
    assert nightschool("dataset", "export", "triage", "--format", "csv").code == 2


@pytest.mark.skipif(not TRAJECTORIES.exists(), reason="needs ../shared/data/tau-airline")
def test_real_trajectories_become_conversations_and_the_card_explains_what_is_left_out(
    nightschool: Command, chats: Path, tmp_path: Path
) -> None:
    assert nightschool("logs", "import", str(TRAJECTORIES)).code == 0
    built = nightschool("dataset", "build", *AIRLINE, "--json")

    manifest = json.loads(built.out)
    assert manifest["exchanges"] == 2454
    examples = sum(side["examples"] for side in manifest["sides"].values())
    answers = sum(side["answers"] for side in manifest["sides"].values())
    assert (examples, answers + sum(manifest["exclusions"].values())) == (200, 2454)
    place = tmp_path / "nightschool-data" / "datasets" / "airline" / manifest["name"]
    left_out = pq.read_table(place / "excluded.parquet").to_pylist()
    card = (place / "README.md").read_text()
    assert len(left_out) == sum(manifest["exclusions"].values())
    assert all(f"| {row['reason']} |" in card and REASONS[row["reason"]] in card for row in left_out)
