"""What is taken out of texts, out of the configuration."""

from __future__ import annotations

from nightschool.config import RecordConfig
from nightschool.wire.redact import Redactor


def redactor_of(record: RecordConfig) -> Redactor:
    """Its rules, in their order; false where there is none."""
    return Redactor([(rule.pattern, rule.replacement) for rule in record.redact])
