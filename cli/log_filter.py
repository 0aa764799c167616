"""Options that pick exchanges, the same for every command that takes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from nightschool.store.filter import Filter

Value = TypeVar("Value")

WorkloadOption = Annotated[str | None, typer.Option("--workload", metavar="NAME", help="Of this workload.")]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="Of this model, requested or served; * stands for anything."),
]
StatusOption = Annotated[
    str | None, typer.Option("--status", metavar="STATUS", help="429, or 5xx, or `error` for all that went wrong.")
]
TagOption = Annotated[
    list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="With this tag; may be given several times.")
]
SinceOption = Annotated[str | None, typer.Option("--since", metavar="TIME", help="Not before: 30m, 7d, or 2026-11-22.")]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before: 30m, 7d, or 2026-11-22.")]
WhereOption = Annotated[
    str | None, typer.Option("--where", metavar="SQL", help="With this condition, such as 'cost_usd > 0.1'.")
]


def filter_from(
    *,
    workload: str | None = None,
    model: str | None = None,
    status: str | None = None,
    tag: list[str] | None = None,
    since: str | None = None,
    until: str | None = None,
    where: str | None = None,
) -> Filter:
    """The filter that these options mean; what they cannot mean is a usage error."""
    from nightschool.store.filter import Filter, parse_status, parse_time
    from nightschool.store.reader import Window

    now = datetime.now(UTC)
    window = Window(
        _parsed("--since", since, lambda text: parse_time(text, now)),
        _parsed("--until", until, lambda text: parse_time(text, now)),
    )
    return Filter(
        workload=workload,
        model=model,
        status=_parsed("--status", status, parse_status),
        tags=dict(map(_tag, tag or [])),
        window=window,
        where=where,
    )


def _parsed(option: str, text: str | None, parse: Callable[[str], Value]) -> Value | None:
    try:
        return None if text is None else parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _tag(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--tag")
    return name, value
