"""The registry's files are followed; what cannot be read changes nothing."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nightschool.registry.change import change_students
from nightschool.registry.replicas import ReplicaState, ReplicaStates, write_replicas
from nightschool.registry.routing import Students, registry_of
from nightschool.registry.steps import force, roll_back
from nightschool.store.durable import new_file
from proxy.students.registry import Registered, Registry
from tests.proxy.students.cast import KNOWN, OLD, ONE, TWO, WORKLOAD, replica

NOW = "2026-11-25T02:00:00+00:00"


class Followed:
    """A registry and what was counted of it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.counts: Counter[tuple[str, str]] = Counter()
        self._registry = Registry(data, lambda file, result: self.counts.update([(file, result)]))

    def look(self) -> Registered | None:
        return self._registry.look()

    def promote(self) -> None:
        def step(before: Students) -> Students:
            return force(before, OLD, share=100, fingerprints=KNOWN, now=NOW)

        change_students(self.data, WORKLOAD, step, author="t", action="promote", reason="test")

    def roll_back(self) -> None:
        change_students(
            self.data, WORKLOAD, lambda before: roll_back(before, now=NOW), author="t", action="rollback", reason="test"
        )

    def replicas(self, *urls: str, time: str = "") -> None:
        write_replicas(self.data, ReplicaStates(time=time, replicas=tuple(replica(url) for url in urls)))

    def damage(self, file: str, content: bytes) -> None:
        path = registry_of(self.data) / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path) as unfinished:
            unfinished.write(content)


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path)


def live(said: Registered | None) -> str | None:
    assert said is not None
    found = said.routing.students_of(WORKLOAD).live
    return None if found is None else found.adapter


def test_without_files_there_is_nothing_to_tell(followed: Followed) -> None:
    assert followed.look() is None
    assert followed.counts == {}


def test_every_change_is_told_once(followed: Followed) -> None:
    followed.promote()
    assert live(followed.look()) == OLD
    assert followed.look() is None

    followed.roll_back()
    assert live(followed.look()) is None
    assert followed.look() is None

    followed.replicas(ONE, TWO)
    said = followed.look()
    assert said is not None
    assert [each.url for each in said.replicas.replicas] == [ONE, TWO]
    assert followed.counts == {("routing.json", "taken_over"): 2, ("replicas.json", "taken_over"): 1}


def test_replicas_that_were_only_looked_at_again_are_no_change(followed: Followed) -> None:
    followed.replicas(ONE, time="2026-11-25T02:00:00")
    assert followed.look() is not None

    followed.replicas(ONE, time="2026-11-25T02:00:05")
    assert followed.look() is None


def test_how_long_an_engine_has_been_starting_is_no_change(followed: Followed) -> None:
    def starting(seconds: int) -> ReplicaStates:
        return ReplicaStates(
            replicas=(ReplicaState(url=ONE, ready=False, why=f"its engine starts, {seconds} s so far"),)
        )

    write_replicas(followed.data, starting(1))
    assert followed.look() is not None

    write_replicas(followed.data, starting(2))
    assert followed.look() is None


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("routing.json", b"{"),
        ("routing.json", b""),
        ("routing.json", b"\xff\xfe"),
        ("routing.json", b"[" * 100_000),
        ("routing.json", b'{"format_version": 2, "everything": "else"}'),
        ("routing.json", b'{"workloads": {"cities": {"live": {"adapter": 1}}}}'),
        ("replicas.json", b"{"),
        ("replicas.json", b'{"format_version": 2}'),
        ("replicas.json", b'{"replicas": [{"url": "gpu-1", "ready": true}]}'),
    ],
    ids=range(9),
)
def test_what_cannot_be_read_is_told_once_and_what_was_before_stays_in_force(
    followed: Followed, file: str, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    followed.promote()
    followed.replicas(ONE)
    before = followed.look()

    followed.damage(file, content)

    assert [followed.look() for _ in range(3)] == [None, None, None]
    assert followed.counts[file, "refused"] == 1
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith("registry_refused path=")
    assert file in told
    followed.replicas(TWO) if file == "routing.json" else followed.roll_back()
    after = followed.look()
    assert before is not None
    assert after is not None
    if file == "routing.json":
        assert after.routing == before.routing
    else:
        assert after.replicas == before.replicas


def test_a_file_that_is_mended_is_in_force_again(followed: Followed) -> None:
    followed.damage("routing.json", b"{")
    assert followed.look() is None
    (registry_of(followed.data) / "routing.json").unlink()

    followed.promote()

    assert live(followed.look()) == OLD


def test_a_file_that_is_deleted_says_nothing_any_more(followed: Followed) -> None:
    followed.promote()
    assert live(followed.look()) == OLD

    (registry_of(followed.data) / "routing.json").unlink()

    assert live(followed.look()) is None


def test_a_file_in_the_place_of_the_folder_is_none(followed: Followed) -> None:
    registry_of(followed.data).write_bytes(b"")

    assert followed.look() is None


@contextmanager
def no_more_files() -> Iterator[None]:
    """Opening fails, whatever it is, and whoever asks."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_file_that_could_not_be_opened_is_read_as_soon_as_it_can_be(followed: Followed) -> None:
    followed.promote()
    with no_more_files():
        assert [followed.look() for _ in range(3)] == [None, None, None]

    assert live(followed.look()) == OLD
    assert followed.counts == {("routing.json", "refused"): 1, ("routing.json", "taken_over"): 1}
