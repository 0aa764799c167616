"""What is recorded, what is held out, and that the proxy records what the teacher answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.distill.banking import FOLDER, banking77
from bench.distill.plan import Run
from bench.distill.redaction import PRESIDIO, ROWS, TEMPLATES, divided, made, presidio
from bench.distill.traffic import record, recorded_ids
from demo.redaction.made import made_texts
from demo.redaction.text import Text

needs_presidio = pytest.mark.skipif(not PRESIDIO.exists(), reason="the presidio rows are not beside this checkout")
needs_banking = pytest.mark.skipif(not FOLDER.exists(), reason="the banking77 questions are not beside this checkout")


def templates(texts: list[Text]) -> set[str]:
    return {text.template for text in texts}


def test_no_text_is_in_two_parts_and_templates_are_held_out_whole() -> None:
    texts = made_texts(600)
    traffic, rows, held = divided(texts, scored=50)

    assert sorted([*traffic, *rows, *held], key=lambda text: text.id) == sorted(texts, key=lambda text: text.id)
    assert len(rows) == 50
    assert templates(rows) <= templates(traffic)
    assert not templates(held) & templates([*traffic, *rows])


@needs_presidio
def test_every_run_holds_out_the_same_presidio_rows() -> None:
    first = presidio(Run(task="presidio", wrong_types=0.3))
    second = presidio(Run(task="presidio", dropped=0.3, seed=3, rows=250))

    for name in (ROWS, TEMPLATES):
        assert [case.asked for case in first.held_out[name]] == [case.asked for case in second.held_out[name]]
        assert len(first.held_out[name]) == 100
    assert len(second.traffic) == 250
    assert [case.asked for case in first.traffic[:250]] == [case.asked for case in second.traffic]


@needs_banking
def test_no_question_of_the_official_test_split_is_recorded() -> None:
    task = banking77(Run(task="banking77", rows=2_000, scored=500))

    held_out = {case.asked for case in task.held_out[ROWS]}
    assert (len(task.traffic), len(held_out)) == (2_000, 500)
    assert not held_out & {case.asked for case in task.traffic}


def test_an_application_s_traffic_through_the_proxy_is_recorded_whole(tmp_path: Path) -> None:
    task = made(Run(task="made", wrong_types=0.3, rows=12))

    record(task, tmp_path, {"min_examples": 1})

    assert set(recorded_ids(tmp_path)) == {case.asked for case in task.traffic}
