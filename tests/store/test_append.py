"""Tables that no log feeds."""

from __future__ import annotations

from pathlib import Path

from nightschool.record import Label, Verdict
from nightschool.store.append import append
from nightschool.store.erase import erase
from nightschool.store.retention import drop_older
from nightschool.store.schema import table_of
from tests.store.logs import DAY_US, NOON_US, rows, text_id

OLD_US = NOON_US - 400 * DAY_US


def label(time_us: int, number: int = 0) -> Label:
    return Label(exchange_id=text_id(NOON_US, number), time_us=time_us, message='{"role":"assistant"}', author="ann")


def test_labels_are_in_their_view_from_the_moment_they_are_appended(tmp_path: Path) -> None:
    append(tmp_path, "labels", table_of("labels", [label(NOON_US), label(OLD_US)]))

    found = rows(tmp_path, "select exchange_id, message, author, source from labels order by time desc")

    assert found == [(text_id(NOON_US), '{"role":"assistant"}', "ann", None)] * 2


def test_retention_deletes_no_label(tmp_path: Path) -> None:
    append(tmp_path, "labels", table_of("labels", [label(OLD_US)]))

    drop_older(tmp_path, NOON_US)

    assert rows(tmp_path, "select count(*) from labels") == [(1,)]


def test_a_label_goes_with_the_exchange_that_is_erased(tmp_path: Path) -> None:
    append(tmp_path, "labels", table_of("labels", [label(NOON_US, 1), label(NOON_US, 2)]))

    erase(tmp_path, [text_id(NOON_US, 1)])

    assert rows(tmp_path, "select exchange_id from labels") == [(text_id(NOON_US, 2),)]


def test_a_verdict_goes_with_the_exchange_that_is_erased(tmp_path: Path) -> None:
    verdicts = [Verdict(exchange_id=text_id(NOON_US, number), time_us=NOON_US, key="k") for number in (1, 2)]
    append(tmp_path, "verdicts", table_of("verdicts", verdicts))

    erase(tmp_path, [text_id(NOON_US, 1)])

    assert rows(tmp_path, "select exchange_id from verdicts") == [(text_id(NOON_US, 2),)]
