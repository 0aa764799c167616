"""The configuration, followed while a process runs: a good change is taken over, a bad one is told once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from nightschool.config.load import read_config
from nightschool.config.models import Config
from nightschool.errors import ConfigError

log = logging.getLogger("nightschool.config")


class Followed:
    """A file that was loaded just now. ``refused`` hears of every change that is bad."""

    def __init__(self, path: Path, env: Mapping[str, str], *, refused: Callable[[], object] = lambda: None) -> None:
        self.path = path
        self._env, self._refused = env, refused
        self._seen = self._version()
        self.content = b""
        """What the file held when it was taken last; nothing before."""

    def look(self) -> Config | None:
        """The configuration, if the file has changed and is good. It may block, for as long as a disk does."""
        version = self._version()
        if version is None or version == self._seen:
            return None
        self._seen = version
        try:
            loaded = read_config(self.path, self._env)
        except ConfigError as error:
            self._refused()
            log.error("config_refused path=%s; the configuration before stays in force\n%s", self.path, error)
            return None
        self.content = loaded.content
        return loaded.config

    def _version(self) -> tuple[int, ...] | None:
        """Changes whenever the file does; None while an editor has it moved away."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
