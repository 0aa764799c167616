"""`nightschool worth`: a report before a first run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.log_filter import WhereOption, filter_from
from cli.options import ConfigOption, JsonOption, configured

if TYPE_CHECKING:
    from distill.worth.money import Gpu, Kept
    from distill.worth.need import Shares
    from nightschool.config import Config

MonthlyHours = Annotated[
    float | None,
    typer.Option(
        "--gpu-hours",
        min=0.01,
        metavar="HOURS",
        help="GPU hours a month, with --gpu-hour-usd. Without it, one GPU that is always on.",
        show_default=False,
    ),
]


def worth(
    workload: Annotated[
        str,
        typer.Argument(
            metavar="W", help="A workload, an id of `nightschool workloads`, or fingerprint:… of its prompt."
        ),
    ],
    config: ConfigOption = None,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="Exchanges not before: 12h, 30d, or 2026-11-22.")
    ] = "30d",
    where: WhereOption = None,
    gpu_hour_usd: Annotated[
        float | None,
        typer.Option(
            "--gpu-hour-usd", min=0.0, metavar="USD", help="What an hour of your GPU costs.", show_default=False
        ),
    ] = None,
    gpu_hours: MonthlyHours = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a file or an issue.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say whether a workload is worth teaching: what it costs, what would be saved, and what is still needed.

    With --where the exchanges that match are looked at, whatever workload they have, and W is only their name.

    Examples:

    nightschool worth pii-redaction --gpu-hour-usd 1.20

    nightschool worth redact-4e66cd82 --since 90d --markdown > worth.md
    """
    if as_markdown and as_json:
        raise typer.BadParameter("either --markdown or --json, not both")
    if gpu_hours is not None and gpu_hour_usd is None:
        raise typer.BadParameter("needs --gpu-hour-usd", param_hint="--gpu-hours")
    window = filter_from(since=since).window
    import msgspec

    from cli.data import data_folder
    from distill.selection import Selection
    from distill.worth.report import measure  # DuckDB takes a while to import

    with data_folder(config) as folder:
        known = configured(config)
        selection = Selection.configured(known, workload, where=where, window=window)
        report = measure(
            folder,
            selection,
            gpu=_gpu(gpu_hour_usd, gpu_hours),
            shares=_shares(known, workload),
            kept=_kept(known, workload),
        )
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
        return
    from distill.worth.markdown import markdown

    if as_markdown:
        print(markdown(report), end="")
    else:
        _show(markdown(report))


def _gpu(hour_usd: float | None, hours: float | None) -> Gpu | None:
    from distill.worth.money import HOURS_PER_MONTH, Gpu

    return None if hour_usd is None else Gpu(hour_usd, HOURS_PER_MONTH if hours is None else hours)


def _shares(config: Config, workload: str) -> Shares:
    """As a dataset of this workload would be divided."""
    from distill.worth.need import Shares

    settings = config.distill_of(workload)
    return Shares(min_examples=settings.min_examples, test=settings.test_share)


def _kept(config: Config, workload: str) -> Kept:
    from distill.worth.money import Kept

    promote = config.promote_of(workload)
    return Kept(teacher=promote.teacher_share, audit=promote.audit)


def _show(text: str) -> None:
    from rich.markdown import Markdown

    from cli.screen import console

    console().print(Markdown(text))
