"""The command line of an engine says all that a student depends on, and what cannot be started is said before."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import pytest

from nightschool.config import Engine, load_config
from nightschool.engine.replica import ReplicaError
from nightschool.errors import UnknownFamily
from nightschool.formats import LLAMA3
from serve.engine import engine_command, engine_environment

BASE = "meta-llama/Meta-Llama-3-8B-Instruct"


def test_it_names_the_model_the_template_the_parser_and_the_room_for_adapters() -> None:
    engine = Engine(python=Path(sys.executable), port=8123, max_rank=16, arguments=("--max-model-len", "4096"))

    words = engine_command(engine, BASE)

    pairs = dict(pairwise(words))
    assert words[:3] == [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    assert (pairs["--model"], pairs["--served-model-name"]) == (BASE, "Meta-Llama-3-8B-Instruct")
    assert (pairs["--host"], pairs["--port"]) == ("127.0.0.1", "8123")
    assert (pairs["--max-loras"], pairs["--max-lora-rank"], pairs["--max-model-len"]) == ("4", "16", "4096")
    assert (pairs["--chat-template"], pairs["--tool-call-parser"]) == (str(LLAMA3.template_path), "hermes")
    assert {"--enable-lora", "--enable-auto-tool-choice"} <= set(words)


def test_its_log_has_no_line_for_every_second_in_which_it_is_asked_how_it_is() -> None:
    assert "--disable-uvicorn-access-log" in engine_command(Engine(python=Path(sys.executable)), BASE)


def test_adapters_can_be_loaded_at_run_time_whatever_the_configuration_sets() -> None:
    given = {"VLLM_TARGET_DEVICE": "cpu", "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "False"}

    variables = engine_environment(Engine(environment=given))

    assert variables["VLLM_TARGET_DEVICE"] == "cpu"
    assert variables["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "True"
    assert "PATH" in variables


def test_an_engine_is_not_given_the_keys_of_upstreams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "OPENAI_API_KEY": "sk-1",
        "TENANT": "t-2",
        "HOOK": "https://hook/3",
        "HF_TOKEN": "hf-4",
    }.items():
        monkeypatch.setenv(name, value)
    text = """
        upstreams:
          openai: {base_url: "https://api", api_key: "${OPENAI_API_KEY}", headers: {X-Auth: "Tenant ${TENANT}"}}
        notify: {webhook: "${HOOK}"}
    """
    (tmp_path / "nightschool.yaml").write_text(dedent(text))

    variables = engine_environment(Engine(), load_config(tmp_path / "nightschool.yaml", os.environ).secrets())

    assert variables.keys() & {"OPENAI_API_KEY", "TENANT", "HOOK"} == set()
    assert variables["HF_TOKEN"] == "hf-4"


def test_a_python_that_is_not_there_is_named() -> None:
    with pytest.raises(ReplicaError, match=r"'/nowhere/python', and there is no such program"):
        engine_command(Engine(python=Path("/nowhere/python")), BASE)


def test_a_model_of_no_known_family_is_refused() -> None:
    with pytest.raises(UnknownFamily):
        engine_command(Engine(python=Path(sys.executable)), "org/gpt-j")
