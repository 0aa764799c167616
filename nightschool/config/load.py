"""The file on disk -> the configuration in force.

    find -> read YAML -> replace ${NAME} -> paths relative to the file -> check everything -> Loaded

Nothing is changed after the check: what `nightschool check` prints is what runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nightschool.config.faults import Fault, InvalidConfig, brief, dotted
from nightschool.config.models import Config
from nightschool.config.paths import with_paths
from nightschool.config.secrets import Complaint, with_secrets
from nightschool.config.yaml_file import Node, read_content, read_yaml

DEFAULT_FILE = "nightschool.yaml"
VARIABLE = "NIGHTSCHOOL_CONFIG"

_NOT_A_MAP = "must be a map of keys and values, such as `listen: 127.0.0.1:8080`"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration with its file; ``document`` knows the lines and holds ``${NAME}`` as written."""

    config: Config
    file: Path
    document: Node
    content: bytes
    """What the file held."""


def load_config(path: Path | None, env: Mapping[str, str]) -> Config:
    """The configuration of ``path``, of $NIGHTSCHOOL_CONFIG or of ./nightschool.yaml; ConfigError lists every fault."""
    return read_config(path, env).config


def read_config(path: Path | None, env: Mapping[str, str], *, content: bytes | None = None) -> Loaded:
    """The same, with what is needed to say where each value came from. ``content``: as if the file held that."""
    file = find_config(path, env)
    content = read_content(file) if content is None else content
    document, faults = read_yaml(file, content)
    values = document.plain()
    if not isinstance(values, dict):
        raise InvalidConfig(file, [*faults, Fault(document.line, "", "is empty" if values is None else _NOT_A_MAP)])
    complaints: list[Complaint] = []
    values = with_paths(with_secrets(values, env, complaints), file.absolute().parent, complaints)
    config = _checked(values, complaints)
    faults += [Fault(document.line_of(key), dotted(key), brief(message)) for key, message in complaints]
    if config is None or faults:
        raise InvalidConfig(file, faults)
    return Loaded(config, file, document, content)


def find_config(path: Path | None, env: Mapping[str, str]) -> Path:
    """Which file counts; it need not exist."""
    return path or Path(env.get(VARIABLE) or DEFAULT_FILE)


def _checked(values: dict[str, Any], complaints: list[Complaint]) -> Config | None:
    """Adds to ``complaints`` what the models say about keys that nobody has complained about yet."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        known = {key for key, _ in complaints}
        said = [(_without_marker(fault["loc"]), fault["msg"]) for fault in error.errors(include_url=False)]
        complaints += [complaint for complaint in said if complaint[0] not in known]
        return None


def _without_marker(where: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """pydantic adds ``[key]`` when it is the key of a map that is wrong, not its value."""
    return where[:-1] if where and where[-1] == "[key]" else where
