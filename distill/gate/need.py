"""How many more rows an undecided student needs, if it goes on as it has begun."""

from __future__ import annotations

import math
from collections.abc import Sequence

from distill.gate.bets import Differences, log_fortune, rows_until
from distill.gate.criteria import Criteria
from distill.gate.slices import Slice, Z


def rows_needed(differences: Differences, criteria: Criteria, slices: Sequence[Slice]) -> int | None:
    """About so many more groups, rounded up to two digits; None where no number of rows is in sight."""
    wanted = [
        _for_evidence(differences, criteria),
        criteria.min_rows - len(differences),
        *(_for_slice(one, len(differences), criteria.slices.worst) for one in slices if one.status == "unsure"),
    ]
    known = [number for number in wanted if number is not None]
    return _about(max(known)) if len(known) == len(wanted) else None


def _for_evidence(differences: Differences, criteria: Criteria) -> float | None:
    """What is missing of the evidence, if it goes on to grow as it has."""
    if log_fortune(differences, criteria.bar) >= math.log(criteria.threshold):
        return 0
    total = rows_until(differences, criteria.bar, math.log(criteria.threshold))
    return None if total is None else total - len(differences)


def _for_slice(one: Slice, rows: int, worst: float) -> float | None:
    """Until the bound of a slice is within the limit, as long as it gets its share of all rows."""
    room = one.mean_difference + worst
    if room <= 0:
        return None
    reach = one.mean_difference - one.lower_bound
    deviation = reach * math.sqrt(one.rows) / Z
    return ((Z * deviation / room) ** 2 / one.rows - 1) * rows


def _about(number: float) -> int:
    if number <= 0:
        return 0
    unit: int = 10 ** max(math.floor(math.log10(number)) - 1, 0)
    return math.ceil(number / unit) * unit
