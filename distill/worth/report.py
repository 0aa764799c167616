"""The report before a first run: everything that is known of a workload, in one value."""

from __future__ import annotations

from pathlib import Path

import duckdb
import msgspec

from distill.selection import Selection, UnknownWorkload
from distill.workloads.selected import condition_of
from distill.worth.answers import Answers, read_answers
from distill.worth.figures import Figures, choose, read_figures
from distill.worth.money import Gpu, Kept, Money, money
from distill.worth.need import Need, Shares, needs
from distill.worth.verdict import Verdict, judge
from nightschool.store.query import ask


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say before a first run."""

    workload: str
    figures: Figures
    answers: Answers
    money: Money
    needs: tuple[Need, ...]
    verdict: Verdict


def measure(
    folder: Path,
    selection: Selection,
    *,
    gpu: Gpu | None = None,
    shares: Shares | None = None,
    kept: Kept | None = None,
) -> Worth:
    """Look at a workload, a group without a name, or a variant of one. Raises UnknownWorkload."""

    def question(store: duckdb.DuckDBPyConnection) -> Worth:
        choose(store, *condition_of(store, folder, selection))
        figures = read_figures(store)
        if figures is None:
            raise UnknownWorkload(
                f"nothing is recorded for {selection.workload!r} in this span of time",
                remedy="`nightschool workloads` lists what there is; --since looks further back",
            )
        answers = read_answers(store)
        return Worth(
            workload=selection.workload,
            figures=figures,
            answers=answers,
            money=money(
                spend_usd=figures.spend_usd,
                priced=figures.priced,
                rows=figures.rows,
                days=figures.days,
                gpu=gpu,
                kept=kept or Kept(),
            ),
            needs=needs(
                usable=figures.usable,
                groups=figures.groups,
                usable_per_day=figures.usable_per_day,
                shares=shares or Shares(),
            ),
            verdict=judge(figures, answers),
        )

    return ask(folder, question, selection.window)
