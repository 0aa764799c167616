"""Names in one section that must exist in another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nightschool.config.sentence import nearest

Where = tuple[str | int, ...]


def reference_faults(given: Mapping[str, Any]) -> Iterator[tuple[Where, str]]:
    """``given`` is the whole file, unchecked or checked; values of the wrong kind are left to those who check kinds."""
    upstreams = _map(given.get("upstreams"))
    if not upstreams:
        if isinstance(given.get("upstreams"), Mapping):
            yield ("upstreams",), "is empty: name at least one, with its base_url"
        return
    yield from _default(given.get("default_upstream"), upstreams)
    for name, workload in _map(given.get("workloads")).items():
        yield from _known(("workloads", name, "teacher"), _value(workload, "teacher"), upstreams)
        judge = _value(_value(workload, "evaluate"), "judge")
        yield from _known(("workloads", name, "evaluate", "judge", "upstream"), _value(judge, "upstream"), upstreams)
    for name, upstream in upstreams.items():
        yield from _known(("upstreams", name, "fallback"), _value(upstream, "fallback"), upstreams)
    yield from _cycles({name: _value(upstream, "fallback") for name, upstream in upstreams.items()})


def _default(default: Any, upstreams: Mapping[str, Any]) -> Iterator[tuple[Where, str]]:
    if default is None and len(upstreams) > 1:
        yield ("default_upstream",), f"is missing: say which of {', '.join(upstreams)} answers what matches no workload"
    yield from _known(("default_upstream",), default, upstreams)


def _known(where: Where, name: Any, upstreams: Mapping[str, Any]) -> Iterator[tuple[Where, str]]:
    if not isinstance(name, str) or name in upstreams:
        return
    near = nearest(name, upstreams)
    hint = f"did you mean {near!r}?" if near else f"there is {', '.join(upstreams)}"
    yield where, f"names the upstream {name!r}, which does not exist; {hint}"


def _cycles(fallbacks: Mapping[str, Any]) -> Iterator[tuple[Where, str]]:
    """Each circle of fallbacks once, at the member that is met first."""
    walked: set[str] = set()
    for start in fallbacks:
        chain: list[str] = []
        name = start
        while isinstance(name, str) and name in fallbacks and name not in walked:
            walked.add(name)
            chain.append(name)
            name = fallbacks[name]
        if isinstance(name, str) and name in chain:
            circle = " -> ".join([*chain[chain.index(name) :], name])
            yield ("upstreams", name, "fallback"), f"leads back to itself ({circle}); leave one of them out"


def _map(section: Any) -> Mapping[str, Any]:
    return section if isinstance(section, Mapping) else {}


def _value(section: Any, key: str) -> Any:
    """From a map as read, or from a section that was made in Python."""
    return section.get(key) if isinstance(section, Mapping) else getattr(section, key, None)
