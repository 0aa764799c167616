"""What models cost, out of the configuration: in the form that records, evaluations and audits reckon with."""

from __future__ import annotations

from collections.abc import Mapping

from nightschool.config import Config
from nightschool.record import Price


def prices_of(config: Config) -> dict[str, Price]:
    """By model."""
    return {name: Price(each.input, each.output, each.cached_input) for name, each in config.prices.items()}


def student_price_of(config: Config) -> Price | None:
    """Of every adapter; None where it is not known."""
    price = config.student.price
    return None if price is None else Price(*price.per_million)


def price_for(served: str | None, requested: str | None, prices: Mapping[str, Price]) -> Price | None:
    """The served model's; else the requested one's, whose dated version served."""
    return next((prices[name] for name in (served, requested) if name is not None and name in prices), None)
