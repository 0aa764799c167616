"""Tables that fit."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from cli.screen import Column, progress_bar, table_that_fits

COLUMNS = (Column("id", 4), Column("model", 8, may_go=1), Column("n", 3, right=True, may_go=2), Column("text", 10))


def drawn(rows: list[list[str]], width: int) -> list[str]:
    output = StringIO()
    Console(file=output, width=width).print(table_that_fits(COLUMNS, rows, width))
    return [line.rstrip() for line in output.getvalue().splitlines()]


def test_what_fits_is_shown_whole() -> None:
    assert drawn([["1", "gpt", "5", "all of it"]], 60) == ["id  model  n  text", "1   gpt    5  all of it"]


def test_a_narrow_terminal_loses_columns_in_their_order_and_then_ends_of_cells() -> None:
    row = ["1234", "a-model-name", "5", "a long text that has no room"]

    assert drawn([row], 34)[0].split() == ["id", "model", "n", "text"]
    assert drawn([row], 24)[0].split() == ["id", "n", "text"]
    assert drawn([row], 17)[1] == "1234  a long te…"


@given(st.lists(st.lists(st.text(max_size=40), min_size=4, max_size=4), max_size=4), st.integers(20, 120))
def test_no_line_is_wider_than_the_terminal(rows: list[list[str]], width: int) -> None:
    clean = [[" ".join(cell.split()) for cell in row] for row in rows]

    assert all(cell_len(line) <= width for line in drawn(clean, width))


def test_progress_is_silent_where_nobody_can_see_it(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("working", 10) as bar:
        bar(5)

    assert capsys.readouterr() == ("", "")
