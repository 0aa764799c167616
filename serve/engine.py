"""The vLLM server of this machine: its command line, and what is said where it cannot be started.

The engine is a server in an environment of its own, never a library of ours.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path

from nightschool.config import Engine
from nightschool.engine.base import last_part
from nightschool.engine.replica import ReplicaError
from nightschool.formats import format_for

_QUIET = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
"""Nobody is told that it runs, unless the configuration says otherwise."""


def engine_command(engine: Engine, base_model: str) -> list[str]:
    """Raises ReplicaError where there is no such Python, and UnknownFamily for a model that no format fits."""
    format = format_for(base_model)
    return [
        *(_python(engine), "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", base_model, "--served-model-name", last_part(base_model)),
        *("--host", "127.0.0.1", "--port", str(engine.port)),
        *("--enable-lora", "--max-loras", str(engine.max_adapters), "--max-lora-rank", str(engine.max_rank)),
        *("--chat-template", str(format.template_path)),
        *("--enable-auto-tool-choice", "--tool-call-parser", format.tool_parser),
        "--disable-uvicorn-access-log",  # it is asked every second how it is; what clients ask is in the store
        *engine.arguments,
    ]


def engine_environment(engine: Engine, secrets: Collection[str] = ()) -> dict[str, str]:
    """Ours but for what holds one of ``secrets``, what lets adapters be loaded, and what the configuration sets."""
    ours = {name: value for name, value in os.environ.items() if value not in secrets}
    return {**ours, **_QUIET, **engine.environment, "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"}


def _python(engine: Engine) -> str:
    found = shutil.which(str(engine.python))
    if found is None:
        raise ReplicaError(
            f"`student.engine.python` is {str(engine.python)!r}, and there is no such program",
            remedy="name the Python of the environment in which vLLM is installed, such as .venv-vllm/bin/python",
        )
    return str(Path(found).absolute())
