"""A vLLM server on the CPU: started from ``.venv-vllm``, waited for, ended.

    with running_engine(log=Path("engine.log")) as engine:
        OpenAI(base_url=engine.base_url, api_key="none")

The engine is a server in an environment of its own, never a library of ours: its command line and its port are all
that is shared.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from demo.child import child_process, last_lines
from nightschool.errors import NightschoolError
from nightschool.formats import CHATML

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
MODEL_NAME = "smollm2-135m"
MODEL_FOLDER = ROOT / ".demo" / "models" / "SmolLM2-135M-Instruct"
START_LIMIT_S = 240.0
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_TARGET_DEVICE": "cpu",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB; 2 048 tokens of this model need 0.1
}
MAX_LORA_RANK = 16
FAST_HERE = ("--max-model-len", "2048", "--dtype", "float32", "--enforce-eager")
"""Eager float32 is the fastest way on a CPU without bf16."""


class EngineError(NightschoolError):
    """The engine is not installed, did not start, or went away while it started."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine that answers."""

    base_url: str
    model: str
    start_s: float
    """What the start took."""


def why_missing() -> str | None:
    """Why no engine can be started here, as a phrase; None when one can."""
    if not PYTHON.exists():
        return f"there is no vLLM: {PYTHON.relative_to(ROOT)} does not exist"
    if not MODEL_FOLDER.exists():
        return f"there is no model: {MODEL_FOLDER.relative_to(ROOT)} does not exist"
    return None


@contextlib.contextmanager
def running_engine(
    *,
    log: Path,
    model: Path = MODEL_FOLDER,
    name: str = MODEL_NAME,
    students: bool = False,
    waiting: Callable[[float], None] = lambda seconds: None,
) -> Iterator[Engine]:
    """Start vLLM with a model folder on a free port of 127.0.0.1 and end it on the way out.

    For ``students`` it loads adapters while it runs, and writes prompts by the template that they are taught with.
    ``waiting`` is called about once a second with the seconds waited so far.
    """
    missing = why_missing()
    if missing:
        raise EngineError(missing, remedy="make model")
    port = free_port()
    environment = {**os.environ, **ENVIRONMENT}
    command = engine_command(port, model, name)
    if students:
        environment["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "True"
        command += ["--enable-lora", "--max-loras", "4", "--max-lora-rank", str(MAX_LORA_RANK)]
        command += ["--chat-template", CHATML.template_path]
    with child_process(command, log=log, env=environment, cwd=ROOT) as process:
        start_s = _wait_until_healthy(process, port, log, waiting)
        yield Engine(f"http://127.0.0.1:{port}/v1", name, start_s)


def engine_command(port: int, model: Path = MODEL_FOLDER, name: str = MODEL_NAME) -> list[str | Path]:
    """Hermes is the parser that needs no special token."""
    return [
        *(PYTHON, "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", model, "--served-model-name", name),
        *("--host", "127.0.0.1", "--port", str(port)),
        *FAST_HERE,
        *("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
    ]


def student_section(base_model: Path) -> dict[str, Any]:
    """`student:` of a configuration, with an engine that `nightschool serve` starts here."""
    engine = {
        "python": str(PYTHON),
        "port": free_port(),
        "max_rank": MAX_LORA_RANK,
        "arguments": list(FAST_HERE),
        "environment": ENVIRONMENT,
    }
    return {"base_model": str(base_model), "engine": engine, "first_token_s": 60.0}


def free_port() -> int:
    """A port that nobody listened on a moment ago: vLLM cannot be told to choose one and say which."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_healthy(
    process: subprocess.Popen[bytes], port: int, log: Path, waiting: Callable[[float], None]
) -> float:
    begin = time.monotonic()
    while (waited := time.monotonic() - begin) < START_LIMIT_S:
        if process.poll() is not None:
            raise EngineError(
                f"vLLM ended with status {process.returncode} while it started; the end of {log}:\n{last_lines(log)}",
                remedy="read the log; `make clean-engine model` installs the engine anew",
            )
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=5, trust_env=False).status_code == 200:
                return time.monotonic() - begin
        waiting(waited)
        time.sleep(1)
    raise EngineError(
        f"vLLM did not answer within {START_LIMIT_S:.0f} s; the end of {log}:\n{last_lines(log)}",
        remedy="free some CPU and memory (it needs about 4 GB) and try again",
    )
