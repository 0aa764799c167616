"""Locks."""

from __future__ import annotations

import threading
from pathlib import Path

from nightschool.store.lock import is_locked, lock, lock_at_once


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock_at_once(path) as first, lock_at_once(path) as second:
        assert (first, second, is_locked(path)) == (True, False, True)

    assert not is_locked(path)
    with lock(path), lock_at_once(path) as late:
        assert not late


def test_the_patient_get_a_lock_that_is_released_in_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    begun, released = threading.Event(), threading.Event()

    def hold() -> None:
        with lock(path):
            begun.set()
            released.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    begun.wait()
    with lock_at_once(path, patience_s=0.1) as held:
        assert not held
    threading.Timer(0.1, released.set).start()
    with lock_at_once(path, patience_s=10) as held:
        assert held
    holder.join()


def test_asking_changes_nothing(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "nothing")
    assert list(tmp_path.iterdir()) == []
