from __future__ import annotations

import json
from pathlib import Path

import pytest

from nightschool.config import read_config, resolved, resolved_yaml
from nightschool.errors import ConfigError
from tests.config.files import UPSTREAM, faults, load, write

SECRET = "sk-8f3a-very-secret"
KEYED = """\
upstreams:
  openai:
    base_url: https://api.openai.com/v1
    api_key: ${OPENAI_API_KEY}
    headers: {X-Auth-Token: "token ${GATEWAY}", X-Team: support}
"""
ENV = {"OPENAI_API_KEY": SECRET, "GATEWAY": f"{SECRET}-2"}


def test_variables_are_replaced_in_api_key_and_headers(tmp_path: Path) -> None:
    openai = load(tmp_path, KEYED, ENV).upstreams["openai"]

    assert openai.api_key is not None
    assert openai.api_key.get_secret_value() == SECRET
    assert dict(openai.headers) == {"X-Auth-Token": f"token {SECRET}-2", "X-Team": "support"}


def test_no_way_of_printing_shows_a_secret(tmp_path: Path) -> None:
    loaded = read_config(write(tmp_path, KEYED), ENV)
    config = loaded.config

    printed = [
        repr(config),
        str(config),
        str(config.upstreams["openai"]),
        config.model_dump_json(),
        str(config.model_dump()),
        resolved_yaml(loaded),
        json.dumps(resolved(loaded)),
        repr(loaded),
    ]

    assert not [text for text in printed if SECRET in text]
    assert "api_key: ${OPENAI_API_KEY}" in resolved_yaml(loaded)


@pytest.mark.parametrize(
    "written",
    [
        f"api_key: {SECRET}",
        f"api_key: [{SECRET}]",
        f"api_key: {{a: {SECRET}}}",
        f"api_key: 'Bearer ${{OPENAI_API_KEY}} {SECRET}'",
        f"headers: {{Authorization: Bearer {SECRET}}}",
        f"headers: {{x-goog-api-key: {SECRET}}}",
        f"headers: {{X-Auth-Token: {SECRET}}}",
        f"headers: {{Host: {SECRET}}}",
        f"base_url: https://user:{SECRET}@host/v1",
        f"base_url: https://host/v1?key={SECRET}",
        f"apikey: {SECRET}",
        f"api_key: {SECRET}\n  tabs:\n\t- {SECRET}",
    ],
)
def test_no_complaint_repeats_what_may_be_a_secret(tmp_path: Path, written: str) -> None:
    base_url = "" if written.startswith("base_url") else "  base_url: https://api.openai.com/v1\n"
    file = write(tmp_path, f"upstreams:\n openai:\n{base_url.replace('  ', '  ', 1)}  {written}\n")

    with pytest.raises(ConfigError) as caught:
        read_config(file, ENV)

    assert SECRET not in str(caught.value)


def test_a_number_as_a_key_is_not_repeated_either(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, "upstreams: {a: {base_url: http://a, api_key: 123456789}}")

    assert found.startswith("1: upstreams.a.api_key: must not stand in the file")
    assert "123456789" not in found


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        ({}, "the environment variable K is not set; export it before the start"),
        ({"K": ""}, "the environment variable K is empty; export it before the start"),
        (
            {"K": "a\nb"},
            "the environment variable K holds a line break, a space at an end, or what no header can carry",
        ),
        (
            {"K": "key "},
            "the environment variable K holds a line break, a space at an end, or what no header can carry",
        ),
        ({"K": "käy"}, "the environment variable K holds a line break, a space at an end, or what no header can carry"),
    ],
)
def test_a_variable_without_a_usable_value_is_named(tmp_path: Path, env: dict[str, str], problem: str) -> None:
    text = "upstreams: {a: {base_url: http://a, api_key: '${K}'}}"

    assert faults(tmp_path, text, env) == [f"1: upstreams.a.api_key: {problem}"]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("listen: '${K}'", "listen"),
        ("data: '${HOME}/data'", "data"),
        ("data: '${HOME:-/root}/data'", "data"),
        ("workloads: {w: {when: {model: '${K}'}}}", "workloads.w.when.model"),
        ("record: {redact: [{pattern: '${K}', with: x}]}", "record.redact[0].pattern"),
        ("prices: {m: '${K}'}", "prices.m"),
    ],
)
def test_variables_are_refused_everywhere_else(tmp_path: Path, line: str, key: str) -> None:
    (found,) = faults(tmp_path, UPSTREAM + line, {"K": "1", "HOME": "/root"})

    assert found.startswith(f"2: {key}: holds ${{, but only api_key and headers of an upstream may")


def test_only_the_plain_form_of_a_variable_is_replaced_in_headers(tmp_path: Path) -> None:
    text = "upstreams: {a: {base_url: http://a, headers: {X-A: '${K:-default}'}}}"

    assert faults(tmp_path, text, {"K": "1"}) == [
        "1: upstreams.a.headers.X-A: has a ${ that is not of the form ${NAME}; nothing else is replaced"
    ]


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ("{Host: a}", "Host: is set by the proxy or its client; leave it out"),
        ("{X-Nightschool-Id: a}", "X-Nightschool-Id: is set by the proxy or its client; leave it out"),
        ("{'X A': a}", "X A: is not a header name: letters, digits and '-' only"),
        ("{X-A: a, x-a: b}", "x-a: is given twice; names of headers do not differ by case"),
        ('{X-A: "a\\nb"}', "X-A: has a line break or a character that no header can carry"),
        ("{X-A: ä}", "X-A: has a line break or a character that no header can carry"),
        ("{X-A: 5}", "X-A: must be text (put it in quotes), but is 5"),
        ("{api-key: '${K}'}", "api-key: is already set by api_key; keep one of the two"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused(tmp_path: Path, headers: str, problem: str) -> None:
    text = f"upstreams: {{a: {{base_url: http://a, api_key: '${{K}}', headers: {headers}}}}}"

    assert faults(tmp_path, text, {"K": "1"}) == [f"1: upstreams.a.headers.{problem}"]
