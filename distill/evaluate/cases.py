"""The test side of a dataset -> cases: one question each, with what is known of its answer.

An example of several turns is several cases, since each of its answers was an exchange. All of them are in one group.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from distill.dataset.prompts import COLUMNS as PROMPT_COLUMNS
from distill.dataset.prompts import prompt_of
from distill.score.message import calls_of, canonical, text_of
from distill.score.scorer import Message, Question
from nightschool.errors import NightschoolError
from nightschool.wire import json_text

NOVEL = 0.5
"""An example of which so much is unlike every training example is novel."""
_BATCH = 64
_COLUMNS = [
    *PROMPT_COLUMNS, "group", "learn", "exchange_ids", "tool_choice", "labelled", "teacher_answer", "newest", "novelty",
]  # fmt: skip
_LONGEST_LABEL = 60


class NothingToTest(NightschoolError):
    """The test side of a dataset is empty."""


class Case(NamedTuple):
    """A question, and what is known of its answer."""

    example: str
    """The exchange."""
    group: str
    question: Question
    tool_choice: Any
    reference: Message
    """The label where there is one, else the teacher's answer."""
    labelled: bool
    teacher: Message | None
    """None where the teacher's own answer to a labelled question is of no use."""
    newest: bool
    novelty: float | None

    @property
    def length(self) -> int:
        """Bytes of the prompt."""
        return len(json_text.encode(self.question.messages))


class Survey(NamedTuple):
    """What is known of all cases before the first is answered."""

    cases: int
    """All that there are."""
    prompts: tuple[str, ...]
    """Fingerprints of the prompts that are tested; none where no prompt has enough examples, and all cases count."""
    elsewhere: int
    """Cases of other prompts, which the teacher will answer whatever the student does."""
    chosen: frozenset[str] | None
    """Names of those to take; None for all."""
    length_limits: tuple[float, float, float]
    """Quartiles of the length of the prompts, of the cases that count."""
    longest_answer: int
    """Bytes."""
    has_label_slices: bool
    truths: Mapping[bool, int]
    """How many are labelled, and how many are not."""


class _Seen(NamedTuple):
    """Of a case, what a survey needs."""

    name: str
    prompt: str | None
    length: int
    answer_bytes: int
    labelled: bool


def survey(folder: Path, *, limit: int | None, by_label: bool, least_examples: int) -> Survey:
    """Look at every case once. ``limit`` takes the first ones in the order of a hash, which is the same every night.

    Only prompts with ``least_examples`` count: a student answers no others, so what it could do there must neither hide
    nor excuse what it does here.
    """
    seen, examples = _seen(folder)
    if not seen:
        raise NothingToTest(
            f"the dataset {folder.name} has no test example",
            remedy="record more traffic and build it again; `nightschool dataset show W` says what there is",
        )
    prompts = {prompt for prompt, count in examples.items() if count >= least_examples}
    counted = [each for each in seen if each.prompt in prompts] or seen
    names = [each.name for each in counted]
    few = names if limit is None else heapq.nsmallest(limit, names, key=_place)
    quartiles = np.quantile([each.length for each in counted], [0.25, 0.5, 0.75])
    labelled = sum(each.labelled for each in counted)
    return Survey(
        cases=len(seen),
        prompts=tuple(sorted(prompts)),
        elsewhere=len(seen) - len(counted),
        chosen=None if len(few) == len(seen) else frozenset(few),
        length_limits=(float(quartiles[0]), float(quartiles[1]), float(quartiles[2])),
        longest_answer=max(each.answer_bytes for each in counted),
        has_label_slices=by_label,
        truths={True: labelled, False: len(counted) - labelled},
    )


def _seen(folder: Path) -> tuple[list[_Seen], Counter[str]]:
    """Every case, and how many examples have each prompt."""
    seen: list[_Seen] = []
    examples: Counter[str] = Counter()
    for row in _examples(folder):
        prompt = prompt_of(row)
        if prompt is not None:
            examples[prompt] += 1
        for case in _cases(row):
            answer_bytes = len(json_text.encode(case.reference))
            seen.append(_Seen(case.example, prompt, case.length, answer_bytes, case.labelled))
    return seen, examples


def chosen_cases(folder: Path, survey: Survey) -> Iterator[Case]:
    """The cases that are taken, in the order of the file."""
    return (case for case in all_cases(folder) if survey.chosen is None or case.example in survey.chosen)


def all_cases(folder: Path) -> Iterator[Case]:
    """Every case of the test side; a few examples are in memory at a time."""
    for row in _examples(folder):
        yield from _cases(row)


def _examples(folder: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(folder / "test.parquet") as file:
        for batch in file.iter_batches(batch_size=_BATCH, columns=_COLUMNS):
            yield from batch.to_pylist()


def slices_of(case: Case, survey: Survey, truth: str) -> list[str]:
    """The parts of the traffic that a case belongs to; ``truth`` is one where there are several."""
    names = [f"length:{1 + sum(case.length > limit for limit in survey.length_limits)} of 4"]
    tools = sorted({call.name for call in calls_of(case.reference)})
    names += [f"tool:{name}" for name in tools] if tools else ["tool:none"] if case.question.tools else []
    label = canonical(case.reference)
    if survey.has_label_slices and not tools and len(label) <= _LONGEST_LABEL:
        names.append(f"label:{label}")
    if case.newest:
        names.append("newest days")
    if case.novelty is not None and case.novelty >= NOVEL:
        names.append("novel")
    if survey.truths[True] and survey.truths[False]:
        names.append(f"truth:{truth}")
    return names


def told(message: Message | None) -> str:
    """An answer as text for people: its text, then its calls."""
    if message is None:
        return ""
    calls = [f"{call.name}({_pretty(call.arguments)})" for call in calls_of(message)]
    return "\n".join([*([text_of(message)] if text_of(message) else []), *calls])


def _pretty(arguments: Any) -> str:
    if not isinstance(arguments, dict | list):
        return str(getattr(arguments, "text", arguments))
    return json_text.encode(arguments).decode()


def _cases(row: dict[str, Any]) -> Iterator[Case]:
    messages: list[Message] = _decoded(row["messages"])
    tools, response_format = _decoded(row["tools"]), _decoded(row["response_format"])
    last = len(row["learn"]) - 1
    for number, (place, exchange) in enumerate(zip(row["learn"], row["exchange_ids"], strict=True)):
        labelled = bool(row["labelled"]) and number == last
        yield Case(
            example=exchange,
            group=row["group"],
            question=Question(
                messages[:place],
                tools if isinstance(tools, list) else [],
                response_format if isinstance(response_format, dict) else None,
            ),
            tool_choice=_decoded(row["tool_choice"]),
            reference=messages[place],
            labelled=labelled,
            teacher=_decoded(row["teacher_answer"]) if labelled else messages[place],
            newest=bool(row["newest"]),
            novelty=row["novelty"],
        )


def _decoded(text: str | None) -> Any:
    return None if text is None else json_text.decode(text.encode("utf-8", "replace"))


def _place(name: str) -> bytes:
    return hashlib.sha256(f"evaluate\0{name}".encode()).digest()
