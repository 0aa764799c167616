"""Texts for the app, by the run in which it sends them, and the truth about each."""

from __future__ import annotations

import json
import os
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from demo.loop.place import Place
from demo.loop.scale import Scale
from demo.redaction.request import found_in
from demo.redaction.text import Entity, Text, read_presidio, types_of

TRUTH_VARIABLE = "NIGHTSCHOOL_DEMO_TRUTH"
_PROMPT = (
    "Find all personal data in the user's text. Call redact once, with every piece of it in the order of the text, "
    "copied exactly; with an empty list if there is none. The types are {types}."
)


def write_texts(place: Place, scale: Scale, source: Path | None) -> tuple[list[Text], tuple[str, ...]]:
    """Files for the app and for the scorer; returns all texts, and the types of data that they may hold."""
    texts, types = _all(scale, source)
    place.prompt.write_text(_PROMPT.format(types=", ".join(types)))
    place.truth.write_text(json.dumps({text.text: text.entities for text in texts}))
    limits = [0, *accumulate(scale.texts.values())]
    for part, (begin, end) in zip(scale.texts, pairwise(limits), strict=True):
        place.texts(part).write_text(json.dumps([text.text for text in texts[begin:end]]))
    return texts, types


def _all(scale: Scale, source: Path | None) -> tuple[list[Text], tuple[str, ...]]:
    count = sum(scale.texts.values())
    if scale.tiny:
        return [Text(f"plain-{n}", "plain", f"Ticket {n}: when do you open?", ()) for n in range(count)], ("PERSON",)
    if source is None:
        from demo.redaction.made import TYPES, made_texts  # faker is wanted for these only

        return made_texts(count), TYPES
    texts = read_presidio(source)
    return texts[:count], types_of(texts)


def score(question: dict[str, Any], answer: dict[str, Any] | None, reference: dict[str, Any]) -> float:
    """F1 against the truth, which the demo knows of every text: the scorer of the workload, and its verifier."""
    truth = set(_truth().get(question["messages"][-1]["content"], ()))
    found = found_in(answer) if answer is not None else None
    if found is None:
        return 0.0
    said = set(found)
    return 2 * len(said & truth) / (len(said) + len(truth)) if said or truth else 1.0


@cache
def _truth() -> dict[str, list[Entity]]:
    told = json.loads(Path(os.environ[TRUTH_VARIABLE]).read_text())
    return {text: [Entity(*entity) for entity in entities] for text, entities in told.items()}
