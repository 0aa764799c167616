"""What every page is made with: the configuration in force, the store, and the templates."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from console.asking import Asking
from console.figures import AllFigures
from console.pages import Pages
from nightschool.config import Config
from nightschool.config.follow import Followed

_LOOK_EVERY_S = 1.0


class Desk:
    """Of one configuration file; the data folder stays the one of the start."""

    def __init__(self, config: Config, file: Path, env: Mapping[str, str]) -> None:
        self.file, self.env = file, env
        self.data = config.data
        self.asking = Asking(config.data)
        self.pages, self.figures = Pages(), AllFigures()
        self._config, self._followed = config, Followed(file, env)
        self._looking = threading.Lock()
        self._looked_at = time.monotonic()

    @property
    def config(self) -> Config:
        """As the file says now; what is bad in it is in the log, and changes nothing."""
        with self._looking:
            if time.monotonic() - self._looked_at >= _LOOK_EVERY_S:
                self._config = self._followed.look() or self._config
                self._looked_at = time.monotonic()
            return self._config

    def workloads(self, recorded: Iterable[str] = ()) -> list[str]:
        """Names for menus: those of the configuration, then others that were recorded."""
        return [*dict.fromkeys((*self.config.workloads, *sorted(recorded)))]
