"""Examples -> the scorer that suits their answers, with the reason in words.

Where the configuration is silent: tools called -> ``tool_call``, or ``spans`` where all that is said is a list of
values with types; one of a few answers -> ``label``; JSON -> ``json_fields`` (or ``spans``); else ``judge``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from distill.score.exact import EXACT, LABEL
from distill.score.json_fields import JsonFieldsScorer
from distill.score.message import calls_of, text_of, value_of
from distill.score.own import OwnScorer, UnknownScorer
from distill.score.scorer import Message, Scorer
from distill.score.span_fields import SpanFields, recognised
from distill.score.spans import SpansScorer
from distill.score.tool_call import ToolCallScorer
from distill.workloads.answers import Answer, kind_of, labels, read_message
from nightschool.config.evaluation import SCORERS
from nightschool.wire import json_text

JUDGE = "judge"
SPANS_SHARE = 0.9
"""Of the answers must be lists of spans; empty ones count for neither side."""

_SCORERS: dict[str, Callable[[], Scorer]] = {
    "tool_call": ToolCallScorer,
    "json_fields": JsonFieldsScorer,
    "label": lambda: LABEL,
    "exact": lambda: EXACT,
}


class Choice(NamedTuple):
    """A scorer's name, and why it is this one, for people."""

    name: str
    reason: str


def choose(examples: Iterable[Mapping[str, Any]], configured: str | None) -> Choice:
    """Of rows of a dataset: ``messages`` (JSON or a list) and, where there are several answers, ``learn``."""
    if configured is not None:
        return Choice(configured, "the configuration says so")
    messages = [message for example in examples for message in answers_of(example)]
    answers = [answer for message in messages if (answer := read_message(message))]
    match kind_of(answers):
        case "tool_call":
            return _of_calls(messages, answers)
        case "label":
            different = len(labels([answer for answer in answers if answer.text]) or ())
            return Choice("label", f"{len(answers):,} answers, and only {different:,} different ones")
        case "json":
            if share := _share_of_spans(messages):
                return Choice("spans", f"{share:.0%} of the answers are lists of values with types, as JSON")
            return Choice("json_fields", "the answers are JSON")
        case "unknown":
            return Choice(JUDGE, "there is no answer to go by; judge takes anything, in pairs, and asks a model")
        case "text":
            return Choice(JUDGE, "the answers are free text: only a judge, who compares them in pairs, can tell")


def scorer_named(name: str, spans: SpanFields | None = None) -> Scorer:
    """The scorer of a name, or a user's function; ``judge`` is none, since it compares pairs and asks a model."""
    if ":" in name:
        return OwnScorer(name)
    if name == "spans":
        return SpansScorer(spans or SpanFields())
    if name not in _SCORERS:
        why = "compares pairs: it is not called like the others" if name == JUDGE else "is not known"
        raise UnknownScorer(
            f"the scorer {name!r} {why}", remedy=f"one of {', '.join(SCORERS)}, or package.module:function"
        )
    return _SCORERS[name]()


def answers_of(example: Mapping[str, Any]) -> list[Message]:
    """The messages of an example that are to be learned; without ``learn`` the last one."""
    messages = example["messages"]
    if isinstance(messages, str):
        messages = json_text.decode(messages.encode("utf-8", "replace"))
    places = example.get("learn")
    return [messages[place] for place in ([len(messages) - 1] if places is None else places)]


def _of_calls(messages: Sequence[Message], answers: Sequence[Answer]) -> Choice:
    calling = sum(bool(answer.calls) for answer in answers)
    if share := _share_of_spans(messages):
        return Choice("spans", f"{share:.0%} of the answers with calls give lists of values with types")
    beside = "" if calling == len(answers) else "; of the others it only sees that they call none, not what they say"
    return Choice("tool_call", f"{calling / len(answers):.0%} of the answers call tools{beside}")


def _share_of_spans(messages: Sequence[Message]) -> float:
    """0 unless nearly all that say something structured give a list of spans and nothing else."""
    documents = [document for message in messages for document in _documents(message)]
    kinds = [kind for document in documents if (kind := _is_spans(document)) is not None]
    share = sum(kinds) / len(kinds) if kinds else 0.0
    return share if share >= SPANS_SHARE else 0.0


def _documents(message: Message) -> list[Any]:
    calls = [call.arguments for call in calls_of(message)]
    text = json_text.unfenced(text_of(message))
    return calls or ([value_of(text)] if text.lstrip()[:1] in ("{", "[") else [])


def _is_spans(document: Any) -> bool | None:
    """None where the list is empty."""
    only = list(document.values()) if isinstance(document, dict) else [document]
    if len(only) != 1 or not isinstance(only[0], list):
        return False
    if not only[0]:
        return None
    fields = recognised(SpanFields(), [only[0]])
    return fields is not None and fields.value is not None and fields.type is not None
