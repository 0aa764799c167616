"""Changes of the routing state: atomic, in order, with their history."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nightschool.errors import RegistryError
from nightschool.registry.change import HISTORY, change_students, read_history
from nightschool.registry.routing import FILE, NOBODY, Students, read_routing, registry_of
from nightschool.registry.steps import hold, propose, release


def change(data: Path, step: object, workload: str = "w") -> object:
    return change_students(data, workload, step, author="anna", action="test", reason="because")  # type: ignore[arg-type]


def test_a_change_is_in_force_and_in_the_history_with_the_state_before_it(tmp_path: Path) -> None:
    change(tmp_path, lambda before: propose(before, "w--a"))
    change(tmp_path, hold)
    first, second = read_history(tmp_path)
    assert (first.revision, first.author, first.reason, first.before) == (1, "anna", "because", NOBODY)
    assert second.before == first.after
    assert read_routing(tmp_path).students_of("w") == second.after
    assert second.after.held


def test_what_changes_nothing_leaves_no_trace(tmp_path: Path) -> None:
    assert change(tmp_path, release) is None
    assert read_history(tmp_path) == []
    assert read_routing(tmp_path).revision == 0


def test_changes_by_many_at_once_are_all_made(tmp_path: Path) -> None:
    names = [f"w--{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: change(tmp_path, lambda before: propose(before, name), workload=name), names))
    state = read_routing(tmp_path)
    assert state.revision == 40
    assert set(state.workloads) == set(names)
    assert [each.revision for each in read_history(tmp_path)] == list(range(1, 41))


def test_a_crash_after_the_history_was_written_is_undone_by_the_next_change(tmp_path: Path) -> None:
    change(tmp_path, hold)
    routing = registry_of(tmp_path) / FILE
    before = routing.read_bytes()
    change(tmp_path, release)
    routing.write_bytes(before)  # as if the process had died before the file was replaced
    assert [each.after.held for each in read_history(tmp_path)] == [True]
    change(tmp_path, lambda students: propose(students, "w--a"))
    assert [each.after.held for each in read_history(tmp_path)] == [True, True]
    assert read_history(tmp_path)[-1].after.candidate is not None


def test_a_line_cut_by_a_crash_is_no_change_and_spoils_none(tmp_path: Path) -> None:
    change(tmp_path, hold)
    with (registry_of(tmp_path) / HISTORY).open("ab") as file:
        file.write(b'{"revision":2,"ti')
    change(tmp_path, release)
    assert [each.revision for each in read_history(tmp_path)] == [1, 2]


def test_a_state_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    registry_of(tmp_path).mkdir(parents=True)
    routing = registry_of(tmp_path) / FILE
    routing.write_text('{"format_version": 99, "anything": [1]}')
    with pytest.raises(RegistryError, match="has version 99, and this nightschool reads versions up to 1"):
        change(tmp_path, hold)
    assert "99" in routing.read_text()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"workloads": {"w": 1}}', b"\xff"])
def test_a_damaged_state_is_refused_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    registry_of(tmp_path).mkdir(parents=True)
    (registry_of(tmp_path) / FILE).write_bytes(content)
    with pytest.raises(RegistryError, match="is no routing state"):
        read_routing(tmp_path)


def test_a_step_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    def refused(before: Students) -> Students:
        raise RegistryError("no")

    with pytest.raises(RegistryError):
        change(tmp_path, refused)
    assert read_history(tmp_path) == []
