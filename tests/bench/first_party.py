"""What a module of the project imports of the project."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("bench", "cli", "console", "demo", "distill", "nightschool", "proxy", "serve")


def imported_by(root: Path, module: str) -> set[Path]:
    """Files, seen from ``root``: its own, those that it imports, and so on. Of a package also its ``__main__``."""
    found: set[Path] = set()
    waiting = [module, f"{module}.__main__"]
    while waiting:
        path = _file_of(root, waiting.pop())
        if path is not None and path not in found:
            found.add(path)
            waiting += _imports((root / path).read_text())
    return found


def _file_of(root: Path, module: str) -> Path | None:
    path = Path(*module.split("."))
    return next((each for each in (path.with_suffix(".py"), path / "__init__.py") if (root / each).exists()), None)


def _imports(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in PACKAGES)
