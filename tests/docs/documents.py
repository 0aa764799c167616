"""The project's own documents, cut into the pieces that can be held to the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(document: Path, language: str) -> Iterator[str]:
    """The code blocks of one language."""
    for match in _BLOCK.finditer(document.read_text()):
        if match[1] == language:
            yield match[2]


def headings(document: Path) -> list[str]:
    """Without marks and backticks, outside of code blocks."""
    prose = _BLOCK.sub("", document.read_text())
    return [match[1].replace("`", "") for match in re.finditer(r"^#+ (.*)$", prose, re.MULTILINE)]


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
