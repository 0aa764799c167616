"""The JSON schema of `nightschool.yaml`, for editors that complete and check while one types."""

from __future__ import annotations

from typing import Any

from nightschool.config.models import Config


def json_schema() -> dict[str, Any]:
    """Draft 2020-12. It knows every key, type and pattern; references between sections are checked by loading only."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(),
        "title": "nightschool.yaml",
    }
