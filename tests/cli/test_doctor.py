from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.cli.command import Command


def configure(base_url: str, more: str = "") -> None:
    Path("nightschool.yaml").write_text(f"upstreams: {{a: {{base_url: '{base_url}'{more}}}}}\n")


def test_a_healthy_installation_has_no_problem(nightschool: Command, upstream: str) -> None:
    configure(f"{upstream}/200")

    result = nightschool("doctor")

    assert result.code == 0
    assert "ok       configuration: nightschool.yaml\n" in result.out
    assert f"upstream a ({upstream}/200): status 200 in" in result.out
    assert not Path("nightschool-data").exists()


def test_a_bad_configuration_is_a_problem_with_its_faults(nightschool: Command) -> None:
    Path("nightschool.yaml").write_text("nonsense: 1\n")

    result = nightschool("doctor")

    assert result.code == 1
    assert "problem  the configuration has 2 problems:" in result.out
    assert "nightschool.yaml:1: nonsense: unknown key" in result.out


def test_an_upstream_that_is_not_there_is_a_problem(nightschool: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    configure(f"http://127.0.0.1:{port}/v1")

    result = nightschool("doctor")

    assert result.code == 1
    assert f"problem  upstream a (http://127.0.0.1:{port}/v1): " in result.out


def test_a_key_that_the_upstream_refuses_is_a_problem(
    nightschool: Command, upstream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "wrong-key")
    configure(f"{upstream}/200", more=", api_key: '${KEY}'")

    result = nightschool("doctor")

    assert result.code == 1
    assert "status 401" in result.out
    assert "the upstream refuses this api_key" in result.out
    assert "wrong-key" not in result.out


def test_a_file_without_certificates_is_a_problem(nightschool: Command) -> None:
    Path("ca.pem").write_text("nothing")
    configure("https://127.0.0.1:1/v1", more=", verify_tls: ca.pem")

    result = nightschool("doctor")

    assert result.code == 1
    assert "verify_tls: must be a PEM file with certificates of authorities" in result.out


def test_json_says_the_same(nightschool: Command, upstream: str) -> None:
    configure(f"{upstream}/503")

    report = json.loads(nightschool("doctor", "--json").out)

    assert report["ok"] is True
    assert {finding["level"] for finding in report["findings"]} <= {"ok", "warning"}
    assert report["findings"][-1]["remedy"] == "the upstream has a problem of its own; try again later"
