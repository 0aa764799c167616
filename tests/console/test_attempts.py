"""Guessing is slow, for one address and for all of them together."""

from __future__ import annotations

from console.attempts import OF_ALL, OF_ONE, WITHIN_S, Attempts


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_after_five_wrong_ones_an_address_waits_until_the_first_is_old() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(OF_ONE):
        assert attempts.wait_s("a") == 0
        attempts.failed("a")
        clock.now += 10

    assert attempts.wait_s("a") == WITHIN_S - 10 * OF_ONE
    assert attempts.wait_s("b") == 0
    clock.now += attempts.wait_s("a")
    assert attempts.wait_s("a") == 0


def test_a_right_one_forgets_the_wrong_ones_of_its_address() -> None:
    attempts = Attempts(Clock())
    for _ in range(OF_ONE):
        attempts.failed("a")

    attempts.succeeded("a")

    assert attempts.wait_s("a") == 0


def test_many_addresses_together_are_held_up_as_well() -> None:
    attempts = Attempts(Clock())
    for number in range(OF_ALL):
        attempts.failed(str(number))

    assert attempts.wait_s("one more") == WITHIN_S
