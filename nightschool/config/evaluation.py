"""The sections about how a student is compared with its teacher."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from nightschool.config.section import Section
from nightschool.config.sentence import nearest, unknown
from nightschool.config.values import Count, Dollars, Name, Seconds

SCORERS = ("tool_call", "json_fields", "label", "exact", "spans", "judge")
_PYTHON_NAME = r"[^\W0-9]\w*(\.[^\W0-9]\w*)*"
_SCORER = rf"^({'|'.join(SCORERS)}|{_PYTHON_NAME}:{_PYTHON_NAME})$"


def _scorer(name: str) -> str:
    if ":" in name and not re.fullmatch(_SCORER, name):
        raise ValueError(f"must be package.module:function for a function of your own, but is {name!r}")
    if ":" not in name and name not in SCORERS:
        own = "" if nearest(name, SCORERS) else ", or package.module:function"
        raise ValueError(f"{unknown(f'scorer {name!r}', name, SCORERS)}{own}")
    return name


class Judge(Section):
    """A model that says which of two answers is better."""

    upstream: Name
    """The upstream that is asked; it needs a key of its own, if it needs one."""

    model: Annotated[str, Field(min_length=1)]
    """The model that judges; better not of the teacher's family."""

    rubric: Annotated[str, Field(min_length=1)] | None = None
    """What makes an answer better, in your words. Left out, a general one."""

    max_usd: Dollars = 10.0
    """Most that one evaluation spends on new verdicts, where `prices` knows the model."""

    max_calls: Count = 5_000
    """Most new questions that one evaluation asks, whatever they cost."""

    concurrency: Count = 4
    """Questions that are asked at once."""

    timeout_s: Seconds = 60.0
    """Seconds to wait for one verdict."""


class SpanNames(Section):
    """Where the scorer `spans` finds what was found; names that are left out are recognised."""

    list: Annotated[str, Field(min_length=1)] | None = None
    """The list of spans, at any depth of the arguments or of the JSON content."""

    value: Annotated[str, Field(min_length=1)] | None = None
    """The field with the text that was found."""

    type: Annotated[str, Field(min_length=1)] | None = None
    """The field that says what it is."""


class Evaluate(Section):
    """How a student is compared with its teacher."""

    scorer: Annotated[str, AfterValidator(_scorer), Field(json_schema_extra={"pattern": _SCORER})] | None = None
    """What measures an answer: a scorer's name, or a function of your own, `package.module:function`."""

    spans: SpanNames = SpanNames()
    """Where the scorer `spans` finds what was found."""

    few_shot: Annotated[int, Field(ge=0, le=32, strict=True)] = 3
    """Training examples that the untuned base model is shown in the system `few_shot`; 0 leaves that system out."""

    concurrency: Count = 8
    """Answers that are generated at once."""

    max_tokens: Count | None = None
    """Longest answer in tokens. Left out, room for the longest answer of the teacher, and more."""

    timeout_s: Seconds = 300.0
    """Seconds to wait for one answer of a replica."""

    judge: Judge | None = None
    """A model that compares answers where there is no label."""
