"""What a file of a dataset teaches, or tests, told by keys of 64 bits: what is new in one, and what another has taught.

An answer's key is that of its prompt, of what stands around it, and of itself; so an answer that comes again is the
same one, whatever its exchange is called. Read batch by batch: what is kept are 17 bytes an answer.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from distill.dataset.identity import beginnings_of, frame_key, joined
from nightschool.wire import json_text

_FRAME = ("tools", "tool_choice", "response_format")
_ROWS = 256


class Answers(NamedTuple):
    """Of one or several files, an entry for each answer."""

    prompts: NDArray[np.int64]
    answered: NDArray[np.int64]
    """Prompt and answer."""
    labelled: NDArray[np.bool_]
    """Somebody has said what is right."""

    def __len__(self) -> int:
        return len(self.prompts)


def answers_of(files: Sequence[Path]) -> Answers:
    """Every answer of these files."""
    prompts, answered, labelled = array("q"), array("q"), array("b")
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS, columns=["messages", "learn", "labelled", *_FRAME]):
                for row in batch.to_pylist():
                    keys = beginnings_of(json_text.decode(row["messages"].encode("utf-8", "replace")))
                    frame = _frame(row)
                    prompts.extend(keys[place - 1] for place in row["learn"])
                    answered.extend(joined(frame, keys[place]) for place in row["learn"])
                    labelled.extend(row["labelled"] and place == row["learn"][-1] for place in row["learn"])
    return Answers(
        np.frombuffer(prompts, np.int64) if prompts else np.empty(0, np.int64),
        np.frombuffer(answered, np.int64) if answered else np.empty(0, np.int64),
        np.frombuffer(labelled, np.bool_) if labelled else np.empty(0, np.bool_),
    )


def new_answers(before: Answers, now: Answers) -> int:
    """How many are there that were not there before, whatever has left."""
    return int(np.isin(now.answered, before.answered, invert=True).sum())


def changed_labels(before: Answers, now: Answers) -> int:
    """Labels that are new or say something else, and answers that count again since theirs was taken back."""
    said, says = before.labelled, now.labelled
    given = np.isin(now.answered[says], before.answered[said], invert=True).sum()
    taken_back = np.isin(now.prompts[~says], before.prompts[said]).sum()
    return int(given + taken_back)


def learned_inputs(dataset: Path) -> frozenset[int]:
    """Of every prompt whose answer is on the training or the validation side."""
    return frozenset(answers_of([dataset / "train.parquet", dataset / "validation.parquet"]).prompts.tolist())


def _frame(row: dict[str, Any]) -> int:
    return frame_key(*((row[name] or "").encode("utf-8", "replace") for name in _FRAME))
