"""What the teacher costs in a month, and what a student on a GPU would cost instead.

Arithmetic over what was recorded and what the user says of the GPU; every step of it is shown, nothing is guessed.
"""

from __future__ import annotations

import msgspec

DAYS_PER_MONTH = 365.25 / 12
HOURS_PER_MONTH = 24 * DAYS_PER_MONTH


class Gpu(msgspec.Struct, frozen=True):
    """What the student would run on."""

    hour_usd: float
    hours_per_month: float
    """All hours of a month for one GPU that is always on."""


class Kept(msgspec.Struct, frozen=True):
    """What goes on being paid to the teacher, for ever, in per cent: it is how drift is found."""

    teacher: float = 3.0
    """Of the conversations; `promote.teacher_share`."""
    audit: float = 3.0
    """Of the student's answers, to which the teacher is asked as well; `promote.audit`."""

    @property
    def rest(self) -> float:
        """The share that is not paid any more."""
        return (1 - self.teacher / 100) * (1 - self.audit / 100)


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """Of a month, in USD; null where something that it depends on is not known."""

    spend: float | None
    """At the rate that was seen."""
    exchanges: float
    avoidable: float | None
    """What is not paid to the teacher any more when the student has all of the traffic."""
    break_even_gpu_hour: float | None
    """The price of a GPU hour at which a GPU that is always on costs as much as it saves."""
    gpu: float | None = None
    saving: float | None = None
    break_even_exchanges: float | None = None
    """Exchanges a month at which it pays."""
    arithmetic: tuple[str, ...] = ()
    """How the figures came about, one line each."""


def money(*, spend_usd: float | None, priced: int, rows: int, days: float, gpu: Gpu | None, kept: Kept) -> Money:
    """From what was paid for ``priced`` of ``rows`` exchanges in ``days`` days."""
    exchanges = rows / days * DAYS_PER_MONTH
    if spend_usd is None or not priced:
        return Money(spend=None, exchanges=exchanges, avoidable=None, break_even_gpu_hour=None)
    spend = spend_usd / days * DAYS_PER_MONTH
    avoidable = spend * kept.rest
    hours = gpu.hours_per_month if gpu else HOURS_PER_MONTH
    lines = [
        f"spend: ${spend_usd:,.2f} in {days:.1f} days, x {DAYS_PER_MONTH:.2f} days = ${spend:,.2f} a month",
        f"avoidable: ${spend:,.2f} x (1 - {kept.teacher:g}% of the teacher's own) x (1 - {kept.audit:g}% audit) = "
        f"${avoidable:,.2f} a month",
        f"break-even price: ${avoidable:,.2f} / {hours:,.1f} GPU hours = ${avoidable / hours:,.4f} an hour",
    ]
    result = Money(
        spend=spend,
        exchanges=exchanges,
        avoidable=avoidable,
        break_even_gpu_hour=avoidable / hours,
        arithmetic=tuple(lines),
    )
    return result if gpu is None else _with_gpu(result, gpu)


def _with_gpu(before: Money, gpu: Gpu) -> Money:
    cost = gpu.hour_usd * gpu.hours_per_month
    avoidable = before.avoidable or 0.0
    per_exchange = avoidable / before.exchanges
    needed = cost / per_exchange if per_exchange else None
    lines = [
        f"GPU: ${gpu.hour_usd:,.2f} x {gpu.hours_per_month:,.1f} hours = ${cost:,.2f} a month",
        f"saving: ${avoidable:,.2f} - ${cost:,.2f} = {_signed(avoidable - cost)} a month",
    ]
    if needed is not None:
        lines.append(
            f"break-even traffic: ${cost:,.2f} / ${per_exchange:.6f} avoidable per exchange = "
            f"{needed:,.0f} exchanges a month (there are {before.exchanges:,.0f})"
        )
    return msgspec.structs.replace(
        before,
        gpu=cost,
        saving=avoidable - cost,
        break_even_exchanges=needed,
        arithmetic=(*before.arithmetic, *lines),
    )


def _signed(amount: float) -> str:
    return f"-${-amount:,.2f}" if amount < 0 else f"${amount:,.2f}"
