"""Packages that only some commands need, as pyproject.toml groups them: which group has one, what is missing of one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, requires

_REQUIREMENT = re.compile(r"""([\w.-]+).*;.*\bextra == ['"]([\w-]+)['"]""")
_FOR_PEOPLE = ("distill", "console", "demo")
"""In the order in which they are proposed, where several have a package."""


def extra_of(module: str) -> str | None:
    """The extra that brings a module which cannot be imported; None for one that none of them brings."""
    package = _normal(module.partition(".")[0])
    having = {extra for name, extra in _requirements() if name == package}
    return next((extra for extra in _FOR_PEOPLE if extra in having), None)


def missing(extra: str) -> list[str]:
    """Packages of the extra that are not installed."""
    return [name for name, its in _requirements() if its == extra and not _installed(name)]


def installation(extra: str) -> str:
    """What to type."""
    return f"pip install '.[{extra}]' in the clone of nightschool"


def _requirements() -> Iterator[tuple[str, str]]:
    """Package and extra; none where nightschool is run from its files, without having been installed."""
    try:
        lines = requires("nightschool") or []
    except PackageNotFoundError:
        return
    for line in lines:
        if match := _REQUIREMENT.match(line):
            yield _normal(match[1]), match[2]


def _installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


def _normal(name: str) -> str:
    return name.replace("_", "-").lower()
