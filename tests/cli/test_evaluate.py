from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Command
from tests.distill.evaluate.school import ADAPTER, BASE_MODEL, an_adapter, label_of, number_in, sorted_mail
from tests.fake_replica import FakeReplica, running_replica

CONFIG = """
upstreams: {{main: {{base_url: "http://127.0.0.1:9/v1"}}}}
student: {{base_model: {base}, replicas: {replicas}}}
workloads: {{w: {{when: {{system_prompt: ^You sort}}, evaluate: {{few_shot: 0}}}}}}
"""


@pytest.fixture
def replica() -> Iterator[FakeReplica]:
    with running_replica(FakeReplica(lambda model, messages: label_of(number_in(messages[-1]["content"])))) as replica:
        yield replica


def configured(folder: Path, *replicas: str) -> Path:
    (folder / "nightschool.yaml").write_text(CONFIG.format(base=BASE_MODEL, replicas=json.dumps(replicas)))
    data = folder / "nightschool-data"
    sorted_mail(data)
    return data


def test_a_table_and_the_way_to_the_report(replica: FakeReplica, tmp_path: Path, nightschool: Command) -> None:
    an_adapter(configured(tmp_path, replica.url))

    result = nightschool("evaluate", "w")

    assert result.code == 0, result.err
    assert f"{ADAPTER}, 60 test answers, label" in result.out
    assert re.search(r"^student +1.000 ", result.out, re.MULTILINE)
    assert "truth: 60 by teacher" in result.out
    report = next(line for line in result.out.splitlines() if line.startswith("report: ")).removeprefix("report: ")
    assert Path(report).read_text().startswith("<!doctype html>")
    assert "parity at best" in result.err


def test_json_is_the_manifest(replica: FakeReplica, tmp_path: Path, nightschool: Command) -> None:
    data = configured(tmp_path, replica.url)

    found = json.loads(nightschool("evaluate", "w", "--limit", "20", "--json").out)

    assert (found["taken"], found["cases"], found["adapter"]) == (20, 60, None)
    assert (data / "evaluations" / "w" / found["id"] / "rows.parquet").exists()


def test_an_adapter_can_be_left_out(replica: FakeReplica, tmp_path: Path, nightschool: Command) -> None:
    an_adapter(configured(tmp_path, replica.url))

    assert "the base model alone" in nightschool("evaluate", "w", "--adapter", "none").out


def test_a_damaged_adapter_is_not_loaded(replica: FakeReplica, tmp_path: Path, nightschool: Command) -> None:
    adapter = an_adapter(configured(tmp_path, replica.url))
    (adapter / "adapter_model.safetensors").write_bytes(b"else")

    result = nightschool("evaluate", "w")

    assert result.code == 1
    assert "adapter_model.safetensors was changed" in result.err
    assert replica.adapters == {}


def test_what_is_missing_is_said_with_what_to_do(tmp_path: Path, nightschool: Command) -> None:
    configured(tmp_path)

    for arguments, told in (
        (("w",), "no replica is configured"),
        (("v",), "there is no dataset of v"),
        (("w", "--adapter", "x"), "there is no adapter of w"),
    ):
        result = nightschool("evaluate", *arguments)
        assert result.code == 1
        assert told in result.err
        assert "try: " in result.err


def test_the_gate_goes_on_from_there(replica: FakeReplica, tmp_path: Path, nightschool: Command) -> None:
    an_adapter(configured(tmp_path, replica.url))
    nightschool("evaluate", "w")

    verdict = json.loads(nightschool("gate", "w", "--json").out)

    assert verdict["verdict"] == "undecided"
    assert verdict["mean_difference"] == 0.0
