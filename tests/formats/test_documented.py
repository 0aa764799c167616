"""docs/formats.md says what the code does."""

from __future__ import annotations

import re
from typing import get_args

from nightschool.errors import UnrenderableReason
from nightschool.formats import FORMATS
from tests.docs.documents import ROOT, blocks

DOCUMENT = ROOT / "docs" / "formats.md"


def test_every_reason_is_documented() -> None:
    documented = re.findall(r"^\| `(\w+)` \| [^|]* \|$", DOCUMENT.read_text(), re.MULTILINE)

    assert documented == list(get_args(UnrenderableReason))


def test_every_format_is_documented() -> None:
    text = DOCUMENT.read_text().replace("\\|", "PIPE")  # as a table wants it
    rows = re.findall(r"^\| `(\w+)` \| .* \| `(.*)` \| `(.*)` \| `(\w+)` \|$", text, re.MULTILINE)

    assert [tuple(cell.replace("PIPE", "|") for cell in row) for row in rows] == [
        (format.name, f"nightschool/formats/{format.name}.jinja", format.end_of_turn, format.tool_parser)
        for format in FORMATS
    ]


def test_the_example_runs_as_it_is_shown() -> None:
    (example,) = blocks(DOCUMENT, "python")
    names: dict[str, object] = {}
    setup, *shown = (
        example.partition("render_prompt(question")[0],
        *re.findall(r"^(.*?)  # (.*)$", example, re.MULTILINE),
    )

    exec(setup, names)

    assert len(shown) == 2
    for expression, value in shown:
        assert repr(eval(expression, names)) == value
