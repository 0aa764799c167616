"""The bench of the store, on little traffic."""

from __future__ import annotations

import statistics
from pathlib import Path

from bench.store import file_traffic
from bench.synthetic import Traffic
from tests.store.logs import NOON_US, ids


def test_all_traffic_is_filed_by_the_real_recorder(tmp_path: Path) -> None:
    filed = file_traffic(tmp_path, 60, parts=2)

    assert len(ids(tmp_path)) == filed.rows == 60
    assert filed.some_id == ids(tmp_path)[-1]


def test_synthetic_exchanges_have_about_two_kilobytes_and_are_all_different() -> None:
    traffic = Traffic()
    bodies = [b"".join(body for _, _, body in traffic.exchange(NOON_US + n)) for n in range(500)]

    assert 1_900 < statistics.mean(map(len, bodies)) < 2_200
    assert len(set(bodies)) == 500
