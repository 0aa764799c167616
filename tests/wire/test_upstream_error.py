"""What an upstream calls its error."""

from __future__ import annotations

from typing import Any

import pytest

from nightschool.wire.upstream_error import error_type


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            {"message": "m", "type": "invalid_request_error", "param": None, "code": "model_not_found"},
            "invalid_request_error",
        ),
        ({"error": {"message": "m", "type": "tokens", "code": "rate_limit_exceeded"}}, "rate_limit_exceeded"),
        ({"error": {"message": "m", "type": None, "code": "insufficient_quota"}}, "insufficient_quota"),
        ({"error": {"code": "429", "message": "Azure"}}, None),
        ({"error": {"code": "DeploymentNotFound", "message": "Azure"}}, "DeploymentNotFound"),
        ({"object": "error", "message": "vLLM", "type": "NotFoundError", "code": 404}, "NotFoundError"),
        ({"type": "error", "error": {"type": "overloaded_error"}}, "overloaded_error"),
        ([{"error": {"code": 400, "message": "Gemini", "status": "INVALID_ARGUMENT"}}], "INVALID_ARGUMENT"),
        ({"error": "text only"}, None),
        ({"error": {"type": "x" * 1000}}, "x" * 100),
        ({"detail": "Not Found"}, None),
        ("text", None),
        ([], None),
        (None, None),
    ],
)
def test_the_first_telling_name_counts(error: Any, expected: str | None) -> None:
    assert error_type(error) == expected
