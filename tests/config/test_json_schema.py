from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nightschool.config import load_config
from nightschool.config.json_schema import json_schema
from nightschool.config.template import TEMPLATE
from nightschool.config.yaml_file import read_yaml
from tests.config.files import NO_ENV, UPSTREAM, write

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(file for folder in ("deploy", "demo", "docs") for file in (ROOT / folder).rglob("*.yaml"))


def complaints(folder: Path, text: str) -> list[str]:
    root, faults = read_yaml(write(folder, text))
    assert faults == []
    return [error.message for error in jsonschema.Draft202012Validator(json_schema()).iter_errors(root.plain())]


def test_the_schema_is_a_valid_one_that_serialises() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(json.dumps(json_schema())))


def test_the_template_loads_and_agrees_with_the_schema(tmp_path: Path) -> None:
    assert complaints(tmp_path, TEMPLATE) == []
    assert load_config(write(tmp_path, TEMPLATE), NO_ENV).upstreams["openai"].api_key is None


def test_every_commented_part_of_the_template_is_right_too(tmp_path: Path) -> None:
    lines = [line.replace("# ", "", 1) if line.lstrip().startswith("# ") else line for line in TEMPLATE.splitlines()]
    full = "\n".join(lines[2:])
    env = {"OPENAI_API_KEY": "a", "AZURE_OPENAI_KEY": "b"}

    config = load_config(write(tmp_path, full), env)

    assert complaints(tmp_path, full) == []
    assert list(config.upstreams) == ["openai", "azure-eu"]
    assert list(config.workloads) == ["support-triage"]
    assert config.record.redact
    assert config.prices


def _is_configuration(file: Path) -> bool:
    root, _ = read_yaml(file)
    return isinstance(root.value, dict) and "upstreams" in root.value


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_shipped_configuration_agrees_with_the_schema_and_loads(tmp_path: Path, file: Path) -> None:
    if not _is_configuration(file):
        pytest.skip("no configuration of ours")
    text = file.read_text()
    env = {name: "value" for name in _variables(text)}

    assert complaints(tmp_path, text) == []
    assert load_config(file, env).upstreams


def _variables(text: str) -> Iterator[str]:
    return (part.split("}")[0] for part in text.split("${")[1:])


@pytest.mark.parametrize(
    "text",
    [
        "listen: 127.0.0.1:80",
        "upstreams: {}",
        "upstreams: {A: {base_url: http://a}}",
        "upstreams: {a: {}}",
        "upstreams: {a: {base_url: 'http://a?x'}}",
        "upstreams: {a: {base_url: http://a, api_key: sk-x}}",
        "upstreams: {a: {base_url: http://a, kind: other}}",
        UPSTREAM + "nonsense: 1",
        UPSTREAM + "listen: 8080",
        UPSTREAM + "workers: 0",
        UPSTREAM + "workloads: {a: {when: {}}}",
        UPSTREAM + "workloads: {a: {when: {modl: x}}}",
        UPSTREAM + "record: {redact: [{pattern: a}]}",
        UPSTREAM + "timeouts: {idle_s: 0}",
    ],
)
def test_an_editor_sees_what_loading_would_refuse(tmp_path: Path, text: str) -> None:
    assert complaints(tmp_path, text) != []


def test_dotted_conditions_are_known_to_editors(tmp_path: Path) -> None:
    text = UPSTREAM + "workloads: {a: {when: {tag.team: x, header.X-Job: y}}}"

    assert complaints(tmp_path, text) == []


def _described(schema: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    for name, section in {"": schema, **schema["$defs"]}.items():
        for key, value in section["properties"].items():
            yield f"{name}.{key}", "description" in value or "$ref" in value


def test_every_key_has_a_description() -> None:
    assert [key for key, described in _described(json_schema()) if not described] == []
