"""What the tests ask for, again and again."""

from __future__ import annotations

import json
from typing import Any

MESSAGES: Any = [{"role": "user", "content": "one two three"}]


def tools(*names: str) -> Any:
    """Tool definitions by name."""
    return [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
        for name in names
    ]


def tagged(tag: str) -> dict[str, str]:
    """The request header by which a test finds its records."""
    return {"x-nightschool-tags": json.dumps({"test": tag})}
