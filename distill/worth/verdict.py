"""Does the task look as if a small model could learn it? A judgement by rules, each with its reason."""

from __future__ import annotations

from typing import Literal

import msgspec

from distill.worth.answers import Answers
from distill.worth.figures import Figures

Looks = Literal["good", "fair", "poor", "unknown"]

FEWEST_ANSWERS = 20
FEWEST_PAIRS = 20
LOW_AGREEMENT = 0.7
HIGH_AGREEMENT = 0.9
LONG_PROMPT_TOKENS = 8_000
"""About the window of an 8B model of the first generation."""
MOST_REFUSALS = 0.05

_KINDS: dict[str, tuple[Looks, str]] = {
    "label": ("good", "a closed set of labels: narrow, and scored exactly"),
    "tool_call": ("good", "tool calls: scored by name and arguments, and checked against their schema while serving"),
    "json": ("good", "JSON: scored field by field, and checked while serving"),
    "text": ("fair", "free text: only a judge can score it, so more rows are needed until a gate decides"),
    "unknown": ("unknown", "no answer with its text: nothing can be said"),
}
_WORSE: dict[Looks, Looks] = {"good": "fair", "fair": "poor", "poor": "poor", "unknown": "unknown"}


class Verdict(msgspec.Struct, frozen=True):
    """How it looks, and why."""

    looks: Looks
    reasons: tuple[str, ...]


def judge(figures: Figures, answers: Answers) -> Verdict:
    """By the kind of answers first; what makes it harder takes one step off."""
    if 0 < answers.read < FEWEST_ANSWERS:
        return Verdict(
            "unknown", (f"only {answers.read} answers: at least {FEWEST_ANSWERS} are needed to say anything",)
        )
    looks, reason = _KINDS[answers.kind]
    if answers.label_count:
        reason = f"{answers.label_count} labels from {reason}"
    harder = _what_makes_it_harder(figures, answers) if answers.read else []
    for _ in harder:
        looks = _WORSE[looks]
    return Verdict(looks, (reason, *harder, *_agreement(answers)))


def _what_makes_it_harder(figures: Figures, answers: Answers) -> list[str]:
    found = []
    if answers.agreement is not None and answers.pairs >= FEWEST_PAIRS and answers.agreement < LOW_AGREEMENT:
        found.append(
            f"asked the same again, the teacher gives the same answer in {answers.agreement:.0%} of {answers.pairs:,} "
            "pairs only: its answers are a noisy guide, and no student can agree with them more often"
        )
    if figures.prompt_tokens and figures.prompt_tokens[1] > LONG_PROMPT_TOKENS:
        found.append(
            f"5 % of the prompts are longer than {figures.prompt_tokens[1]:,.0f} tokens: the student's window has to "
            "hold them, or they stay with the teacher"
        )
    if answers.refusals > MOST_REFUSALS * answers.read:
        found.append(f"{answers.refusals / answers.read:.0%} of the answers are refusals, which a student learns, too")
    return found


def _agreement(answers: Answers) -> list[str]:
    if not answers.read:
        return []
    if answers.agreement is None:
        return ["no input was asked twice: how steady the teacher is cannot be told"]
    if answers.pairs < FEWEST_PAIRS:
        return [f"too few repeated inputs ({answers.pairs} pairs) to tell how steady the teacher is"]
    if answers.agreement >= HIGH_AGREEMENT:
        return [
            f"the teacher is steady: {answers.agreement:.0%} of {answers.pairs:,} pairs of repeated answers are equal"
        ]
    if answers.agreement >= LOW_AGREEMENT:
        return [f"{answers.agreement:.0%} of {answers.pairs:,} pairs of repeated answers are equal"]
    return []
