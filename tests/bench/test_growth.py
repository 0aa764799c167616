"""The curves of growth: their exponents are right, and what they are measured on is what it is said to be."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench.growth import bulk, routes, stores
from bench.growth.__main__ import merged, print_curves
from bench.growth.curve import Curve
from bench.growth.picture import draw
from bench.proxy.cores import divide
from bench.proxy.machine import describe
from bench.store import file_traffic, merge_all
from nightschool.store.manifest import read_manifest
from nightschool.store.segment import DAY_US
from tests.running import rows
from tests.store.logs import ids


def curve(*costs: float, expected: float = 1.0, part: str = "store") -> Curve:
    points = [(10.0**number, cost) for number, cost in enumerate(costs)]
    return Curve(part=part, what="a cost", over="things", unit="s", expected=expected, points=points)


@pytest.mark.parametrize(
    ("costs", "exponent", "verdict"),
    [
        ((5, 5, 5, 5, 5, 5), 0, "as expected"),
        ((1, 10, 100, 1000, 10_000, 100_000), 1, "as expected"),
        ((9, 9, 9, 9, 90, 900), 1, "as expected"),
        ((1, 100, 1e4, 1e6, 1e8, 1e10), 2, "WORSE THAN LINEAR"),
    ],
)
def test_the_exponent_is_the_slope_of_the_upper_half(costs: tuple[float, ...], exponent: int, verdict: str) -> None:
    assert curve(*costs).exponent == pytest.approx(exponent, abs=1e-9)
    assert curve(*costs).verdict == verdict


def test_a_cost_that_was_to_stay_and_grows_is_told() -> None:
    assert curve(1, 2, 4, 8, 16, 32, expected=0.0).verdict == "worse than expected"


def test_a_new_run_of_a_part_takes_the_place_of_the_older_one_and_leaves_the_others(tmp_path: Path) -> None:
    machine, path = describe(divide()), tmp_path / "growth.json"
    first = merged(path, [curve(1, 1, part="streams"), curve(2, 2)], machine)
    path.write_bytes(msgspec.json.encode(first))

    second = merged(path, [curve(3, 3)], machine)

    assert [(each.part, each.points[0][1]) for each in second.curves] == [("streams", 1), ("store", 3)]


def test_the_picture_and_the_table_have_every_curve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    curves = [curve(1, 10, 100), curve(1, 1, 1, part="adapters")]

    draw(curves, tmp_path / "growth.png")
    print_curves(curves)

    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.count("as expected") == 2


def test_a_store_written_in_bulk_has_every_row_once_within_days_and_up_to_now(tmp_path: Path) -> None:
    some_id = bulk.write_store(tmp_path, 1000, texts=40, per_segment=130)

    segments = read_manifest(tmp_path).segments("exchanges")
    assert all(each.min_time_us // DAY_US == each.max_time_us // DAY_US for each in segments)
    assert sum(each.rows for each in segments) == len(set(ids(tmp_path))) == 1000
    assert some_id in ids(tmp_path)
    sql = "select max(time) > now() - interval 1 hour as fresh, count(response) as answered from exchanges"
    [row] = rows(tmp_path, sql)
    assert row == {"fresh": True, "answered": 1000}


def test_a_store_that_was_filed_and_one_in_bulk_take_about_the_same_room(tmp_path: Path) -> None:
    file_traffic(tmp_path / "filed", 2_000, parts=1)
    merge_all(tmp_path / "filed")
    bulk.write_store(tmp_path / "bulk", 2_000)

    filed, written = (
        sum(each.bytes for each in read_manifest(tmp_path / name).segments("exchanges")) for name in ("filed", "bulk")
    )
    # The hours of today are not merged yet; so few rows make files of eight rows each.
    assert 0.8 * filed < written < filed


def test_stores_are_measured_at_every_level_and_removed(tmp_path: Path) -> None:
    said: list[str] = []

    curves = stores.curves(tmp_path, said.append, levels=(500, 1_000))

    assert [len(each.points) for each in curves] == [2] * 6
    assert all(cost > 0 for each in curves for _, cost in each.points)
    assert not (tmp_path / "data").exists()


def test_a_store_for_which_there_is_no_room_is_left_out_and_told(tmp_path: Path) -> None:
    said: list[str] = []

    stores.curves(tmp_path, said.append, levels=(10**15,))

    assert "are left out: they need" in said[0]


def test_routes_are_measured_at_every_level(tmp_path: Path) -> None:
    curves = [
        *routes.workload_curves(tmp_path, print, levels=(1, 4)),
        *routes.adapter_curves(tmp_path, print, levels=(1, 4)),
    ]

    assert [len(each.points) for each in curves] == [2, 2, 2]
    assert all(cost > 0 for each in curves for _, cost in each.points)
