"""What a build keeps to."""

from __future__ import annotations

import msgspec

from nightschool.config import Distill

VALIDATION_SHARE = 0.05
TEST_ROWS = 2_000
VALIDATION_ROWS = 500
HALF_LIFE_DAYS = 30.0
LEAST_FRESHNESS = 0.25
"""However old an example is, it is not less likely than this to be kept."""


class Settings(msgspec.Struct, kw_only=True, frozen=True):
    """As `distill:` of a workload gives them; the meaning of each is on the configuration's page."""

    min_examples: int = 300
    max_examples: int = 10_000
    test_share: float = 0.1
    newest_days: int = 7


def settings_of(distill: Distill) -> Settings:
    """Of the configuration; the rest of ``distill`` is about what comes later."""
    return Settings(**distill.model_dump(include=set(Settings.__struct_fields__)))
