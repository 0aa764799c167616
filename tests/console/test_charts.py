"""Charts show every number that they are given, at its height, and are text where they hold text."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from console.charts import HEIGHT, WIDTH, Series, bars, path

HEIGHTS = st.floats(0, 1e9, allow_nan=False)


@given(st.lists(HEIGHTS, min_size=1, max_size=40))
@example([5e-324])
def test_bars_are_as_high_as_their_values_and_stay_inside(values: list[float]) -> None:
    chart = str(bars([str(n) for n in range(len(values))], [Series("s", "teacher", values)], "title"))

    found = [tuple(map(float, one)) for one in re.findall(r'y="([\d.-]+)" width="[\d.-]+" height="([\d.-]+)"', chart)]
    assert len(found) == sum(value > 0 for value in values)
    assert all(y >= 0 and y + height <= HEIGHT for y, height in found)
    tallest = max(values)
    for (_, height), value in zip(found, [value for value in values if value], strict=True):
        whole = max(height for _, height in found)
        assert height / whole == pytest.approx(value / tallest, abs=0.02) if whole else True


@given(st.lists(st.tuples(HEIGHTS, st.floats(-1e3, 1e3)), min_size=1, max_size=40))
def test_a_line_stays_inside_with_its_limit(points: list[tuple[float, float]]) -> None:
    chart = str(path(sorted(points), "title", lines=[(5.0, "enough")]))

    (told,) = re.findall(r'<polyline class="line" points="([^"]*)"', chart)
    places = [tuple(map(float, place.split(","))) for place in told.split()]
    assert len(places) == len(points)
    assert all(-0.01 <= x <= WIDTH and -0.01 <= y <= HEIGHT for x, y in places)
    assert "enough" in chart


def test_names_are_text() -> None:
    chart = str(bars(["<b>"], [Series("<i>", "teacher", [1])], '"><script>', unit=" $"))

    assert "<script>" not in chart
    assert "<b>" not in chart
    assert "&lt;i&gt;" in chart


def test_nothing_is_drawn_of_nothing() -> None:
    assert str(path([], "title")) == ""
    assert "<rect" not in str(bars([], [Series("s", "teacher", [])], "title"))
