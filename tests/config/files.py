"""Small configuration files, written and read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nightschool.config import Config, InvalidConfig, load_config

UPSTREAM = "upstreams: {openai: {base_url: https://api.openai.com/v1}}\n"
NO_ENV: Mapping[str, str] = {}


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "nightschool.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def load(folder: Path, text: str, env: Mapping[str, str] = NO_ENV) -> Config:
    return load_config(write(folder, text), env)


def faults(folder: Path, text: str | bytes, env: Mapping[str, str] = NO_ENV) -> list[str]:
    """What is wrong with the file, each as ``line: key: message``; empty when nothing is."""
    try:
        load_config(write(folder, text), env)
    except InvalidConfig as error:
        return [fault.text("").removeprefix(":") for fault in error.faults]
    return []
