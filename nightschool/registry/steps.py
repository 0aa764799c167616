"""What may happen to the students of a workload: each a pure function of what was before. They raise StepRefused.

propose -> qualify -> start_canary -> widen … -> settle (live)      advance: the next of the last three
                                   roll_back at any share; hold and release by hand; at_share also back from live

One is on its way up at a time: the newest that is qualified waits for its end. No adapter is in two places: the canary
is not live, who answers neither waits nor is a candidate, and nobody stands behind itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from nightschool.errors import NightschoolError
from nightschool.registry.routing import Candidate, Measure, Placed, Students


class StepRefused(NightschoolError):
    """The step does not fit the state in force."""


def propose(before: Students, adapter: str) -> Students:
    """Have replicas load an adapter, so that it can be evaluated; one that is qualified already goes on waiting."""
    known = (*before.answering(), before.candidate, before.waiting)
    if adapter in (each.adapter for each in known if each is not None):
        return before
    return replace(before, candidate=Candidate(adapter=adapter), waiting=before.next_up)


def qualify(
    before: Students,
    adapter: str,
    *,
    fingerprints: tuple[str, ...],
    agreement: float | None,
    measure: Measure | None = None,
) -> Students:
    """The gate has let it pass on these prompts; of those that wait the newest is kept."""
    if adapter in (each.adapter for each in before.answering()):
        return before
    return replace(
        before,
        candidate=Candidate(
            adapter=adapter, qualified=True, fingerprints=fingerprints, agreement=agreement, measure=measure
        ),
        waiting=None,
    )


def drop_candidate(before: Students, adapter: str) -> Students:
    """It did not pass: replicas need not hold it. One that waited behind it is the candidate again."""
    if before.candidate is None or before.candidate.adapter != adapter:
        return before
    return replace(before, candidate=before.waiting, waiting=None)


def start_canary(before: Students, *, share: float, now: str) -> Students:
    """Let the qualified candidate answer ``share`` per cent; a canary before it is given up for it."""
    candidate = before.next_up
    if candidate is None:
        raise StepRefused(
            "there is no qualified candidate",
            remedy="`nightschool promote W --adapter A --force` takes an adapter unjudged",
        )
    canary = Placed(
        adapter=candidate.adapter,
        share=share,
        fingerprints=candidate.fingerprints,
        agreement=candidate.agreement,
        measure=candidate.measure,
        since=now,
    )
    if candidate is before.candidate:
        return replace(before, canary=canary, candidate=None, waiting=None)
    return replace(before, canary=canary, waiting=None)


def give_up_canary(before: Students) -> Students:
    """For a newer candidate: it goes no further, and nobody says that it was bad."""
    return replace(before, canary=None)


def widen(before: Students, adapter: str, *, share: float, now: str) -> Students:
    """The next share of the ramp."""
    if before.canary is None or before.canary.adapter != adapter:
        raise StepRefused(f"{adapter} is no canary any more", remedy="`nightschool routes` shows what is in force")
    return replace(before, canary=replace(before.canary, share=share, since=now))


def settle(before: Students, adapter: str, *, now: str) -> Students:
    """The canary is live; what was live can be returned to."""
    if before.canary is None or before.canary.adapter != adapter:
        raise StepRefused(f"{adapter} is no canary any more", remedy="`nightschool routes` shows what is in force")
    live = replace(before.canary, share=100.0, since=now)
    return replace(before, live=live, canary=None, previous=_behind(before, adapter))


def advance(before: Students, *, ramp: Sequence[float], now: str) -> Students:
    """The next share of the ramp: its first for the qualified candidate, for a canary the next above its own."""
    at = -1.0 if before.canary is None else before.canary.share
    return _climb(before, share=next((each for each in ramp if each > at), 100.0), now=now)


def at_share(before: Students, *, share: float, now: str) -> Students:
    """The canary, or else the qualified candidate, or else the live adapter takes this share; 100 makes it live.

    Below 100 the live one is a canary again: the one before it has the rest, or the teacher.
    """
    if before.canary is not None or before.live is None or before.next_up is not None:
        return _climb(before, share=share, now=now)
    if share >= 100:
        return before
    lowered = replace(before.live, share=share, since=now)
    return replace(_without(before, lowered.adapter, now=now), canary=lowered)


def _climb(before: Students, *, share: float, now: str) -> Students:
    if before.canary is None:
        after = start_canary(before, share=share, now=now)
    else:
        after = widen(before, before.canary.adapter, share=share, now=now)
    assert after.canary is not None
    return settle(after, after.canary.adapter, now=now) if share >= 100 else after


def roll_back(before: Students, *, adapter: str | None = None, to_teacher: bool = False, now: str) -> Students:
    """Withdraw the newest adapter that answers: the one before it answers again, or the teacher.

    Given ``adapter``, only if it is that one which answers: an alarm about an adapter that is gone changes nothing.
    """
    answering = before.answering()
    if not answering:
        if adapter is not None:
            return before
        raise StepRefused("no student answers: there is nothing to roll back")
    newest = answering[0]
    if adapter is not None and adapter not in (each.adapter for each in answering):
        return before
    gone = newest.adapter if adapter is None else adapter
    withdrawn = tuple(
        dict.fromkeys((*before.withdrawn, *([each.adapter for each in answering] if to_teacher else [gone])))
    )
    if to_teacher:
        # None that waits must begin by itself now: whoever says this wants the teacher.
        evaluated = before.candidate if before.candidate and not before.candidate.qualified else None
        return replace(
            before, live=None, canary=None, candidate=evaluated, waiting=None, previous=None, withdrawn=withdrawn
        )
    return replace(_without(before, gone, now=now), withdrawn=withdrawn)


def force(
    before: Students,
    adapter: str,
    *,
    share: float,
    fingerprints: tuple[str, ...],
    agreement: float | None = None,
    measure: Measure | None = None,
    now: str,
) -> Students:
    """A person says that this adapter answers, whatever was decided: ``share`` 100 makes it live, less a canary.

    The audit holds it to its own agreement with the teacher, as it was measured (``agreement``) or stands in the state,
    else to that of the one whose place it takes: what clients were used to.
    """
    if agreement is None:
        agreement, measure = _agreement_for(before, adapter)
    placed = Placed(
        adapter=adapter, share=share, fingerprints=fingerprints, agreement=agreement, measure=measure, since=now
    )
    withdrawn = tuple(name for name in before.withdrawn if name != adapter)
    after = replace(_unproposed(before, adapter), canary=None, withdrawn=withdrawn)
    if share < 100:
        return replace(_without(after, adapter, now=now), canary=placed)
    return replace(after, live=placed, previous=_behind(before, adapter))


def _behind(before: Students, adapter: str) -> Placed | None:
    """Whom a rollback returns to once this adapter is live."""
    return before.live if before.live is not None and before.live.adapter != adapter else before.previous


def _without(before: Students, gone: str, *, now: str) -> Students:
    """It answers no more; where it was live, the one before it is so again, or nobody."""
    canary = before.canary if before.canary is not None and before.canary.adapter != gone else None
    if before.live is None or before.live.adapter != gone:
        return replace(before, canary=canary)
    back = before.previous
    taken = (gone, *before.withdrawn, *([canary.adapter] if canary is not None else []))
    if back is None or back.adapter in taken:
        return replace(before, canary=canary, live=None, previous=None)
    return replace(_unproposed(before, back.adapter), canary=canary, live=replace(back, since=now), previous=None)


def _unproposed(before: Students, adapter: str) -> Students:
    """It is no candidate, and does not wait: it answers."""
    if before.waiting is not None and before.waiting.adapter == adapter:
        before = replace(before, waiting=None)
    return drop_candidate(before, adapter)


def _agreement_for(before: Students, adapter: str) -> tuple[float | None, Measure | None]:
    """Its own, else that of the one whose place it takes."""
    students = (*before.answering(), before.previous, before.candidate, before.waiting)
    known = [each for each in students if each is not None and each.agreement is not None]
    taken = next((each for each in known if each.adapter == adapter), known[0] if known else None)
    return (None, None) if taken is None else (taken.agreement, taken.measure)


def hold(before: Students) -> Students:
    """No automatic step from now on; what answers goes on answering. A rollback on evidence of harm is still made."""
    return replace(before, held=True)


def release(before: Students) -> Students:
    return replace(before, held=False)
