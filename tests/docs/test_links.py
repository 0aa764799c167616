"""Links between documents, and the tree in the README, lead to what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.documents import DOCUMENTS, ROOT, anchor, blocks, headings

LINK = re.compile(r"\]\(([^)\s]+)\)|\bsrc=\"([^\"]+)\"")
TREE_LINE = re.compile(r"^( *)(\S+)  +\S")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_inside_the_project_leads_somewhere(document: Path) -> None:
    links = [match[1] or match[2] for match in LINK.finditer(document.read_text())]
    inside = [link for link in links if "://" not in link]

    assert [link for link in inside if not leads_somewhere(document, link)] == []


def leads_somewhere(document: Path, link: str) -> bool:
    path, _, fragment = link.partition("#")
    target = document.parent / path if path else document
    return target.exists() and (not fragment or fragment in {anchor(heading) for heading in headings(target)})


def test_every_name_in_the_tree_of_the_readme_exists() -> None:
    (tree,) = blocks(ROOT / "README.md", "text")
    names = [line.split()[0] for line in tree.splitlines() if TREE_LINE.match(line)]

    assert len(names) >= 8
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_every_package_is_in_the_tree_of_the_readme() -> None:
    (tree,) = blocks(ROOT / "README.md", "text")
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert packages - set(re.findall(r"^(\w+)/", tree, re.MULTILINE)) == set()
