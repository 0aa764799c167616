"""Import files, written and imported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nightschool.record import Price
from nightschool.store.imports.importer import Imported, import_files

PRICES = {"gpt-x": Price(1.0, 2.0)}
QUESTION = {"role": "user", "content": "why?"}
ANSWER = {"role": "assistant", "content": "because"}
CHAT = {"messages": [QUESTION, ANSWER]}
COMPLETION = {
    "object": "chat.completion",
    "created": 1_773_144_000,
    "model": "gpt-x",
    "choices": [{"index": 0, "message": ANSWER, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5},
}
PAIR = {"request": {"model": "gpt-x", "messages": [QUESTION]}, "response": COMPLETION}


def write(path: Path, *items: Any) -> Path:
    """JSONL; text is written as it is."""
    path.write_text("\n".join(item if isinstance(item, str) else json.dumps(item) for item in items) + "\n")
    return path


def bring(folder: Path, *files: Path, workload: str | None = None) -> Imported:
    return import_files(folder, files, prices=PRICES, workload=workload)
