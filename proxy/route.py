"""Whose a request is: a pure function of the request and of the rules in force.

    rules of the YAML, first match wins -> workload -> its teacher's upstream, else the default

What its students may answer is taken out of that again (proxy/students/choice.py). Nothing is read or written here; a
request decides in microseconds.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from nightschool.config import Config, When
from proxy.control import Control
from proxy.facts import RequestFacts

_WILDCARDS = frozenset("*?[")

Condition = Callable[[RequestFacts], object]
"""True or false of a request."""


@dataclass(frozen=True, slots=True)
class ReplicaChoice:
    """A replica that can answer for the adapter."""

    url: str
    name: str
    """For records and metrics: ``replica <url>``."""
    max_model_len: int | None = None
    """Its window in tokens."""
    stop_token_ids: tuple[int, ...] = ()
    """What ends an answer, where the model's own configuration does not say so."""


@dataclass(frozen=True, slots=True)
class Route:
    """A decision, and what the record says of it."""

    workload: str | None
    upstreams: tuple[str, ...]
    """In the order in which they are tried: the next one only when no connection to the one before could be made."""
    reason: str
    """``rule``, ``header`` (the caller named the workload), ``default`` (no rule matched), or about students.

    docs/routing.md has all of them.
    """
    target: str = "teacher"
    adapter: str | None = None
    propensity: float = 1.0
    replicas: tuple[ReplicaChoice, ...] = ()
    """Of a student, in the order in which they are tried: the next one only when no connection could be made."""
    teacher: Route | None = None
    """Who answers if the student does not; its reason is replaced by what became of the student.

    None of a teacher's own route, and where the client asked for a student by its name: no teacher knows that one.
    """


class RoutingTable:
    """The routing in force, compiled from the configuration."""

    def __init__(self, config: Config) -> None:
        teachers = {
            name: _with_fallbacks(workload.teacher or config.default_upstream, config)
            for name, workload in config.workloads.items()
        }
        self._default = Route(None, _with_fallbacks(config.default_upstream, config), "default")
        self._by_header = {name: Route(name, upstreams, "header") for name, upstreams in teachers.items()}
        self._rules = [
            (_conditions(workload.when), Route(name, teachers[name], "rule"))
            for name, workload in config.workloads.items()
        ]

    def route(self, facts: RequestFacts, control: Control) -> Route:
        """Of a request that no student can answer."""
        route = self.teacher(facts, control)
        return replace(route, reason="no_student") if control.target == "student" else route

    def teacher(self, facts: RequestFacts, control: Control) -> Route:
        """Who answers if no student does; what the caller says of the workload goes before every rule."""
        return self._first_match(facts) if control.workload is None else self.named(control.workload)

    def named(self, workload: str) -> Route:
        """The teacher of a workload that the caller names."""
        return self._by_header.get(workload) or Route(workload, self._default.upstreams, "header")

    def _first_match(self, facts: RequestFacts) -> Route:
        for conditions, route in self._rules:
            for holds in conditions:
                if not holds(facts):
                    break
            else:
                return route
        return self._default


def _with_fallbacks(name: str, config: Config) -> tuple[str, ...]:
    """The upstream and the chain of its fallbacks; the configuration has no cycles."""
    chain = [name]
    while (following := config.upstreams[chain[-1]].fallback) is not None:
        chain.append(following)
    return tuple(chain)


def _conditions(when: When) -> list[Condition]:
    """Every condition of ``when``, the cheap ones first."""
    conditions: list[Condition] = []
    if when.path is not None:
        conditions.append(_on_text(when.path, lambda facts: facts.endpoint))
    if when.model is not None:
        conditions.append(_on_text(when.model, lambda facts: facts.model))
    conditions += [_on_header(name, glob) for name, glob in when.header.items()]
    if when.tool is not None:
        conditions.append(_on_tools(when.tool))
    if when.schema_name is not None:
        conditions.append(_on_text(when.schema_name, lambda facts: facts.schema))
    conditions += [_on_tag(key, glob) for key, glob in when.tag.items()]
    if when.system_prompt is not None:
        search = when.system_prompt.search
        conditions.append(lambda facts: search(facts.system_prompt))
    return conditions


def _glob(pattern: str) -> Callable[[str], object]:
    return re.compile(fnmatch.translate(pattern)).match if _WILDCARDS.intersection(pattern) else pattern.__eq__


def _on_text(pattern: str, read: Callable[[RequestFacts], str | None]) -> Condition:
    matches = _glob(pattern)
    return lambda facts: (text := read(facts)) is not None and matches(text)


def _on_tools(pattern: str) -> Condition:
    matches = _glob(pattern)
    return lambda facts: any(matches(name) for name in facts.tools)


def _on_tag(key: str, pattern: str) -> Condition:
    return _on_text(pattern, lambda facts: facts.tags.get(key))


def _on_header(name: str, pattern: str) -> Condition:
    raw_name = name.lower().encode()
    return _on_text(pattern, lambda facts: _decoded(facts.headers, raw_name))


def _decoded(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
