"""What `make demo` writes and refuses, without the engine that it needs to run."""

from __future__ import annotations

from pathlib import Path

from demo.engine import MODEL_NAME
from demo.run import CONFIG_TEXT
from nightschool.config import load_config, warnings


def test_the_configuration_of_the_demo_loads_and_has_no_warnings(tmp_path: Path) -> None:
    file = tmp_path / "nightschool.yaml"
    file.write_text(CONFIG_TEXT.format(engine_url="http://127.0.0.1:1234/v1", model=MODEL_NAME))

    config = load_config(file, env={})

    assert config.upstreams["local"].base_url == "http://127.0.0.1:1234/v1"
    assert list(config.prices) == [MODEL_NAME]
    assert warnings(config) == []


def test_the_configuration_of_the_demo_redacts_the_mail_address_of_its_app(tmp_path: Path) -> None:
    file = tmp_path / "nightschool.yaml"
    file.write_text(CONFIG_TEXT.format(engine_url="http://127.0.0.1:1234/v1", model=MODEL_NAME))

    (rule,) = load_config(file, env={}).record.redact

    assert rule.pattern.sub(rule.replacement, "Mail jane@example.com: what is") == "Mail [email]: what is"
