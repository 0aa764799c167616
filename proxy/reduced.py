"""Bodies without what was said in them, for ``record.bodies: metadata``: only what columns are made of."""

from __future__ import annotations

from typing import Any

from nightschool.wire import json_text

REQUEST_COLUMNS = ("model", "stream", "metadata")
RESPONSE_COLUMNS = (
    "id",
    "object",
    "created",
    "model",
    "usage",
    "system_fingerprint",
    "status",
    "incomplete_details",
)


def without_text(body: bytes, columns: tuple[str, ...]) -> bytes:
    """The members ``columns`` of a JSON object, how its choices finished and what kind of error it is; else nothing."""
    try:
        document = json_text.decode(body)
    except ValueError:
        return b""
    if not isinstance(document, dict):
        return b""
    reduced: dict[str, Any] = {column: document[column] for column in columns if column in document}
    choices = document.get("choices")
    if isinstance(choices, list):
        reduced["choices"] = [{"finish_reason": c.get("finish_reason")} for c in choices if isinstance(c, dict)]
    error = document.get("error")
    if isinstance(error, dict):
        reduced["error"] = {key: error.get(key) for key in ("type", "code")}
    return json_text.encode(reduced)
