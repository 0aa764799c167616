"""Manifest, figures and exhibits -> the report: one HTML file that needs nothing else, and the same as Markdown.

Every recorded text is data: HTML escapes it, Markdown fences it, and the page forbids scripts and all that is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from distill.evaluate.exhibits import exhibits
from distill.evaluate.figures import Figures, SliceFigures, SystemFigures
from distill.evaluate.intervals import Interval
from distill.evaluate.result import HTML, MARKDOWN, Manifest

TITLES = {
    "student": "student",
    "live": "live student",
    "few_shot": "base, with examples",
    "base": "base",
    "teacher": "teacher",
}
TRUTH_WORDS = {
    "label": "a label: what a person said is right",
    "verifier": "a verifier: the function that is named in the configuration knows by itself what is right",
    "judge": "a judge: a model said which of two answers is better; the teacher has 0.5, the score of a tie",
    "teacher": "the teacher's own answer",
}
PROBLEM_WORDS = {
    "invalid_answer": "nothing, cut off, or against the tools or schema of the request; scored as it is",
    "invalid_reference": "what it is compared with is itself invalid; no score",
    "no_teacher_answer": "the teacher's own answer to a labelled question is of no use; no score",
    "scorer_failed": "the scorer raised an error; no score",
    "not_a_number": "the scorer gave no number from 0 to 1; no score",
    "refused_by_engine": "the engine did not take the prompt, mostly for its length; no score",
    "judge_unreadable": "the judge's reply held no verdict, twice; no score",
    "judge_budget": "not judged: the limit of the run was reached; no score",
    "judge_failed": "the judge could not be asked; no score",
}
_MOST_SLICES = 40
_REACHES = (0.1, 0.2, 0.5, 1.0)
_UNKNOWN = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"


class Span(NamedTuple):
    """An interval as a bar: places in percent of the width."""

    left: float
    width: float
    mark: float


def write_report(manifest: Manifest, figures: Figures, test_side: Path, folder: Path) -> None:
    """Write both files into the folder of the rows."""
    told = {
        **_told(manifest, figures),
        "worse": exhibits(figures.worse, test_side, folder, figures.of_interest),
        "better": exhibits(figures.better, test_side, folder, figures.of_interest),
    }
    for name, template in ((HTML, "report.html.jinja"), (MARKDOWN, "report.md.jinja")):
        (folder / name).write_text(render(template, told), encoding="utf-8", errors="replace")


def render(template: str, told: Mapping[str, Any]) -> str:
    """One of the templates, filled in; what is forgotten is an error."""
    environment = Environment(
        loader=PackageLoader("distill.evaluate"),
        autoescape=template.endswith(".html.jinja"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "score": _score,
        "signed": _signed,
        "share": _share,
        "milliseconds": _milliseconds,
        "dollars": _dollars,
        "fenced": _fenced,
        "cell": _cell,
        "code": _code,
        "score_bar": lambda interval: _bar(interval, 0.0, 1.0),
        "difference_bar": lambda interval, reach: _bar(interval, -reach, reach),
    }
    return environment.get_template(template).render(told)


def headline(manifest: Manifest, figures: Figures) -> str:
    """The result in one sentence, without more than was shown."""
    system = next(one for one in figures.systems if one.name == figures.of_interest)
    name = TITLES[system.name]
    if system.difference is None or system.difference.low is None or system.difference.high is None:
        return f"There is too little to compare the {name} with the teacher."
    low, high = system.difference.low, system.difference.high
    if low > 0:
        word = f"The {name} does better than the teacher"
    elif high < 0:
        word = f"The {name} does worse than the teacher"
    else:
        word = f"No difference is shown between the {name} and the teacher"
    then = " Whether it may answer is for the gate to decide." if system.name == "student" else ""
    return f"{word}: {_signed(system.difference.mean)} ({_signed(low)} to {_signed(high)}).{then}"


def _told(manifest: Manifest, figures: Figures) -> dict[str, Any]:
    shown = _shown(figures.slices)
    return {
        "manifest": manifest,
        "figures": figures,
        "titles": TITLES,
        "truth_words": TRUTH_WORDS,
        "problem_words": PROBLEM_WORDS,
        "headline": headline(manifest, figures),
        "parity_only": set(manifest.truths) == {"teacher"},
        "by_definition": set(manifest.truths) in ({"teacher"}, {"judge"}),
        "subject": TITLES[figures.of_interest],
        "systems": _with_teacher_last(figures.systems),
        "slices": shown,
        "reach": _reach([system.difference for system in figures.systems]),
        "slice_reach": _reach([part.difference for part in shown]),
        "slices_left_out": max(0, len(figures.slices) - _MOST_SLICES),
        "problems": [
            (TITLES.get(system, system), kind, count, PROBLEM_WORDS.get(kind, "no score"))
            for system, kinds in manifest.problems.items()
            for kind, count in kinds.items()
        ],
    }


def _with_teacher_last(systems: list[SystemFigures]) -> list[SystemFigures]:
    return sorted(systems, key=lambda system: system.name == "teacher")


def _shown(slices: list[SliceFigures]) -> list[SliceFigures]:
    """The largest, and of these the worst first."""
    largest = sorted(slices, key=lambda part: -part.groups)[:_MOST_SLICES]
    return sorted(largest, key=lambda part: part.difference.mean)


def _reach(intervals: Sequence[Interval | None]) -> float:
    """Half the width of an axis on which all of them have room."""
    known = [interval for interval in intervals if interval is not None]
    ends = [abs(end) for one in known for end in (one.mean, one.low, one.high) if end is not None]
    return next(reach for reach in _REACHES if reach >= max(ends, default=0.0) or reach == _REACHES[-1])


def _bar(interval: Interval | None, least: float, most: float) -> Span | None:
    if interval is None:
        return None
    low = interval.mean if interval.low is None else interval.low
    high = interval.mean if interval.high is None else interval.high
    places = [100 * (min(max(value, least), most) - least) / (most - least) for value in (low, high, interval.mean)]
    return Span(round(places[0], 2), round(places[1] - places[0], 2), round(places[2], 2))


def _score(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    return _UNKNOWN if value is None else "±0.000" if abs(value) < 0.0005 else f"{value:+.3f}".replace("-", _MINUS)


def _share(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.1%}"


def _milliseconds(value: float | None) -> str:
    if value is None:
        return _UNKNOWN
    return f"{value:,.0f} ms" if value < 10_000 else f"{value / 1000:,.1f} s"


def _dollars(value: float | None) -> str:
    return _UNKNOWN if value is None else f"${value:,.4f}" if value < 1 else f"${value:,.2f}"


def _fenced(text: str) -> str:
    """A block of code that its text cannot end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _code(text: str) -> Markup:
    """What stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _cell(text: object) -> str:
    """Recorded text inside of a Markdown table."""
    words = " ".join(str(text).split())
    return re.sub(r"([\\`*_\[\]<>#|~!])", r"\\\1", words)
