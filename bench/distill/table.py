"""Results -> a table that can be read in a terminal and pasted into Markdown, with the targets beside the figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from typing import NamedTuple

from bench.distill.plan import Planned, Run, TaskName
from bench.distill.redaction import ROWS
from bench.distill.results import Result
from bench.distill.score import Score
from bench.figure import Figure, Sheet

HEADS = (
    *("run", "set", "answers learned", "epochs", "base", "teacher", "student (95 %)", "precision", "recall", "valid"),
    *("target", "met?", "training", "tokens/s"),
)
NOTE = (
    "F1 over entities (micro; value and type must be right), for banking77 accuracy; valid: answers of the right form. "
    "The interval is of the rows drawn, not of the seeds."
)


class Target(NamedTuple):
    """What the student should reach on unseen rows."""

    text: str
    least: Callable[[Score], float]
    """Of the teacher's score."""


TARGETS = {
    "presidio-labels-all": Target(">= teacher + 0.05", lambda teacher: teacher.f1 + 0.05),
    "presidio-types-[123]": Target(">= teacher", lambda teacher: teacher.f1),
    "made": Target(">= 0.90", lambda teacher: 0.90),
}


def table(planned: Sequence[Planned], results: Mapping[str, Result]) -> str:
    """The planned runs in their order, then whatever else has been tried."""
    return f"{_render([HEADS, *_all_lines(planned, results)])}\n\n{NOTE}"


def figures(planned: Sequence[Planned], results: Mapping[str, Result]) -> Iterator[Figure]:
    """A line for each run that has a target, with a result or without."""
    for each in planned:
        if (result := results.get(each.run.key)) is None:
            if (target := _target(each.name)) is not None:
                yield Figure(f"{each.name}: F1 of the student on {ROWS}", "not run yet", target.text)
            continue
        for name, student in result.answers.items():
            wanted, met = _verdict(result.name, name, student, result.teacher[name])
            if wanted:
                low, high = student.interval
                shown = f"{student.f1:.3f} ({low:.3f}-{high:.3f}), teacher {result.teacher[name].f1:.3f}"
                yield Figure(f"{result.name}: F1 of the student on {name}", shown, wanted, met == "yes")


def sheet(planned: Sequence[Planned], results: Mapping[str, Result]) -> Sheet:
    """The same lines as ``table``."""
    return Sheet(NOTE, list(HEADS), [list(line) for line in _all_lines(planned, results)])


def _all_lines(planned: Sequence[Planned], results: Mapping[str, Result]) -> list[tuple[str, ...]]:
    bases = {result.run.task: result for result in results.values() if not result.run.student and _full(result)}
    known = {each.run.key for each in planned}
    shown = [results.get(each.run.key) or each for each in planned if each.run.student]
    tried = [result for key, result in results.items() if key not in known and result.run.student]
    return [line for each in (*shown, *tried) for line in _lines(each, bases)]


def _full(result: Result) -> bool:
    return "quick" not in result.name


def _lines(shown: Result | Planned, bases: Mapping[TaskName, Result]) -> Iterator[tuple[str, ...]]:
    if isinstance(shown, Planned):
        yield (shown.name, "", "", "", "", "", "not run yet", *[""] * (len(HEADS) - 7))
        return
    base = bases.get(shown.run.task)
    for name, student in shown.answers.items():
        teacher = shown.teacher[name]
        low, high = student.interval
        yield (
            shown.name,
            f"{len(student.rows)} {name}",
            f"{shown.trained.examples:,}" if shown.trained else "",
            _epochs(shown.run),
            f"{base.answers[name].f1:.3f}" if base else "",
            f"{teacher.f1:.3f}",
            f"{student.f1:.3f} ({low:.3f}-{high:.3f})",
            f"{student.precision:.3f}",
            f"{student.recall:.3f}",
            f"{student.valid}/{len(student.rows)}",
            *_verdict(shown.name, name, student, teacher),
            f"{shown.trained.seconds / 60:.1f} min, {shown.trained.precision}" if shown.trained else "",
            f"{shown.trained.tokens_per_s:.0f}" if shown.trained else "",
        )


def _epochs(run: Run) -> str:
    return str(run.training.get("epochs", ""))


def _verdict(run: str, name: str, student: Score, teacher: Score) -> tuple[str, str]:
    target = _target(run)
    if target is None or name != ROWS:
        return "", ""
    return target.text, "yes" if student.f1 >= target.least(teacher) else "NO"


def _target(run: str) -> Target | None:
    return next((target for pattern, target in TARGETS.items() if fnmatch(run, pattern)), None)


def _render(rows: Iterable[tuple[str, ...]]) -> str:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
