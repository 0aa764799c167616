"""What clients have spent is counted once, whatever is killed, and outlives the rows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from nightschool.errors import StoreError
from nightschool.record import Record
from nightschool.store.spend import FILE, Costs, Spend, Spent, read_spend

TODAY = datetime.now(UTC).date()
NOON = int(datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC).timestamp() * 1e6)
DAY_US = 86_400_000_000


def row(cost_usd: float | None, client: str | None = "shop", time_us: int = NOON) -> Record:
    return Record(id="", time_us=time_us, cost_usd=cost_usd, client=client)


def note(folder: Path, log: str, *rows: Record, waiting: tuple[str, ...] = ()) -> None:
    costs = Costs()
    for each in rows:
        costs.add(log, each)
    costs.note(folder, (log, *waiting))


def test_costs_add_up_by_client_and_day(tmp_path: Path) -> None:
    note(tmp_path, "1.wal", row(0.5), row(0.25), row(1.0, "desk"), row(2.0, time_us=NOON - 40 * DAY_US))
    note(tmp_path, "2.wal", row(0.125))

    assert read_spend(tmp_path).days[TODAY.isoformat()] == {"shop": 0.875, "desk": 1.0}
    assert read_spend(tmp_path).on(TODAY) == {"shop": Spent(0.875, 0.875), "desk": Spent(1.0, 1.0)}


def test_a_month_is_its_days_until_today() -> None:
    days = {"2026-10-31": {"shop": 8.0}, "2026-11-01": {"shop": 1.0}, "2026-11-26": {"shop": 2.0, "desk": 4.0}}

    assert Spend(days).on(date(2026, 11, 26)) == {"shop": Spent(2.0, 3.0), "desk": Spent(4.0, 4.0)}
    assert Spend(days).on(date(2026, 11, 27)) == {"shop": Spent(0.0, 3.0), "desk": Spent(0.0, 4.0)}
    assert Spend(days).on(date(2026, 12, 1)) == {}


def test_a_log_that_is_sealed_again_is_not_counted_again(tmp_path: Path) -> None:
    note(tmp_path, "1.wal", row(0.5))
    note(tmp_path, "2.wal", row(0.25), waiting=("1.wal",))
    note(tmp_path, "1.wal", row(0.5), waiting=("2.wal",))

    assert read_spend(tmp_path).on(TODAY)["shop"].day == 0.75
    assert read_spend(tmp_path).logs == ("1.wal", "2.wal")


def test_logs_that_are_gone_and_days_long_past_are_forgotten(tmp_path: Path) -> None:
    note(tmp_path, "1.wal", row(0.5, time_us=NOON - 100 * DAY_US))
    note(tmp_path, "2.wal", row(0.5))

    assert (read_spend(tmp_path).logs, list(read_spend(tmp_path).days)) == (("2.wal",), [TODAY.isoformat()])


@pytest.mark.parametrize("unnamed", [row(None), row(0.0), row(1.0, None), row(1.0, "0123456789abcdef")])
def test_callers_without_a_name_and_rows_without_a_cost_leave_no_file(tmp_path: Path, unnamed: Record) -> None:
    note(tmp_path, "1.wal", unnamed)

    assert not (tmp_path / FILE).exists()


def test_a_damaged_file_is_named_to_readers_and_does_not_stop_the_recording(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")

    with pytest.raises(StoreError, match=r"spend\.json cannot be read"):
        read_spend(tmp_path)
    note(tmp_path, "1.wal", row(0.5))

    assert read_spend(tmp_path).on(TODAY)["shop"].day == 0.5
    assert (tmp_path / f"{FILE}.damaged").read_text() == "{"
