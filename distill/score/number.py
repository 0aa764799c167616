"""Whether two numbers are the same, as JSON or written in a text.

Whole numbers are equal or not: an order, a card or a moment is another one if a single digit differs, however long it
is. Only where one has a fraction there is a tolerance, for what floating point leaves over.
"""

from __future__ import annotations

import re
from decimal import Decimal

TOLERANCE = Decimal("1e-6")
"""By so much two numbers may differ; where both are below 1, by so much of the greater one."""
_LONGEST = 100
"""What is longer is a text; its characters are compared."""
_NUMBER = re.compile(r"-?((0|[1-9]\d*)(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
_MAYBE_GROUPED = re.compile(r"-?[1-9]\d{0,2}\.\d{3}", re.ASCII)
"""1.500 is one and a half to some, and fifteen hundred to others."""


def number_in(text: str) -> Decimal | None:
    """The number that a text is; None for all else: 00501 and +49301234 are none, they name something."""
    said = text.strip()
    if len(said) > _LONGEST or _NUMBER.fullmatch(said) is None or _MAYBE_GROUPED.fullmatch(said):
        return None
    return Decimal(said)


def same_number(value: Decimal, reference: Decimal) -> bool:
    """NaN, which some servers write, is itself."""
    if value == reference or (value.is_nan() and reference.is_nan()):
        return True
    if not (value.is_finite() and reference.is_finite()) or (_is_whole(value) and _is_whole(reference)):
        return False
    return abs(value - reference) <= TOLERANCE * min(Decimal(1), max(abs(value), abs(reference)))


def _is_whole(number: Decimal) -> bool:
    return number == number.to_integral_value()
