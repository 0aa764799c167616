"""What clients have spent, by day: counted once as records are sealed, and kept apart from them.

Erasing or dropping exchanges gives nobody money back, and asking costs no query: `data/spend.json` has a number per
client and day. Callers without a name are not in it; `nightschool sql` knows their costs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from nightschool.config.clients import PSEUDONYM
from nightschool.errors import StoreError
from nightschool.record import Feedback, Record
from nightschool.store.durable import new_file

FILE = "spend.json"
KEPT_DAYS = 62
"""The month in which we are, and the one before."""

log = logging.getLogger("nightschool.spend")

ByDay = dict[str, dict[str, float]]
"""``{"2026-11-26": {"checkout-service": 1.25}}``: USD by day (UTC) and client."""


class Spent(NamedTuple):
    """USD of one client."""

    day: float = 0.0
    month: float = 0.0
    """Since its first day, the day included."""


class Spend(msgspec.Struct, frozen=True):
    """The file."""

    days: ByDay = {}
    logs: tuple[str, ...] = ()
    """Logs that are counted, as far as they are still there: one that is sealed again is not counted again."""

    def on(self, day: date) -> dict[str, Spent]:
        """By client, as it stands on that day."""
        today, month = day.isoformat(), f"{day:%Y-%m}-"
        totals: dict[str, Spent] = {}
        for name, spent in self.days.items():
            if name.startswith(month):
                for client, usd in spent.items():
                    before = totals.get(client, Spent())
                    totals[client] = Spent(before.day + (usd if name == today else 0.0), before.month + usd)
        return totals


class Costs:
    """Collects what rows cost, log by log."""

    def __init__(self) -> None:
        self._by_log: dict[str, ByDay] = {}

    def add(self, log_name: str, row: Record | Feedback) -> None:
        if not isinstance(row, Record) or not row.cost_usd or row.client is None or PSEUDONYM.fullmatch(row.client):
            return
        day = datetime.fromtimestamp(row.time_us / 1e6, UTC).date().isoformat()
        spent = self._by_log.setdefault(log_name, {}).setdefault(day, {})
        spent[row.client] = spent.get(row.client, 0.0) + row.cost_usd

    def note(self, folder: Path, waiting: Iterable[str]) -> None:
        """Add them to the file, before the rows are published; ``waiting`` are the logs that are there.

        Whoever is killed between the two seals the logs again, and finds that they are counted.
        """
        if not self._by_log:
            return
        before = _sound(folder)
        days = {day: dict(spent) for day, spent in before.days.items()}
        for name, costs in self._by_log.items():
            if name not in before.logs:
                _add(days, costs)
        oldest = (datetime.now(UTC).date() - timedelta(days=KEPT_DAYS)).isoformat()
        kept = {day: days[day] for day in sorted(days) if day >= oldest}
        logs = tuple(sorted({*before.logs, *self._by_log} & set(waiting)))
        with new_file(folder / FILE) as file:
            file.write(msgspec.json.format(msgspec.json.encode(Spend(kept, logs))))


def read_spend(folder: Path) -> Spend:
    """What has been spent; nothing if there is no file. Raises StoreError for one that cannot be read."""
    path = folder / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Spend)
    except FileNotFoundError:
        return Spend()
    except msgspec.DecodeError as error:
        raise StoreError(
            f"{path} cannot be read: {error}", remedy="delete it: budgets begin anew, and nothing else is lost"
        ) from error


def _sound(folder: Path) -> Spend:
    """The same, but a file that cannot be read is set aside: it must not stop the recording."""
    try:
        return read_spend(folder)
    except StoreError as error:
        aside = (folder / FILE).replace(folder / f"{FILE}.damaged")
        log.error("spend_damaged cause=%r; it is set aside as %s, and budgets begin anew", error.problem, aside)
        return Spend()


def _add(days: ByDay, costs: Mapping[str, Mapping[str, float]]) -> None:
    for day, spent in costs.items():
        known = days.setdefault(day, {})
        for client, usd in spent.items():
            known[client] = known.get(client, 0.0) + usd
