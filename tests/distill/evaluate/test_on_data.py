"""Real texts: the numbers of an evaluation, and the gate's, against a reckoning that shares no code with them."""

from __future__ import annotations

import csv
import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from distill.dataset.settings import Settings
from distill.evaluate.figures import figures_of
from distill.evaluate.result import ROWS
from distill.gate.pairs import newest_evaluation
from nightschool.record import Label
from nightschool.store.append import append
from nightschool.store.schema import table_of
from tests.distill.dataset.traffic import asked, built, calls, file, identity, says, tool, user
from tests.distill.evaluate.school import ADAPTER, evaluated, rows
from tests.fake_replica import FakeReplica, running_replica

DATA = Path(__file__).parents[4] / "shared" / "data"
PRESIDIO = DATA / "presidio" / "synth_dataset_v2.json"
BANKING = DATA / "banking77" / "test.csv"
HALF = Settings(min_examples=1, test_share=0.4)
TOOL = tool("redact", fields="array")

Span = dict[str, str]


def without_some(spans: list[Span], share: float, seed: str) -> list[Span]:
    roll = random.Random(seed)
    return [span for span in spans if roll.random() >= share]


def redaction(spans: list[Span]) -> dict[str, Any]:
    return calls("redact", json.dumps({"fields": spans}))


@pytest.mark.skipif(not PRESIDIO.exists(), reason="needs ../shared/data/presidio")
def test_redaction_by_labels_and_the_gate_agree_with_a_reckoning_by_hand(tmp_path: Path) -> None:
    """Teacher and student only leave spans out, so that the score of an answer is the share of the spans it has."""
    texts = {
        row["full_text"]: [{"type": span["entity_type"], "string": span["entity_value"]} for span in row["spans"]]
        for row in json.loads(PRESIDIO.read_text(encoding="utf-8"))
    }
    teacher = {text: without_some(spans, 0.3, f"teacher {text}") for text, spans in texts.items()}
    student = {text: without_some(spans, 0.1, f"student {text}") for text, spans in texts.items()}
    file(
        tmp_path,
        [
            asked(number, user(text), answer=redaction(teacher[text]), body={"tools": [TOOL]})
            for number, text in enumerate(texts)
        ],
    )
    labels = [
        Label(exchange_id=identity(number), time_us=number, message=json.dumps(redaction(spans)), author="truth")
        for number, spans in enumerate(texts.values())
    ]
    append(tmp_path, "labels", table_of("labels", labels))
    built(tmp_path, HALF)

    def rule(model: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
        return redaction(student[messages[-1]["content"]] if model == ADAPTER else [])

    with running_replica(FakeReplica(rule)) as replica:
        manifest = evaluated(tmp_path, replica.url, few_shot=0)

    assert manifest.scorer.name == "spans"
    assert manifest.truths == {"label": manifest.taken}
    by_id = dict(zip(map(identity, range(len(texts))), texts, strict=True))
    wanted: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows(tmp_path, manifest):
        text = by_id[row["example"]]
        given = {"teacher": teacher, "student": student}.get(row["system"], {}).get(text, [])
        right = len(given) / len(texts[text]) if texts[text] else 1.0
        assert row["score"] == pytest.approx(right)
        wanted[row["system"]][row["group"]].append(right)
    check(tmp_path, wanted, manifest.id)


@pytest.mark.skipif(not BANKING.exists(), reason="needs ../shared/data/banking77")
def test_intents_by_the_teachers_answers_and_the_gate_agree_with_a_reckoning_by_hand(tmp_path: Path) -> None:
    with BANKING.open(encoding="utf-8", newline="") as lines:
        intents = {row["text"]: row["category"] for row in csv.DictReader(lines)}
    names = sorted(set(intents.values()))
    student = {
        text: random.Random(text).choice(names) if random.Random(f"x{text}").random() < 0.1 else name
        for text, name in intents.items()
    }
    system = {"role": "system", "content": "Which intent is it?"}
    file(tmp_path, [asked(n, system, user(text), answer=says(name)) for n, (text, name) in enumerate(intents.items())])
    built(tmp_path, HALF)

    with running_replica(
        FakeReplica(lambda model, messages: student[messages[-1]["content"]] if model == ADAPTER else "what?")
    ) as replica:
        manifest = evaluated(tmp_path, replica.url, few_shot=0)

    assert manifest.scorer.name == "label"
    assert manifest.truths == {"teacher": manifest.taken}
    by_id = dict(zip(map(identity, range(len(intents))), intents, strict=True))
    wanted: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows(tmp_path, manifest):
        text = by_id[row["example"]]
        right = {"teacher": True, "student": student[text] == intents[text]}.get(row["system"], False)
        assert row["score"] == float(right)
        wanted[row["system"]][row["group"]].append(float(right))
    check(tmp_path, wanted, manifest.id)


def check(folder: Path, wanted: dict[str, dict[str, list[float]]], evaluation: str) -> None:
    """Means by group, of scores and of differences, are those of the figures and those of the gate's evidence."""
    means = {name: {group: sum(own) / len(own) for group, own in of.items()} for name, of in wanted.items()}
    between = [means["student"][group] - means["teacher"][group] for group in means["teacher"]]
    path = folder / "evaluations" / "w" / evaluation
    figures = {system.name: system for system in figures_of(path / ROWS).systems}
    for name, of in means.items():
        score = figures[name].score
        assert score is not None
        assert score.mean == pytest.approx(sum(of.values()) / len(of))
        assert score.low is not None
        assert score.low <= score.mean <= (score.high or 0.0)
    difference = figures["student"].difference
    assert difference is not None
    assert difference.mean == pytest.approx(sum(between) / len(between))
    found = newest_evaluation(folder, "w").evidence.rows
    assert len({row.group for row in found}) == len(between)
    assert all(row.student is not None and row.teacher is not None for row in found)
