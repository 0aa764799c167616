"""The rules of a configuration, asked of a record, which does not hold all that a rule may read.

    every condition on what the record lacks is taken to hold -> first match
        a workload without such a condition: it would have been the first match, whatever was in the request
        a workload with one: nobody can say

So the routing table stays the live one, made of a configuration with fewer conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nightschool.config import Config, When
from proxy.control import Control
from proxy.facts import RequestFacts
from proxy.route import Route, RoutingTable

HEADER = "a rule reads a header, and none is recorded"
REDACTED = "a rule reads the system prompt, which was redacted"


@dataclass(frozen=True, slots=True)
class Undecidable:
    """Nobody can say who would have answered."""

    why: str


class Rules:
    """Compiled once; asked for every exchange."""

    def __init__(self, config: Config) -> None:
        self._of_plain = _Known(config, {"header": {}}, HEADER)
        self._of_redacted = _Known(config, {"header": {}, "system_prompt": None}, REDACTED)
        reads_prompts = any(workload.when.system_prompt is not None for workload in config.workloads.values())
        replacements = tuple(rule.replacement for rule in config.record.redact if rule.replacement)
        self._marks = replacements if reads_prompts else ()
        """Text that stands where something was redacted, and that a rule may stumble over."""

    def teacher(self, facts: RequestFacts, control: Control) -> Route | Undecidable:
        known = self._of_redacted if self._marks and self._is_redacted(facts) else self._of_plain
        route = known.table.teacher(facts, control)
        why = known.guesses.get(route.workload or "") if control.workload is None else None
        return route if why is None else Undecidable(why)

    def without_students(self, facts: RequestFacts, control: Control) -> Route:
        """Of a request whose teacher can be told, and whose workload has no students."""
        return self._of_plain.table.route(facts, control)

    def named(self, workload: str) -> Route:
        return self._of_plain.table.named(workload)

    def _is_redacted(self, facts: RequestFacts) -> bool:
        return any(mark in facts.system_prompt for mark in self._marks)


class _Known:
    """The table without some conditions, and the workloads that had them."""

    def __init__(self, config: Config, absent: Mapping[str, Any], why: str) -> None:
        workloads = {
            name: workload.model_copy(update={"when": workload.when.model_copy(update=absent)})
            for name, workload in config.workloads.items()
        }
        self.table = RoutingTable(config.model_copy(update={"workloads": workloads}))
        self.guesses = {
            name: HEADER if workload.when.header else why
            for name, workload in config.workloads.items()
            if _reads(workload.when, absent)
        }
        """Why a match with this workload is none that can be relied on."""


def _reads(when: When, absent: Mapping[str, Any]) -> bool:
    return any(getattr(when, name) for name in absent)
