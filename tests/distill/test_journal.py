from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from distill.journal import Journal

LINES = st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=8)


@given(lines=LINES, cut=st.integers(0, 200), more=LINES)
def test_whatever_is_cut_off_the_whole_lines_stay_and_new_ones_follow_them(
    lines: list[bytes], cut: int, more: list[bytes]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        with Journal(path) as journal:
            for line in lines:
                journal.append(line)
        whole = path.read_bytes()[:cut]
        path.write_bytes(whole)

        with Journal(path) as journal:
            for line in more:
                journal.append(line)
            found = list(journal.lines())
            assert [line for _, line in found] == [*whole.split(b"\n")[:-1], *more]
            assert all(journal.at(place) == line for place, line in found)


def test_a_journal_that_is_cleared_is_empty(tmp_path: Path) -> None:
    with Journal(tmp_path / "folder" / "journal.jsonl") as journal:
        journal.append(b"one")
        journal.clear()
        journal.append(b"two")

        assert list(journal.lines()) == [(0, b"two")]
