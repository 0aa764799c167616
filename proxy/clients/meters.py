"""What is measured of clients while a worker lives: how often they ask, and what they have spent.

Reloads of the configuration come and go above it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from nightschool.config import ClientConfig
from nightschool.errors import StoreError
from nightschool.store.spend import FILE, Spend, Spent, read_spend
from proxy.clients.allowance import Allowance
from proxy.clients.places import Places

log = logging.getLogger("nightschool.clients")


class Meters:
    """``folder`` is that of all workers of this proxy, ``data`` where the recorder says what was spent."""

    def __init__(
        self,
        folder: Path | None = None,
        data: Path | None = None,
        *,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self.spent: Mapping[str, Spent] = {}
        """Today and in this month, by client, as of the last look."""
        self._places = Places(folder)
        self._data = data
        self._today = today
        self._allowances: dict[str, Allowance] = {}
        self._spend = Spend()
        self._seen: tuple[int, ...] | None = None
        self._told: dict[str, date] = {}

    def allowance(self, name: str, client: ClientConfig) -> Allowance | None:
        """None where there is no limit."""
        limit = client.requests_per_minute
        if limit is None:
            return None
        kept = self._allowances.get(name)
        if kept is None or kept.per_minute != limit:
            kept = self._allowances[name] = Allowance(self._places, name, limit)
        return kept

    def look(self) -> None:
        """Read what was spent, where that has changed, or the day has. It may block, as long as a disk does.

        What cannot be read is told, and what was known before stays in force.
        """
        if self._data is None:
            return
        try:
            version = self._version(self._data / FILE)
            if version != self._seen:
                self._seen = version
                self._spend = read_spend(self._data)
        except (StoreError, OSError) as error:
            log.error("spend_unreadable cause=%r; budgets are kept to what was known before", str(error))
        self.spent = self._spend.on(self._today())

    def tell(self, client: str, period: str) -> None:
        """Once a day, that a budget is used up."""
        today = self._today()
        if self._told.get(client) != today:
            self._told[client] = today
            log.warning("client_budget_spent client=%s period=%s; it is refused until that is over", client, period)

    def _version(self, path: Path) -> tuple[int, ...] | None:
        """Changes whenever the file does; None where there is none."""
        try:
            found = path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
