"""Texts to redact: what is said to be in them is in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demo.redaction.made import TEMPLATES, TYPES, made_texts
from demo.redaction.text import Entity, Text, TextFileError, read_presidio, types_of

PRESIDIO = Path(__file__).resolve().parents[4] / "shared" / "data" / "presidio" / "synth_dataset_v2.json"


def places(text: Text) -> list[int]:
    return [text.text.find(entity.value) for entity in text.entities]


def test_there_are_eighteen_templates_and_twelve_types() -> None:
    assert (len(TEMPLATES), len(TYPES)) == (18, 12)


def test_made_texts_hold_their_entities_in_the_order_they_are_told() -> None:
    for text in made_texts(400):
        assert -1 not in places(text)
        assert places(text) == sorted(places(text))


def test_the_same_seed_makes_the_same_texts_and_more_of_them_begin_alike() -> None:
    assert made_texts(60)[:20] == made_texts(20)
    assert made_texts(20, seed=2) != made_texts(20)


def test_made_texts_use_every_template_and_every_type() -> None:
    texts = made_texts(300)

    assert len({text.template for text in texts}) == len(TEMPLATES)
    assert types_of(texts) == TYPES


def test_rows_of_presidio_are_read_in_the_order_of_the_text_and_each_text_once(tmp_path: Path) -> None:
    spans = [
        {"entity_type": "CITY", "entity_value": "Rome", "start_position": 13, "end_position": 17},
        {"entity_type": "PERSON", "entity_value": "Ann", "start_position": 0, "end_position": 3},
    ]
    row = {"full_text": "Ann lives in Rome", "masked": "", "spans": spans, "template_id": 7, "metadata": None}
    file = tmp_path / "rows.json"
    file.write_text(json.dumps([row, {**row, "template_id": 8}]))

    entities = (Entity("PERSON", "Ann"), Entity("CITY", "Rome"))
    assert read_presidio(file) == [Text("presidio-0", "presidio-7", "Ann lives in Rome", entities)]


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    file.write_text('[{"text": "Ann"}]')

    with pytest.raises(TextFileError, match="full_text"):
        read_presidio(file)


@pytest.mark.skipif(not PRESIDIO.exists(), reason="the presidio rows are not beside this checkout")
def test_the_real_presidio_rows_hold_their_entities() -> None:
    texts = read_presidio(PRESIDIO)

    assert len({text.template for text in texts}) > 200
    assert len(types_of(texts)) == 17
    assert all(-1 not in places(text) for text in texts)
