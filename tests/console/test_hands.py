"""What a dialog says would come of a button."""

from __future__ import annotations

from console.hands import hands
from nightschool.config.promotion import Promote
from nightschool.registry.replicas import ReplicaStates
from nightschool.registry.routing import Placed, Students

NOW = "2026-11-25T02:00:00+00:00"


def effects(students: Students, name: str, **promote: object) -> list[str]:
    """Without those that follow from no replica being ready."""
    found = hands(students, Promote.model_validate(promote), ReplicaStates(), NOW)
    (hand,) = [each for each in found if each.name == name]
    return [line for line in hand.effects if "answers" in line and "No replica" not in line]


def placed(adapter: str, share: float) -> Placed:
    return Placed(adapter=adapter, share=share, fingerprints=(), since=NOW)


def test_what_always_stays_the_teachers_is_not_said_to_become_a_students() -> None:
    climbing = Students(canary=placed("w--a", 50))

    assert effects(climbing, "promote", ramp=[5, 50, 100], teacher_share=3) == [
        "w--a answers 97 % of the conversations; until now 50 %.",
        "The teacher answers 3 %, which always stays its own; until now 50 %.",
    ]
    assert effects(climbing, "promote", ramp=[5, 50, 100], teacher_share=0) == [
        "w--a answers 100 % of the conversations; until now 50 %.",
        "The teacher answers none; until now 50 %.",
    ]


def test_a_rollback_gives_back_what_was_answered() -> None:
    assert effects(Students(live=placed("w--a", 100)), "rollback", teacher_share=3) == [
        "w--a answers none of the conversations; until now 97 %.",
        "The teacher answers 100 %; until now 3 %.",
    ]
    both = Students(canary=placed("w--b", 98), live=placed("w--a", 100))
    assert effects(both, "rollback", teacher_share=3) == [
        "w--a answers 97 % of the conversations; until now none.",
        "w--b answers none of the conversations; until now 97 %.",
    ]
