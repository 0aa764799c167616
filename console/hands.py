"""What a person can say about who answers, and what would come of it. Pure.

The steps are those of `nightschool promote | hold | rollback`; here they are tried first, so that a dialog can tell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from nightschool.config.promotion import Promote
from nightschool.registry.replicas import ReplicaStates
from nightschool.registry.routing import Students
from nightschool.registry.steps import StepRefused, advance, hold, release, roll_back

Step = Callable[[Students], Students]


class Hand(NamedTuple):
    """One button."""

    name: str
    label: str
    action: str
    """As the history has it."""
    refusal: str
    """Why it cannot be pressed; empty where it can."""
    effects: list[str]
    """What would happen, in sentences."""


class _Known(NamedTuple):
    label: str
    action: str


_HANDS = {
    "promote": _Known("Promote", "promote"),
    "hold": _Known("Hold", "hold"),
    "release": _Known("Release", "release"),
    "rollback": _Known("Roll back", "rollback"),
    "teacher": _Known("Back to the teacher", "rollback"),
}


def hands(students: Students, promote: Promote | None, replicas: ReplicaStates, now: str) -> list[Hand]:
    """All that would change something, or are refused. ``promote`` is None where the workload is not configured."""
    found = []
    for name, known in _HANDS.items():
        if promote is None and name in ("promote", "hold"):
            continue
        try:
            after = step_of(name, promote.ramp if promote else (), now)(students)
        except StepRefused as refusal:
            if name != "teacher":  # it is refused for what a rollback is
                found.append(Hand(name, known.label, known.action, refusal.problem, []))
            continue
        if after != students and not (name == "teacher" and after == roll_back(students, now=now)):
            effects = [*_effects(students, after, replicas, promote.teacher_share if promote else 0.0)]
            found.append(Hand(name, _label(name, known, after), known.action, "", effects))
    return found


def step_of(name: str, ramp: Sequence[float], now: str) -> Step:
    """Raises StepRefused for a button that is none."""
    steps: dict[str, Step] = {
        "promote": lambda before: advance(before, ramp=ramp, now=now),
        "hold": hold,
        "release": release,
        "rollback": lambda before: roll_back(before, now=now),
        "teacher": lambda before: roll_back(before, to_teacher=True, now=now),
    }
    if name not in steps:
        raise StepRefused(f"{name!r} is nothing that can be done here", remedy="load the page again")
    return steps[name]


def action_of(name: str) -> str:
    return _HANDS[name].action


def seen(students: Students) -> str:
    """A mark of a state: a dialog shows what comes of this very one."""
    return hashlib.sha256(msgspec.json.encode(students)).hexdigest()[:32]


def if_still(mark: str, step: Step) -> Step:
    """The step, refused where somebody, or a job, has changed the state meanwhile."""

    def checked(before: Students) -> Students:
        if seen(before) != mark:
            raise StepRefused(
                "who answers has changed since this page was shown", remedy="load it again, and see what would happen"
            )
        return step(before)

    return checked


def _label(name: str, known: _Known, after: Students) -> str:
    if name == "promote":
        return f"Promote to {after.canary.share:g} %" if after.canary else "Promote: make it live"
    return known.label


def _effects(before: Students, after: Students, replicas: ReplicaStates, teacher_share: float) -> Iterator[str]:
    yield from _shares(_parts(before, teacher_share), _parts(after, teacher_share), teacher_share)
    for placed in after.answering():
        if not replicas.ready_with(placed.adapter):
            yield f"No replica is ready with {placed.adapter}: until one is, the teacher answers for it."
    for adapter in after.withdrawn:
        if adapter not in before.withdrawn:
            yield f"{adapter} is withdrawn: no automatic step brings it back."
    if after.held and not before.held:
        yield "No automatic step is made until it is released. Evidence of harm still rolls back."
    if before.held and not after.held:
        yield "Automatic steps are made again: a ramp goes on, a night may promote."
    if after.previous is not None and after.previous != before.previous:
        yield f"A rollback would return to {after.previous.adapter}."
    if before.shares() != after.shares():
        yield "Proxies follow within a second. Answers that have begun are finished by who began them."


def _parts(students: Students, teacher_share: float) -> dict[str, float]:
    """Of the conversations, by adapter: the canary takes its share first, and none takes what stays the teacher's."""
    left, parts = 100 - teacher_share, {}
    for placed, share in students.shares():
        parts[placed.adapter] = min(share, left)
        left -= parts[placed.adapter]
    return parts


def _shares(was: Mapping[str, float], becomes: Mapping[str, float], teacher_share: float) -> Iterator[str]:
    for adapter in dict.fromkeys((*becomes, *was)):
        old, new = was.get(adapter, 0.0), becomes.get(adapter, 0.0)
        if old != new:
            yield f"{adapter} answers {_percent(new)} of the conversations; until now {_percent(old)}."
    old, new = 100 - sum(was.values()), 100 - sum(becomes.values())
    if old != new:
        own = ", which always stays its own" if new and new == teacher_share else ""
        yield f"The teacher answers {_percent(new)}{own}; until now {_percent(old)}."


def _percent(share: float) -> str:
    return f"{share:g} %" if share else "none"
