from __future__ import annotations

import json
from pathlib import Path

import pytest

from nightschool.config.json_schema import json_schema
from nightschool.config.template import TEMPLATE
from tests.cli.command import Command

SECRET = "sk-very-secret"


def test_init_writes_a_file_that_check_finds_good(nightschool: Command) -> None:
    written = nightschool("init")
    checked = nightschool("check")

    assert Path("nightschool.yaml").read_text() == TEMPLATE
    assert written.code == 0
    assert written.out.splitlines()[:3] == [
        "wrote nightschool.yaml",
        "next: nightschool check",
        "      nightschool proxy",
    ]
    assert checked.code == 0
    assert checked.err == "nightschool.yaml: good\n"


def test_init_never_overwrites(nightschool: Command) -> None:
    Path("nightschool.yaml").write_text("mine")

    result = nightschool("init")

    assert result.code == 1
    assert "exists; it is left as it is" in result.err
    assert Path("nightschool.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    "arguments",
    [["deploy"], ["deploy/nightschool.yaml"], ["--config", "deploy/nightschool.yaml"]],
)
def test_init_takes_a_file_or_its_folder_and_says_how_to_use_it(nightschool: Command, arguments: list[str]) -> None:
    Path("deploy").mkdir()

    result = nightschool("init", *arguments)

    assert Path("deploy/nightschool.yaml").exists()
    assert "next: nightschool check --config deploy/nightschool.yaml" in result.out


def test_init_in_a_folder_that_is_not_there_is_a_problem(nightschool: Command) -> None:
    result = nightschool("init", "nowhere/nightschool.yaml")

    assert result.code == 1
    assert "nowhere/nightschool.yaml cannot be written: No such file or directory" in result.err


def test_check_prints_what_is_in_force_without_secrets(nightschool: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    Path("nightschool.yaml").write_text(
        "listen: 127.0.0.1:8080\n"
        "upstreams: {openai: {base_url: http://api.openai.com/v1, api_key: '${OPENAI_API_KEY}'}}\n"
    )

    plain = nightschool("check")
    as_json = nightschool("check", "--json")

    assert "listen: 127.0.0.1:8080  # line 1\n" in plain.out
    assert "api_key: ${OPENAI_API_KEY}  # line 2\n" in plain.out
    assert plain.err.startswith(
        "warning: upstreams.openai.base_url: requests and keys go to api.openai.com unencrypted"
    )
    described = json.loads(as_json.out)
    assert described["ok"] is True
    assert described["config"]["upstreams"]["openai"]["api_key"] == "${OPENAI_API_KEY}"
    assert described["lines"]["listen"] == 1
    assert len(described["warnings"]) == 1
    assert SECRET not in "".join([*plain[1:], *as_json[1:]])


def test_check_lists_every_fault_and_exits_with_1(nightschool: Command) -> None:
    Path("nightschool.yaml").write_text("upstreams: {a: {base_url: http://a}}\nlisten: 1\nworkload: {}\n")

    plain = nightschool("check")
    as_json = nightschool("check", "--json")

    assert (plain.code, as_json.code) == (1, 1)
    assert plain.err.splitlines() == [
        "nightschool: the configuration has 2 problems:",
        "  nightschool.yaml:2: listen: must be text (put it in quotes), but is 1",
        "  nightschool.yaml:3: workload: unknown key; did you mean 'workloads'?",
    ]
    assert json.loads(as_json.out) == {
        "ok": False,
        "file": "nightschool.yaml",
        "faults": [
            {"line": 2, "key": "listen", "message": "must be text (put it in quotes), but is 1"},
            {"line": 3, "key": "workload", "message": "unknown key; did you mean 'workloads'?"},
        ],
    }


def test_check_says_as_json_that_there_is_no_file(nightschool: Command) -> None:
    result = nightschool("check", "--json")

    assert result.code == 1
    assert (
        json.loads(result.out)["faults"][0]["message"] == "nightschool.yaml cannot be read: No such file or directory"
    )


def test_the_variable_names_the_configuration(nightschool: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("other.yaml").write_text("upstreams: {a: {base_url: http://a}}\n")
    monkeypatch.setenv("NIGHTSCHOOL_CONFIG", "other.yaml")

    assert nightschool("check").err == "other.yaml: good\n"


def test_schema_prints_the_json_schema(nightschool: Command) -> None:
    assert json.loads(nightschool("schema").out) == json_schema()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "student: {base_model: acme/Own-3B}\n",
            "warning: student.base_model: nobody can train or serve it: no format",
        ),
        ("student: {base_model: Qwen/Qwen2.5-7B}\n", ""),
        (
            "workloads: {w: {when: {path: '*'}, evaluate: {scorer: 'not_installed.here:f'}}}\n",
            "warning: workloads.w.evaluate.scorer: there is no module 'not_installed' here",
        ),
        ("workloads: {w: {when: {path: '*'}, evaluate: {scorer: 'json.decoder:f'}}}\n", ""),
    ],
)
def test_check_warns_of_models_and_modules_that_are_not_known_here(nightschool: Command, text: str, said: str) -> None:
    Path("nightschool.yaml").write_text("upstreams: {a: {base_url: https://a.example}}\n" + text)

    checked = nightschool("check")
    as_json = json.loads(nightschool("check", "--json").out)

    assert checked.code == 0
    assert [line[: len(said)] for line in checked.err.splitlines()[:-1]] == ([said] if said else [])
    assert len(as_json["warnings"]) == bool(said)
