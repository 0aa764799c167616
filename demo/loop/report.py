"""The closing page: one HTML file that needs nothing else, and the same in a few lines on the screen."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from demo.loop.config import WORKLOAD
from demo.loop.place import Place
from demo.loop.screen import say
from demo.loop.stages import Stages
from nightschool.registry.change import Change, read_history

_SYSTEMS = {"base": "base model, untuned", "teacher": "teacher", "student": "student"}


class Score(NamedTuple):
    """Of one system, against the truth."""

    title: str
    score: float
    rows: int


class Span(NamedTuple):
    """Answers in a row of one who answered."""

    who: str
    answers: int
    begin: str
    share: float
    """Of all answers, in per cent."""


def write_report(place: Place, stages: Stages) -> None:
    scores, spans = _scores(place, stages), _spans(stages)
    costs = _costs(stages)
    history = read_history(place.data, WORKLOAD)
    night, harm = stages.result("night"), stages.result("harm")
    page = Environment(
        loader=PackageLoader("demo.loop", "templates"), autoescape=True, undefined=StrictUndefined
    ).get_template("report.html.jinja")
    place.report.write_text(
        page.render(
            scores=scores,
            spans=spans,
            costs=costs,
            history=[_told(change) for change in history],
            night=night,
            harm=harm,
        )
    )
    _print(scores, costs, history)


def _scores(place: Place, stages: Stages) -> list[Score]:
    evaluation = stages.result("night").get("evaluation")
    rows = place.data / "evaluations" / WORKLOAD / str(evaluation) / "rows.parquet"
    found = stages.sql(
        f"select system, avg(score) as score, count(*) as rows from read_parquet('{rows}') "
        "where score is not null group by system"
    )
    known = {row["system"]: row for row in found}
    return [
        Score(title, float(known[name]["score"]), int(known[name]["rows"]))
        for name, title in _SYSTEMS.items()
        if name in known
    ]


def _costs(stages: Stages) -> list[dict[str, Any]]:
    return list(
        stages.sql(
            "select case when reason = 'audit' then 'teacher, asked by the audit' else target end as who, "
            "count(*) as answers, sum(cost_usd) as usd, avg(cost_usd) * 1000 as usd_per_thousand, "
            "median(latency_ms) as latency_ms from exchanges where status = 200 group by 1 order by 1"
        )
    )


def _spans(stages: Stages) -> list[Span]:
    """Who answered the app, in the order of time."""
    rows = stages.sql(
        "select cast(time as varchar) as time, case when starts_with(reason, 'fallback') then 'teacher, for a student "
        "that failed' when target = 'student' then adapter else 'teacher' end as who from exchanges "
        "where reason <> 'audit' and status = 200 order by time"
    )
    spans = [(who, list(group)) for who, group in groupby(rows, key=lambda row: row["who"])]
    return [Span(who, len(group), group[0]["time"][11:19], 100 * len(group) / len(rows)) for who, group in spans]


def _told(change: Change) -> dict[str, str]:
    answering = ", ".join(f"{each.adapter} {each.share:g} %" for each in change.after.answering())
    return {
        "time": datetime.fromisoformat(change.time).strftime("%H:%M:%S"),
        "author": change.author,
        "action": change.action,
        "answers": answering or "the teacher",
        "reason": change.reason,
    }


def _print(scores: list[Score], costs: list[dict[str, Any]], history: list[Change]) -> None:
    say("F1 against the truth, on texts that nobody was trained on:")
    for each in scores:
        say(f"  {each.title:<20} {each.score:.3f}  {'█' * round(each.score * 40)}  ({each.rows} texts)")
    say("who answered, and what it cost (invented prices):")
    for row in costs:
        usd = "unknown" if row["usd"] is None else f"{row['usd']:.4f} USD, {row['usd_per_thousand']:.3f} a thousand"
        say(f"  {row['who']:<28} {row['answers']:>5} answers  {usd}")
    last = next(change for change in reversed(history) if change.action == "rollback")
    say(f"the harmed student was withdrawn by {last.author}: {last.reason}")
