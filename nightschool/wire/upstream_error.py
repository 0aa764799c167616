"""What an upstream calls its error -> one word for the record's ``error_type``."""

from __future__ import annotations

from typing import Any

_MAX_CHARS = 100
_VAGUE = frozenset({"error", "requests", "tokens"})
"""Types that say less than the code: OpenAI's rate limits say in ``type`` what ran out."""


def error_type(error: Any) -> str | None:
    """``type``, else ``code``, else ``status`` of an error object, if it is a name and not a number; else None.

    Also reads what such an object comes wrapped in: ``{"error": …}``, Gemini's list of one, vLLM's flat form.
    """
    if isinstance(error, list) and error:
        error = error[0]
    if not isinstance(error, dict):
        return None
    inner = error.get("error")
    if isinstance(inner, dict):
        return error_type(inner)
    for key in ("type", "code", "status"):
        name = error.get(key)
        if isinstance(name, str) and name and not name.isdigit() and (key != "type" or name not in _VAGUE):
            return name[:_MAX_CHARS]
    return None
