"""A replica that fails is left alone, is asked for its health, and is tried by one request before the others."""

from __future__ import annotations

import pytest

from proxy.students.breaker import IN_A_ROW, LONGEST_PAUSE_S, Breakers

URL = "http://one:8000"


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breakers(clock: Clock) -> Breakers:
    return Breakers(clock)


def reopen(breakers: Breakers, clock: Clock, kind: str = "fallback_timeout") -> float:
    """Let it fail, and return how long it is left alone."""
    breakers.failed(URL, kind)
    began = clock.time
    while not breakers.due():
        clock.time += 0.5
    breakers.healthy(URL)
    return clock.time - began


def test_a_replica_that_was_never_heard_of_may_be_asked(breakers: Breakers) -> None:
    assert breakers.available(URL)
    assert breakers.due() == []


@pytest.mark.parametrize("kind", ["fallback_connect", "fallback_timeout"])
def test_a_failure_that_costs_the_client_its_patience_opens_it_at_once(breakers: Breakers, kind: str) -> None:
    breakers.failed(URL, kind)

    assert not breakers.available(URL)
    assert breakers.is_open(URL)


@pytest.mark.parametrize("kind", ["fallback_status", "fallback_broken"])
def test_other_failures_open_it_only_in_a_row(breakers: Breakers, kind: str) -> None:
    for _ in range(5):
        for _ in range(IN_A_ROW - 1):
            breakers.failed(URL, kind)
        assert breakers.available(URL)
        breakers.succeeded(URL)

    for _ in range(IN_A_ROW):
        breakers.failed(URL, kind)

    assert not breakers.available(URL)


def test_it_is_asked_for_its_health_after_a_pause_and_only_then_tried(breakers: Breakers, clock: Clock) -> None:
    breakers.failed(URL, "fallback_connect")
    assert breakers.due() == []

    clock.time += 1
    assert breakers.due() == [URL]
    assert not breakers.available(URL)
    breakers.healthy(URL)

    assert breakers.available(URL)
    assert breakers.due() == []


def test_on_trial_it_gets_one_request_at_a_time_until_one_succeeds(breakers: Breakers, clock: Clock) -> None:
    reopen(breakers, clock)

    breakers.began(URL)
    assert not breakers.available(URL)
    breakers.succeeded(URL)
    assert breakers.available(URL)
    breakers.ended(URL)
    breakers.began(URL)
    assert breakers.available(URL)


def test_every_failure_on_trial_doubles_the_pause_and_a_success_forgets_them(breakers: Breakers, clock: Clock) -> None:
    kinds = ["fallback_timeout", "fallback_status", "fallback_broken", "fallback_connect"]
    assert [reopen(breakers, clock, kind) for kind in kinds] == [1, 2, 4, 8]
    assert max(reopen(breakers, clock) for _ in range(30)) == LONGEST_PAUSE_S

    breakers.succeeded(URL)

    assert reopen(breakers, clock) == 1


def test_requests_that_end_late_do_not_change_an_open_one(breakers: Breakers, clock: Clock) -> None:
    breakers.failed(URL, "fallback_timeout")
    breakers.failed(URL, "fallback_timeout")
    breakers.succeeded(URL)
    clock.time += 1

    assert breakers.is_open(URL)
    assert breakers.due() == [URL]


def test_health_of_one_that_is_not_open_says_nothing(breakers: Breakers) -> None:
    breakers.failed(URL, "fallback_status")
    breakers.healthy(URL)
    for _ in range(IN_A_ROW - 1):
        breakers.failed(URL, "fallback_status")

    assert breakers.is_open(URL)


def test_requests_under_way_are_counted(breakers: Breakers) -> None:
    breakers.began(URL)
    breakers.began(URL)
    breakers.ended(URL)

    assert breakers.in_flight(URL) == 1


def test_replicas_that_are_gone_are_forgotten_when_their_last_request_is(breakers: Breakers) -> None:
    breakers.began(URL)
    breakers.failed(URL, "fallback_connect")
    breakers.keep([])
    assert breakers.is_open(URL)

    breakers.ended(URL)
    breakers.keep([])
    assert not breakers.is_open(URL)
