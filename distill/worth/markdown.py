"""The report as Markdown: for a file, an issue, or a terminal that renders it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from distill.worth.answers import Answers
from distill.worth.figures import UNUSABLE, Figures
from distill.worth.money import Money
from distill.worth.need import Need
from distill.worth.report import Worth

_LOOKS = {
    "good": "looks good",
    "fair": "can be tried",
    "poor": "does not look good",
    "unknown": "cannot be told yet",
}
_FULL_WEEK = 7


def markdown(worth: Worth) -> str:
    """The whole report."""
    parts = [
        [f"# Is {_escaped(worth.workload)} worth teaching?", "", *_summary(worth), ""],
        ["## Does it look as if it could be learned?", "", f"It **{_LOOKS[worth.verdict.looks]}**:", ""],
        [*_bullets(worth.verdict.reasons), "", *_labels(worth.answers)],
        ["## What is there", "", *_table(("what", "how much"), _figures(worth.figures, worth.answers)), ""],
        ["## What it costs, and what a student would save", "", *_money(worth), ""],
        ["## What is still needed", "", *_needs(worth.needs), ""],
    ]
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def _summary(worth: Worth) -> Iterator[str]:
    figures, costs = worth.figures, worth.money
    spend = (
        "what the teacher costs is not known"
        if costs.spend is None
        else f"the teacher costs ${costs.spend:,.2f} a month"
    )
    first = worth.needs[0]
    start = (
        "there are enough to begin" if not first.missing_rows else f"{first.missing_rows:,} more are needed to begin"
    )
    yield f"{figures.usable:,} answers can be learned from, {start}; {spend}."


def _labels(answers: Answers) -> Iterator[str]:
    if not answers.labels:
        return
    yield from _table(("label", "answers"), [(_code(label), f"{count:,}") for label, count in answers.labels.items()])
    if (more := (answers.label_count or 0) - len(answers.labels)) > 0:
        yield f"\nand {more} more."
    yield ""


def _figures(figures: Figures, answers: Answers) -> Iterator[tuple[str, str]]:
    yield "exchanges", f"{figures.rows:,} from {figures.first_seen[:16]} to {figures.last_seen[:16]} UTC"
    yield "usable", f"{figures.usable:,} in {figures.groups:,} conversations"
    for reason, count in figures.unusable.items():
        yield f"not usable: {UNUSABLE[reason]}", f"{count:,}"
    yield "growth", _growth(figures)
    for name, tokens in (("prompt", figures.prompt_tokens), ("answer", figures.completion_tokens)):
        if tokens:
            yield (
                f"tokens of a {name}" if name == "prompt" else "tokens of an answer",
                (f"median {tokens[0]:,.0f}, 95 % below {tokens[1]:,.0f}"),
            )
    yield "answers looked at", f"{answers.read:,} newest: {answers.distinct:,} different, {answers.refusals:,} refusals"
    if answers.agreement is not None:
        yield (
            "asked again",
            (
                f"{answers.repeated_inputs:,} inputs; of {answers.pairs:,} pairs of answers "
                f"{answers.agreement:.0%} are equal"
            ),
        )


def _growth(figures: Figures) -> str:
    if figures.is_a_moment:
        return "all of it within a day: how much comes in a day is not known"
    text = f"{figures.rows_per_day:,.1f} a day"
    if figures.week_before:
        change = figures.newest_week / figures.week_before - 1
        return f"{text}; {figures.newest_week:,} in the newest week, {change:+.0%} against the week before"
    return f"{text}; less than a week was seen, so rates are rough" if figures.days < _FULL_WEEK else text


def _money(worth: Worth) -> Iterator[str]:
    costs, figures = worth.money, worth.figures
    if costs.spend is None:
        yield "The cost of no exchange is known: give the model a price under `prices:`, for what comes from now on."
        return
    if figures.priced < figures.rows:
        yield f"The cost is known of {figures.priced:,} of {figures.rows:,} exchanges; the others count as nothing."
        yield ""
    yield from _bullets(costs.arithmetic)
    yield ""
    yield _saving(costs)
    yield ""
    yield "Left out, since it is not known before a run: hours of training, whether one GPU carries the traffic, and"
    yield "answers that the student hands back. One GPU can hold the students of many workloads, which share its price."


def _saving(costs: Money) -> str:
    if costs.saving is None:
        price = f"**${costs.break_even_gpu_hour:,.4f}**"
        return f"A GPU pays if an hour of it costs less than {price}; `--gpu-hour-usd` reckons with yours."
    if costs.saving > 0:
        return f"A student would save **${costs.saving:,.2f}** a month."
    return f"A student alone on that GPU would cost **${-costs.saving:,.2f}** a month more than it saves."


def _needs(needs: Sequence[Need]) -> Iterator[str]:
    yield from _table(
        ("for", "have", "need", "still to come", "ready", "because"),
        [
            (
                need.purpose,
                f"{need.have:,} {need.unit}",
                f"{need.need:,}",
                f"{need.missing_rows:,} exchanges" if need.missing_rows else "",
                _when(need),
                need.why,
            )
            for need in needs
        ],
    )


def _when(need: Need) -> str:
    if not need.missing_rows:
        return "now"
    if need.days is None:
        return "not known"
    return f"in {need.days:,.0f} days" if need.days >= 1 else "within a day"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _bullets(lines: Iterable[str]) -> Iterator[str]:
    return (f"- {line}" for line in lines)


def _code(text: str) -> str:
    """Whatever is in it, on one line."""
    words = " ".join(text.split())
    fence = "``" if "`" in words else "`"
    return f"{fence} {words} {fence}" if "`" in words else f"{fence}{words}{fence}"


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\`*_[]<>#|" else char for char in text)
