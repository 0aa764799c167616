"""Which cores the proxies run on, and which are left to the generator and the upstream."""

from __future__ import annotations

import os
from typing import NamedTuple


class Cores(NamedTuple):
    """Every proxy is pinned to the same one; what loads it stays away as far as the machine allows."""

    proxy: int
    load: set[int]

    def for_workers(self, count: int) -> list[int]:
        """A core for each worker; more than one takes from the generator's, the last ones first."""
        return [self.proxy, *sorted(self.load - {self.proxy}, reverse=True)][:count]


def divide(available: set[int] | None = None) -> Cores:
    """The first core for the proxies, the others for the load; a single core is shared."""
    first, *others = sorted(available or os.sched_getaffinity(0))
    return Cores(first, set(others) or {first})
