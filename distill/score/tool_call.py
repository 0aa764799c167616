"""``tool_call``: the right tools, with the right arguments.

Score = the sum of the likeness of matched calls / the number of calls of the side that has more. Calls are matched so
that the sum is greatest: their order does not count. Two calls of different tools are not alike at all; two calls of
one tool as much as their arguments are, 1/n for each of n arguments. A call that the application could not carry out
(no such tool, arguments that break the schema) is not alike to anything. Without calls in the reference, the score is 1
for an answer without calls, and 0 for one with calls: what is said beside calls is not compared.
"""

from __future__ import annotations

import math
from typing import Any

from distill.score.contract import Tool, fault_of_call, toolbox_of
from distill.score.likeness import likeness, told
from distill.score.matching import best_pairs
from distill.score.message import Call, Unreadable, calls_of, says_nothing
from distill.score.scorer import INVALID_ANSWER, INVALID_REFERENCE, Message, Question, Scored, problem


class ToolCallScorer:
    """Names, arguments, validity; any order."""

    name = "tool_call"

    def __call__(self, question: Question, answer: Message | None, reference: Message) -> Scored:
        tools = toolbox_of(question)
        right = calls_of(reference)
        broken = next((fault for call in right if (fault := fault_of_call(call, tools))), None)
        if broken is None and says_nothing(reference):
            broken = "it says nothing"
        if broken is not None:
            given = calls_of(answer or {})
            return Scored(_score(given, right, {}), problem(INVALID_REFERENCE, broken))
        if answer is None or says_nothing(answer):
            return Scored(0.0, problem(INVALID_ANSWER, "it says nothing"))
        given = calls_of(answer)
        faults = [fault_of_call(call, tools) for call in given]
        valid = [call for call, fault in zip(given, faults, strict=True) if fault is None]
        first = next((fault for fault in faults if fault), None)
        value = _score(valid, right, tools, extra=len(given) - len(valid))
        return Scored(value, problem(INVALID_ANSWER, first) if first else None)


def _score(given: list[Call], right: list[Call], tools: dict[str, Tool], extra: int = 0) -> float:
    """``extra`` calls cannot be matched with anything."""
    most = max(len(given) + extra, len(right))
    if not most:
        return 1.0
    gains = [[_alike(one, other, tools) for other in right] for one in given]
    return math.fsum(gains[row][column] for row, column in best_pairs(gains)) / most


def _alike(call: Call, other: Call, tools: dict[str, Tool]) -> float:
    if call.name != other.name:
        return 0.0
    return likeness(_meant(call, tools), _meant(other, tools))


def _meant(call: Call, tools: dict[str, Tool]) -> Any:
    """The arguments without those that say what would be so anyway."""
    if isinstance(call.arguments, Unreadable) or not isinstance(call.arguments, dict) or call.name not in tools:
        return call.arguments
    defaults = tools[call.name].defaults
    return {
        name: value
        for name, value in told(call.arguments).items()
        if name not in defaults or likeness(value, defaults[name]) < 1
    }
