"""Rows that there are, rows still needed, and when they will be there.

Where the numbers come from: a student is worth training from 300 answers on and gains much up to some thousands. The
gate compares student and teacher on test groups only, a tenth of all, and looks at nothing before 300. How many it
takes then was simulated for its betting test with a margin of 3 points, 30 nightly candidates, and answers that differ
in score on a tenth of the groups (half of the runs were decided by then): 640 if the student is 2 points better, 1 880
if it is just as good (`make bench-gate`).
"""

from __future__ import annotations

from math import ceil

import msgspec

RECOMMENDED_EXAMPLES = 1_000
GATE_GROUPS = 300
BETTER_GROUPS = 640
EQUAL_GROUPS = 1_880


class Shares(msgspec.Struct, frozen=True):
    """How a dataset is divided."""

    min_examples: int = 300
    test: float = 0.10
    validation: float = 0.05


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that takes so many."""

    purpose: str
    unit: str
    have: int
    need: int
    missing_rows: int
    """Usable exchanges that have yet to come; 0 if it can begin."""
    days: float | None
    """Until then, at the rate that was seen; null if no rate is known, or nothing comes."""
    why: str


def needs(*, usable: int, groups: int, usable_per_day: float | None, shares: Shares) -> tuple[Need, ...]:
    """What is needed for each step, the nearest first."""
    train_share = 1 - shares.test - shares.validation
    rows_per_group = usable / groups if groups else 1.0

    def of_examples(purpose: str, need: int, why: str) -> Need:
        have = int(usable * train_share)
        return _need(purpose, "training answers", have, need, 1 / train_share, why)

    def of_groups(purpose: str, need: int, why: str) -> Need:
        have = int(groups * shares.test)
        return _need(purpose, "test groups", have, need, rows_per_group / shares.test, why)

    def _need(purpose: str, unit: str, have: int, need: int, rows_each: float, why: str) -> Need:
        missing = ceil(max(need - have, 0) * rows_each)
        days = 0.0 if not missing else missing / usable_per_day if usable_per_day else None
        return Need(purpose=purpose, unit=unit, have=have, need=need, missing_rows=missing, days=days, why=why)

    kept = f"{train_share:.0%} of the usable answers are trained on"
    tested = f"{shares.test:.0%} of the conversations are kept for testing"
    return (
        of_examples("a first student", shares.min_examples, f"`distill.min_examples`; {kept}"),
        of_examples("a good student", RECOMMENDED_EXAMPLES, f"gains flatten between 1,000 and 5,000; {kept}"),
        of_groups("the gate may decide", GATE_GROUPS, f"it looks at nothing sooner; {tested}"),
        of_groups("the gate decides, student 2 points better", BETTER_GROUPS, "median of simulated nightly gates"),
        of_groups("the gate decides, student just as good", EQUAL_GROUPS, "median of simulated nightly gates"),
    )
