"""Which of a workload's students answers a request, or why its teacher does: pure, but for looking at the breakers.

    wish: asked by the caller > tool loop > the conversation's place on the line of shares
    obstacles: what a student cannot do > a prompt that it is not qualified on > no replica

The wish comes first since it costs least: what falls to the teacher is never looked at more closely. Reasons are
explained in docs/routing.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from proxy.control import Control
from proxy.facts import RequestFacts
from proxy.route import ReplicaChoice, Route
from proxy.students.balance import in_order
from proxy.students.capability import ENDPOINT, prompt_tokens
from proxy.students.draw import draw, place_of
from proxy.students.roster import Answerer, Roster
from proxy.students.tool_loop import loop_of


class Health(Protocol):
    """What is known of replicas, by URL."""

    def available(self, url: str) -> bool: ...

    def in_flight(self, url: str) -> int: ...


Fingerprint = Callable[[RequestFacts], str | None]
"""Of a request's prompt, as its record has it."""


class Wish(NamedTuple):
    """Who is to answer if nothing stands against it; None is the teacher."""

    answerer: Answerer | None
    reason: str
    propensity: float = 1.0


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a student cannot answer."""

    reason: str


def choose(
    facts: RequestFacts,
    control: Control,
    *,
    teacher: Route,
    roster: Roster,
    health: Health,
    fingerprint: Fingerprint,
) -> Route:
    """The route of a request that belongs to the roster's workload, some of whose students answer."""
    conversation = _conversation(facts, control)
    if conversation is None:
        return replace(teacher, reason="asked" if control.target == "teacher" else "capability")
    wish = _wish(facts, control, roster, conversation)
    if wish.answerer is None:
        return replace(teacher, reason=wish.reason, propensity=wish.propensity)
    found = replicas_for(facts, wish.answerer, conversation, health=health, fingerprint=fingerprint)
    if isinstance(found, Obstacle):
        return replace(teacher, reason=found.reason)
    return replace(
        teacher,
        reason=wish.reason,
        target="student",
        adapter=wish.answerer.adapter,
        propensity=wish.propensity,
        replicas=found,
        teacher=teacher,
    )


def replicas_for(
    facts: RequestFacts,
    answerer: Answerer,
    conversation: str,
    *,
    health: Health,
    fingerprint: Fingerprint | None,
) -> tuple[ReplicaChoice, ...] | Obstacle:
    """Whom to ask, in order; ``fingerprint`` of None lets any prompt pass."""
    tokens = prompt_tokens(facts.body)
    if tokens is None:
        return Obstacle("capability")
    if fingerprint is not None and fingerprint(facts) not in answerer.fingerprints:
        return Obstacle("unqualified_prompt")
    if answerer.paused:
        return Obstacle("training")
    wide = [each for each in answerer.replicas if each.max_model_len is None or tokens <= each.max_model_len]
    if answerer.replicas and not wide:
        return Obstacle("capability")
    well = [each for each in wide if health.available(each.url)]
    return in_order(well, conversation, health.in_flight) if well else Obstacle("no_replica")


def drawn(roster: Roster, conversation: str) -> Wish:
    """Whom the shares give the conversation to."""
    side, propensity = draw(
        place_of(roster.workload, conversation),
        canary=roster.canary_share if roster.canary is not None else 0.0,
        live=roster.live_share if roster.live is not None else 0.0,
        teacher=roster.teacher_share,
    )
    if side == "canary":
        return Wish(roster.canary, side, propensity)
    if side == "live":
        return Wish(roster.live, side, propensity)
    return Wish(None, side, propensity)


def asked_for(roster: Roster, conversation: str) -> Answerer | None:
    """The student that a caller gets who asks for one and names none; None where none answers."""
    return drawn(roster, conversation).answerer or roster.live or roster.canary


def conversation_of(facts: RequestFacts, control: Control) -> str | None:
    """What the caller calls it, else a hash of how it begins; None where there are no messages."""
    return control.conversation or facts.conversation


def _conversation(facts: RequestFacts, control: Control) -> str | None:
    """None where no student could answer, whoever the conversation fell to."""
    return conversation_of(facts, control) if facts.endpoint == ENDPOINT and facts.body else None


def _wish(facts: RequestFacts, control: Control, roster: Roster, conversation: str) -> Wish:
    if control.target == "teacher":
        return Wish(None, "asked")
    if control.target == "student":
        return Wish(asked_for(roster, conversation), "asked")
    loop = loop_of(facts.body, facts.messages)
    if loop is not None:
        # An adapter that was withdrawn is gone from the roster: then the teacher goes on with its loop.
        return Wish(None if loop.digits is None else roster.by_digits.get(loop.digits), "tool_loop")
    return drawn(roster, conversation)
