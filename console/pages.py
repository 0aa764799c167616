"""Templates -> HTML. Every recorded text is data: it is escaped, and no page may run or fetch what is not our own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from console.charts import bars, path, spark

UNKNOWN = "\N{EN DASH}"
"""Where nothing is known: never a zero, never a guess."""
SECTIONS = (
    ("Overview", "/"),
    ("Exchanges", "/exchanges"),
    ("Relabel", "/relabel"),
    ("Datasets", "/datasets"),
    ("Runs", "/runs"),
    ("Routing", "/routing"),
)


class Pages:
    """The templates of this package; what is forgotten in one is an error."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "count": count,
            "share": share,
            "score": score,
            "signed": signed,
            "dollars": dollars,
            "milliseconds": milliseconds,
            "moment": moment,
            "duration": duration,
            "between": between,
        }
        self._environment.globals |= {"bars": bars, "path": path, "spark": spark, "UNKNOWN": UNKNOWN}

    def render(self, request: Request, template: str, *, status: int = 200, **told: Any) -> HTMLResponse:
        """``template`` without its ending; ``told`` are its names. The session's token is there as ``token``."""
        page = self._environment.get_template(f"{template}.html.jinja").render(
            sections=SECTIONS,
            at=request.url.path,
            query=dict(request.query_params),
            token=request.state.token,
            can_log_out=request.state.can_log_out,
            **told,
        )
        return HTMLResponse(page, status_code=status)


def count(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}"


def share(value: float | None) -> str:
    """Of 1, in per cent."""
    if value is None:
        return UNKNOWN
    return f"{100 * value:.0f} %" if value in (0, 1) or 0.1 <= value <= 0.9 else f"{100 * value:.1f} %"


def score(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"


def signed(value: float | None) -> str:
    return (
        UNKNOWN
        if value is None
        else "±0.000"
        if abs(value) < 0.0005
        else f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")
    )


def dollars(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    sign, amount = ("\N{MINUS SIGN}" if value < 0 else ""), abs(value)
    return f"{sign}${amount:,.2f}" if amount >= 1 or amount == 0 else f"{sign}${amount:,.4f}"


def milliseconds(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:,.0f} ms" if value < 1000 else f"{value / 1000:,.1f} s"


def duration(seconds: float | None) -> str:
    """Of something that takes minutes or hours."""
    if seconds is None:
        return UNKNOWN
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def between(times: tuple[str, str]) -> float | None:
    """Seconds from the one time to the other; None where one is none."""
    try:
        first, last = (datetime.fromisoformat(time) for time in times)
        return (last - first).total_seconds()
    except (TypeError, ValueError):
        return None


def moment(time: datetime | str | None) -> str | Markup:
    """In UTC; the page's script rewrites it to the time of who looks."""
    if time is None or time == "":
        return UNKNOWN
    try:
        when = datetime.fromisoformat(time) if isinstance(time, str) else time
    except ValueError:  # a file was damaged: what it says is shown as it is
        return str(time)
    when = when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    told = f"{when:%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}">{}</time>').format(when.isoformat(timespec="milliseconds"), told)
