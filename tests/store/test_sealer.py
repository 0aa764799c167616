"""Rows -> segments in batches."""

from __future__ import annotations

import contextlib
from pathlib import Path

from nightschool.record import Feedback, Record
from nightschool.store.manifest import prepare_folder, publish, read_manifest
from nightschool.store.sealer import Sealer
from tests.store.logs import NOON_US


def fill(sealer: Sealer) -> None:
    for n in range(35):
        sealer.add(Record(id=str(n), time_us=NOON_US + n))
    sealer.add(Feedback(exchange_id="0", time_us=NOON_US))
    sealer.seal()


def test_many_rows_are_sealed_in_batches_and_appear_together(tmp_path: Path) -> None:
    prepare_folder(tmp_path)

    with Sealer(tmp_path, batch_rows=10) as sealer:
        fill(sealer)
        assert read_manifest(tmp_path).segments("exchanges") == ()
        publish(tmp_path, sealer.added_to)

    manifest = read_manifest(tmp_path)
    assert [segment.rows for segment in manifest.segments("exchanges")] == [10, 10, 10, 5]
    assert [segment.rows for segment in manifest.segments("feedback")] == [1]


def test_what_is_not_published_is_deleted(tmp_path: Path) -> None:
    prepare_folder(tmp_path)

    with contextlib.suppress(RuntimeError), Sealer(tmp_path, batch_rows=10) as sealer:
        fill(sealer)
        raise RuntimeError

    assert list(tmp_path.glob("*/**/*.parquet")) == []


def test_what_is_published_stays_even_if_the_block_fails_after_it(tmp_path: Path) -> None:
    prepare_folder(tmp_path)

    with contextlib.suppress(RuntimeError), Sealer(tmp_path) as sealer:
        fill(sealer)
        publish(tmp_path, sealer.added_to)
        raise RuntimeError

    assert len(list(tmp_path.glob("*/**/*.parquet"))) == 2
