"""Which changes of the file a running proxy cannot take over."""

from __future__ import annotations

from operator import attrgetter

from nightschool.config.models import Config

FIXED_AT_START = ("listen", "workers", "data", "drain_s", "record.retention_days")


def restart_needed(old: Config, new: Config) -> list[str]:
    """Keys that changed but keep their old value until the next start; everything else takes effect at once."""
    return [key for key in FIXED_AT_START if attrgetter(key)(old) != attrgetter(key)(new)]
