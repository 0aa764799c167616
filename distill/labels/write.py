"""One corrected answer -> the table ``labels``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from nightschool.record import Label
from nightschool.store.append import append
from nightschool.store.schema import table_of
from nightschool.wire import json_text


def write_label(data: Path, exchange: str, message: dict[str, Any], *, author: str, source: str) -> None:
    """``message`` as ``written_answer`` gives it. From now on it counts instead of what is logged."""
    label = Label(
        exchange_id=exchange,
        time_us=time.time_ns() // 1000,
        message=json_text.encode(message).decode(),
        author=author,
        source=source,
    )
    append(data, "labels", table_of("labels", [label]))
