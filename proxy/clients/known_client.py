"""One client of the configuration, as a worker knows it."""

from __future__ import annotations

from nightschool.config import ClientConfig
from proxy.clients.allowance import Allowance


class KnownClient:
    """What it may, and how much of it is left."""

    __slots__ = ("allowance", "config", "name", "workloads")

    def __init__(self, name: str, config: ClientConfig, allowance: Allowance | None) -> None:
        self.name = name
        self.config = config
        self.allowance = allowance
        self.workloads = None if config.workloads is None else frozenset(config.workloads)
