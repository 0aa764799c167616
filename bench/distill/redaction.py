"""The redaction task: texts -> traffic, held-out rows of known templates, held-out templates."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.distill.plan import Run
from bench.distill.task import Case, Counts, Message, Task
from bench.proxy.failure import BenchFailure
from demo.redaction.made import TYPES, made_texts
from demo.redaction.request import TOOL_NAME, answer_with, found_in, request_for
from demo.redaction.teacher import Noise, Teacher, told
from demo.redaction.text import Text, read_presidio, types_of

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
PRESIDIO = DATA / "presidio" / "synth_dataset_v2.json"
ROWS = "unseen rows"
TEMPLATES = "unseen templates"
TEMPLATE_SHARE = 0.15
"""Of the templates are held out with all their rows."""
MADE_ROWS = 1_000
SEED = 20


class Parts(NamedTuple):
    """The texts of a task; no text is in two of them."""

    traffic: list[Text]
    rows: list[Text]
    """Of templates that are in the traffic."""
    templates: list[Text]
    """Of templates that are not."""


def presidio(run: Run) -> Task:
    """The rows of presidio-research."""
    if not PRESIDIO.exists():
        raise BenchFailure(f"there are no presidio rows: {PRESIDIO} does not exist")
    texts = read_presidio(PRESIDIO)
    return _task(divided(texts, scored=100), types_of(texts), run, most_tokens=310)


def made(run: Run) -> Task:
    """Texts made with faker; all eighteen templates are in the traffic."""
    texts = list({text.text: text for text in made_texts(MADE_ROWS + 400)}.values())
    return _task(Parts(texts[:MADE_ROWS], texts[MADE_ROWS : MADE_ROWS + 100], []), TYPES, run, most_tokens=150)


def divided(texts: Sequence[Text], *, scored: int) -> Parts:
    """The same division for every run: templates to hold out, then rows of the other ones."""
    roll = random.Random(SEED)
    templates = sorted({text.template for text in texts})
    held = set(roll.sample(templates, round(TEMPLATE_SHARE * len(templates))))
    mixed = roll.sample(texts, len(texts))
    left = Counter(text.template for text in mixed)
    parts = Parts([], [], [])
    for text in mixed:
        if text.template in held:
            parts.templates.append(text)
        elif len(parts.rows) < scored and left[text.template] > 1:
            parts.rows.append(text)
            left[text.template] -= 1
        else:
            parts.traffic.append(text)
    return parts


def judge(answer: Message | None, truth: Message) -> tuple[Counts, bool]:
    """An entity is right when both value and type are; order does not count."""
    found = None if answer is None else found_in(answer)
    true = set(found_in(truth) or ())
    said = set(found or ())
    return Counts(len(true & said), len(said), len(true)), found is not None


def _task(parts: Parts, types: Sequence[str], run: Run, *, most_tokens: int) -> Task:
    noise = Noise(wrong_types=run.wrong_types, dropped=run.dropped, seed=run.seed)

    def cases(texts: Sequence[Text]) -> list[Case]:
        return [
            Case(request_for(text.text, types), answer_with(text.entities), answer_with(told(text, types, noise)))
            for text in texts
        ]

    traffic = parts.traffic[: run.rows]
    sets = {ROWS: cases(parts.rows[: run.scored]), TEMPLATES: cases(parts.templates[: run.scored])}
    return Task(
        workload="redaction",
        when={"tool": TOOL_NAME},
        traffic=cases(traffic),
        held_out={name: held for name, held in sets.items() if held},
        teacher=Teacher(traffic, types, noise),
        judge=judge,
        most_tokens=most_tokens,
    )
