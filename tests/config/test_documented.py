"""docs/configuration.md is complete, has nothing that is not there, names the real defaults, and its examples load."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from nightschool.config import Config, load_config
from nightschool.config.section import Section
from tests.config.files import UPSTREAM, write

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ENV = dict.fromkeys(("OPENAI_API_KEY", "AZURE_OPENAI_KEY", "GATEWAY_TOKEN", "SLACK_WEBHOOK"), "value")
ENTRIES = {"clients": "<name>", "upstreams": "<name>", "workloads": "<name>", "prices": "<model>"}
INNER = {"tag": ".<key>", "header": ".<name>"}


def _keys(section: type[Section], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in section.model_fields.items():
        key = f"{prefix}{field.alias or name}{INNER.get(name, '')}"
        yield key, field
        if key == "upstreams.<name>.timeouts":
            continue  # the same keys as below `timeouts`
        for inner in _sections(field.annotation):
            step = f".{ENTRIES[key]}." if key in ENTRIES else "[]." if key == "record.redact" else "."
            yield from _keys(inner, f"{key}{step}")


def _sections(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _sections(argument)


KEYS = dict(_keys(Config))


def _paragraphs() -> dict[str, str]:
    parts = re.split(r"^### `(.+)`$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_key_has_a_heading_and_every_heading_is_a_key() -> None:
    assert sorted(_paragraphs()) == sorted(KEYS)


@pytest.mark.parametrize("key", [key for key, field in KEYS.items() if isinstance(field.default, str | int | float)])
def test_the_page_names_the_default(key: str) -> None:
    default = KEYS[key].default
    text = default if isinstance(default, str) else json.dumps(default)

    assert f"Default: `{text.removesuffix('.0')}`" in " ".join(_paragraphs()[key].split())


@pytest.mark.parametrize(
    "key",
    [key for key, field in KEYS.items() if field.default is PydanticUndefined and field.is_required()],
)
def test_what_must_be_given_has_no_default_on_the_page(key: str) -> None:
    assert "Default:" not in _paragraphs()[key]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_loads(tmp_path: Path, example: str) -> None:
    text = example if "upstreams:" in example else UPSTREAM + example

    assert load_config(write(tmp_path, text), ENV).upstreams


def test_every_link_leads_to_a_heading() -> None:
    anchors = {
        re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }

    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors
