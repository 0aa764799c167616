"""A bucket that several workers draw from lets pass what one bucket would, and nothing is lost between them."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.clients.allowance import Allowance
from proxy.clients.places import Places

WORKERS = 3
START = 1000.0
RATES = st.integers(1, 3000)
STEPS = st.lists(st.tuples(st.integers(0, WORKERS - 1), st.floats(0, 5)), min_size=1, max_size=80)
"""Who asks, and how long after the one before."""


@contextmanager
def workers(per_minute: int, count: int = WORKERS) -> Iterator[list[Allowance]]:
    with tempfile.TemporaryDirectory() as folder:
        places = [Places(Path(folder)) for _ in range(count)]
        try:
            yield [Allowance(each, "shop", per_minute) for each in places]
        finally:
            for each in places:
                each.leave()


def most(passed: list[float], per_minute: int) -> float:
    """By how much the busiest window exceeds what the rate allows in it."""
    rate = per_minute / 60
    return max(
        (last - first + 1 - rate * (passed[last] - passed[first]))
        for first in range(len(passed))
        for last in range(first, len(passed))
    )


class OneBucket:
    """The textbook's, for one process."""

    def __init__(self, per_minute: int, burst: int) -> None:
        self._rate, self._burst, self._level, self._at = per_minute / 60, burst, float(burst), START

    def take(self, now: float) -> bool:
        self._level = min(self._burst, self._level + self._rate * (now - self._at))
        self._at = now
        if self._level < 1 - 1e-6:
            return False
        self._level -= 1
        return True


@settings(deadline=None)
@given(RATES, STEPS)
def test_no_window_has_more_than_the_rate_and_the_burst(per_minute: int, steps: list[tuple[int, float]]) -> None:
    now, passed = START, []
    with workers(per_minute) as allowances:
        for worker, pause in steps:
            now += pause
            if allowances[worker].take(now) == 0:
                passed.append(now)
        assert most(passed, per_minute) <= allowances[0].burst + 1e-5


@settings(deadline=None)
@given(RATES, STEPS)
def test_several_workers_let_pass_what_one_bucket_would(per_minute: int, steps: list[tuple[int, float]]) -> None:
    now = START
    with workers(per_minute) as allowances:
        one = OneBucket(per_minute, allowances[0].burst)
        for worker, pause in steps:
            now += pause
            wait_s = allowances[worker].take(now)
            # Apart from errors of rounding, where a whole request is there in the very moment.
            assert (wait_s == 0) == one.take(now) or 0 < wait_s < 1e-5


@settings(deadline=None)
@given(RATES, st.lists(st.tuples(st.integers(0, WORKERS - 1), st.floats(0, 2)), min_size=1, max_size=80))
def test_workers_that_decide_at_once_exceed_it_by_one_each_and_make_up_for_it(
    per_minute: int, steps: list[tuple[int, float]]
) -> None:
    """Every worker may stand still between its look and its note, as long as the others please."""
    now, passed = START, []
    looked: dict[int, tuple[float, tuple[float, float]]] = {}
    with workers(per_minute) as allowances:
        burst, interval_s = allowances[0].burst, 60 / per_minute
        for worker, pause in steps:
            now += pause
            if worker in looked:
                at, seen = looked.pop(worker)
                allowances[worker].note(*seen)
                passed.append(at)
                continue
            full_at, count = allowances[worker].look(now)
            if full_at - now <= (burst - 1) * interval_s:
                looked[worker] = now, (full_at, count)
        passed.sort()
        if passed:
            assert most(passed, per_minute) <= burst + WORKERS - 1 + 1e-5


@settings(deadline=None)
@given(RATES, STEPS)
def test_whoever_waits_as_long_as_it_is_told_may_pass(per_minute: int, steps: list[tuple[int, float]]) -> None:
    now = START
    with workers(per_minute) as allowances:
        for worker, pause in steps:
            now += pause
            wait_s = allowances[worker].take(now)
            if wait_s:
                now += wait_s
                assert allowances[worker].take(now) == 0


def test_ten_seconds_worth_may_come_at_once_and_one_at_the_least() -> None:
    for per_minute, burst in ((1, 1), (5, 1), (60, 10), (600, 100)):
        with workers(per_minute, 1) as (allowance,):
            assert [allowance.take(START) for _ in range(burst)] == [0.0] * burst
            assert allowance.take(START) == pytest.approx(60 / per_minute)


def test_a_worker_that_replaces_a_dead_one_goes_on_with_its_bucket(tmp_path: Path) -> None:
    dead, living = Places(tmp_path), Places(tmp_path)
    assert [Allowance(dead, "shop", 60).take(START) for _ in range(10)] == [0.0] * 10
    dead.leave()
    successor = Places(tmp_path)

    assert (dead.number, living.number, successor.number) == (0, 1, 0)
    assert Allowance(successor, "shop", 60).take(START) > 0
    assert Allowance(living, "shop", 60).take(START) > 0


def test_a_bucket_of_another_client_is_another_one(tmp_path: Path) -> None:
    places = Places(tmp_path)
    assert [Allowance(places, "shop", 6).take(START), Allowance(places, "desk", 6).take(START)] == [0.0, 0.0]


def test_without_a_folder_the_numbers_are_the_workers_own() -> None:
    first, second = (Allowance(Places(), "shop", 6) for _ in range(2))

    assert (first.take(START), second.take(START)) == (0.0, 0.0)
    assert first.take(START) > 0


def test_a_folder_that_is_gone_costs_the_sharing_and_nothing_else(tmp_path: Path) -> None:
    before = Places(tmp_path)
    (tmp_path / "place-0.lock").unlink()
    tmp_path.rmdir()

    for places in (before, Places(tmp_path)):
        allowance = Allowance(places, "shop", 6)
        assert allowance.take(START) == 0
        assert allowance.take(START) > 0


PER_MINUTE = 30_000


def hammer(folder: str, ready: object, times: object) -> None:
    allowance = Allowance(Places(Path(folder)), "shop", PER_MINUTE)
    passed = []
    ready.wait()  # type: ignore[attr-defined]
    until = time.monotonic() + 0.5
    while (now := time.monotonic()) < until:
        if allowance.take(now) == 0:
            passed.append(now)
    times.put(passed)  # type: ignore[attr-defined]


def test_processes_that_hammer_on_one_bucket_get_its_rate_and_no_more(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, times = context.Barrier(WORKERS), context.Queue()
    processes = [context.Process(target=hammer, args=(str(tmp_path), ready, times)) for _ in range(WORKERS)]
    for process in processes:
        process.start()
    passed = sorted(time_s for _ in processes for time_s in times.get(timeout=60))
    for process in processes:
        process.join()

    burst, rate = PER_MINUTE // 6, PER_MINUTE / 60
    allowed = rate * (passed[-1] - passed[0]) + burst
    assert all(before <= after for before, after in pairwise(passed))
    assert len(passed) <= allowed + WORKERS
    assert len(passed) >= 0.8 * allowed  # where nobody is given the processor for a while, a full bucket overflows
