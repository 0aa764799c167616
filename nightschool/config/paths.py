"""Paths in the file are relative to the file, wherever the command was started."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nightschool.config.secrets import Complaint

DEFAULT_DATA = "nightschool-data"


def with_paths(values: Mapping[str, Any], folder: Path, complaints: list[Complaint]) -> dict[str, Any]:
    """``values`` with absolute paths; what is of the wrong kind stays, for the models to complain about."""
    resolved = {**values, "data": _data(values.get("data", DEFAULT_DATA), folder, complaints)}
    student = values.get("student")
    if isinstance(student, dict):
        resolved["student"] = _student(student, folder)
    upstreams = values.get("upstreams")
    if isinstance(upstreams, dict):
        resolved["upstreams"] = {
            name: _upstream(name, upstream, folder, complaints) if isinstance(upstream, dict) else upstream
            for name, upstream in upstreams.items()
        }
    return resolved


def _data(given: Any, folder: Path, complaints: list[Complaint]) -> Any:
    if not isinstance(given, str):
        return given
    problem = _no_path(given, folder)
    if "://" in given:
        problem = f"must be a folder of this machine; {given!r} cannot be used yet"
    if not problem and (folder / given).is_file():
        problem = f"must be a folder, but {str(folder / given)!r} is a file"
    if problem:
        complaints.append((("data",), problem))
    return folder / given


def _student(student: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What is a folder or a file here; what is none is a model's name on the hub, or a command in ``PATH``."""
    resolved = _if_here(student, "base_model", folder)
    engine = student.get("engine")
    return {**resolved, "engine": _if_here(engine, "python", folder)} if isinstance(engine, dict) else resolved


def _if_here(section: dict[str, Any], key: str, folder: Path) -> dict[str, Any]:
    given = section.get(key)
    if not isinstance(given, str) or _no_path(given, folder) or not (folder / given).exists():
        return section
    return {**section, key: str(folder / given)}


def _upstream(name: str, upstream: dict[str, Any], folder: Path, complaints: list[Complaint]) -> dict[str, Any]:
    given = upstream.get("verify_tls")
    if not isinstance(given, str):
        return upstream
    file = folder / given
    problem = _no_path(given, folder)
    if not problem and not file.is_file():
        problem = f"must be true, false or a PEM file, but the file {str(file)!r} does not exist"
    problem = problem or _no_authorities(file)
    if problem:
        complaints.append((("upstreams", name, "verify_tls"), problem))
    return {**upstream, "verify_tls": file}


def _no_authorities(file: Path) -> str | None:
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:
        return (
            f"must be a PEM file with certificates of authorities, but {str(file)!r} is none: {error.strerror or error}"
        )
    return None


def _no_path(given: str, folder: Path) -> str | None:
    if not given or "\0" in given:
        return f"is not a path: {given!r}"
    if given.startswith("~"):
        return f"begins with ~, which is not replaced here: write the path out, not {given!r}"
    try:
        (folder / given).stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        return f"cannot be used: {getattr(error, 'strerror', None) or error}, for {given!r}"
    return None
