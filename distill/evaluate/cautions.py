"""What a reader of the numbers must know: sentences for the head of a report."""

from __future__ import annotations

from collections.abc import Iterator

from distill.evaluate.figures import Figures
from distill.evaluate.result import Manifest

_FEW_GROUPS = 100
_MANY_UNSCORED = 0.05
_MANY_INCONSISTENT = 0.3


def cautions(manifest: Manifest, figures: Figures, no_judge: bool) -> list[str]:
    """One sentence each, the gravest first."""
    return [*_truth(manifest, no_judge), *_judge(manifest), *_amount(manifest, figures)]


def _truth(manifest: Manifest, no_judge: bool) -> Iterator[str]:
    if no_judge:
        yield (
            "The answers are free text and no judge is named: equal wording is all that counts, which says "
            "little. Name one under `evaluate: judge:`."
        )
    if "judge" in manifest.truths and len(manifest.truths) > 1:
        yield (
            "Scores are of two kinds: right or wrong by labels, and better or worse than the teacher by the judge (0.5 "
            "is a tie). Look at the differences, and at the slices `truth:…` apart."
        )
    if set(manifest.truths) == {"teacher"}:
        yield (
            "Nothing is known of the truth but what the teacher answered: the teacher scores 1 by definition, and a "
            "student can show parity at best, never that it beats the teacher. Labels or a judge change that."
        )


def _judge(manifest: Manifest) -> Iterator[str]:
    judge = manifest.judge
    if judge is None:
        return
    if judge.relatives:
        yield (
            f"The judge {judge.model} is of one family with {', '.join(judge.relatives)}, whose answers it compares: "
            "judges prefer their own family. Take one of another."
        )
    counts = judge.counts
    asked = counts.pairs - counts.identical
    if asked and counts.inconsistent / asked > _MANY_INCONSISTENT:
        yield (
            f"The order of the answers decided {counts.inconsistent:,} of {asked:,} comparisons, which count as ties: "
            "this judge can hardly tell them apart."
        )
    if counts.over_budget:
        yield f"The limit on the judge was reached: {counts.over_budget:,} comparisons have no score."
    if counts.unreadable:
        yield f"The judge gave no readable verdict on {counts.unreadable:,} comparisons; they have no score."


def _amount(manifest: Manifest, figures: Figures) -> Iterator[str]:
    if manifest.elsewhere:
        yield (
            f"{manifest.elsewhere:,} of {manifest.cases:,} test answers are to prompts with too few test examples: the "
            "teacher goes on answering these, so they count for nothing here."
        )
    counted = manifest.cases - manifest.elsewhere
    if manifest.taken < counted:
        yield f"Only {manifest.taken:,} of {counted:,} test answers were evaluated (--limit), drawn by a hash."
    for system in figures.systems:
        missing = manifest.taken - system.rows
        if missing > _MANY_UNSCORED * manifest.taken:
            yield f"{missing:,} of {manifest.taken:,} answers of {system.name} have no score: see the problems."
    groups = max(system.groups for system in figures.systems)
    if groups < _FEW_GROUPS:
        yield f"There are only {groups:,} test groups: intervals are wide, and a gate will hardly decide."
