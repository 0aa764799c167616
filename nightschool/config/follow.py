"""The configuration, followed while a process runs: a good change is taken over, a bad one is told once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from nightschool.config.load import load_config
from nightschool.config.models import Config
from nightschool.errors import ConfigError

log = logging.getLogger("nightschool.config")


class Followed:
    """A file that was loaded just now."""

    def __init__(self, path: Path, env: Mapping[str, str]) -> None:
        self._path, self._env = path, env
        self._seen = self._version()

    def look(self) -> Config | None:
        """The configuration, if the file has changed and is good."""
        version = self._version()
        if version == self._seen:
            return None
        self._seen = version
        try:
            config = load_config(self._path, self._env)
        except ConfigError as error:
            log.error("config_refused path=%s; the configuration before stays in force\n%s", self._path, error)
            return None
        log.info("config_reloaded path=%s", self._path)
        return config

    def _version(self) -> tuple[int, ...] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
