"""The tables of the documents are the code's: columns, metrics, configurations."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nightschool.config import Config, load_config, warnings
from nightschool.store.schema import EXCHANGES
from proxy.metrics import Metrics
from tests.docs.documents import DOCUMENTS, ROOT, blocks, headings

EXAMPLES = sorted((ROOT / "deploy").glob("*.yaml"))
SHOWN = [(document, block) for document in DOCUMENTS for block in blocks(document, "yaml") if "upstreams:" in block]


def loaded(text: str, folder: Path) -> Config:
    """The configuration, with a value for every variable that it names."""
    file = folder / "nightschool.yaml"
    file.write_text(text)
    return load_config(file, dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "a-secret"))


def test_every_metric_has_a_heading_and_every_heading_a_metric() -> None:
    exposition = Metrics().exposition().decode()
    names = {name for name in re.findall(r"^# TYPE (\S+)", exposition, re.MULTILINE) if not name.endswith("_created")}

    documented = {heading for heading in headings(ROOT / "docs" / "metrics.md") if heading.startswith("nightschool_")}

    assert documented == names


def test_every_column_is_documented_in_the_order_of_the_table() -> None:
    section = (ROOT / "docs" / "recording.md").read_text().split("## Columns")[1].split("\n## ")[0]

    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == EXCHANGES.names


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_shipped_configuration_loads_without_a_warning(example: Path, tmp_path: Path) -> None:
    """But compose's, which listens for more than one machine, inside of a container."""
    said = warnings(loaded(example.read_text(), tmp_path))

    meant = "listen: ANYONE" if example.name == "compose-config.yaml" else "nothing"
    assert [text for text in said if not text.startswith(meant)] == []


@pytest.mark.parametrize(("document", "block"), SHOWN, ids=lambda value: getattr(value, "name", "block"))
def test_every_configuration_shown_in_the_documents_loads(document: Path, block: str, tmp_path: Path) -> None:
    assert loaded(block, tmp_path).upstreams, document
