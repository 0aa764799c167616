"""One client script as a process of its own, and what came of it: outcomes, and requests at the upstream."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.seen import Seen

ROOT = Path(__file__).parents[2]
API_KEY = "sk-conformance"
PATIENCE_S = 180.0
_QUIET = {
    "LANGSMITH_TRACING": "false",
    "PYTHONWARNINGS": "ignore",
    "NODE_NO_WARNINGS": "1",
    "AI_SDK_LOG_WARNINGS": "false",
}


@dataclass(frozen=True)
class Client:
    """A script and the interpreter that runs it."""

    name: str
    command: Sequence[str | Path]


@dataclass(frozen=True)
class Run:
    """What a client saw, and what the upstream saw of it."""

    version: str
    outcomes: Mapping[str, Any]
    faults: Mapping[str, str]
    """Behaviours that the script itself could not show, with the traceback."""
    seen: Sequence[Seen] = field(repr=False)


class ClientFailed(Exception):
    """A client script ended with an error; the message holds the end of what it said."""


def run(client: Client, base_url: str, upstream: ScriptedUpstream) -> Run:
    """Run the script against ``base_url``, behind which ``upstream`` answers."""
    before = len(upstream.seen)
    try:
        done = subprocess.run(
            [str(part) for part in client.command],
            cwd=ROOT,
            env=_environment(base_url),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ClientFailed(f"not done within {PATIENCE_S:.0f} s") from error
    lines = [json.loads(line) for line in done.stdout.replace(base_url, "BASE").splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise ClientFailed(f"exit code {done.returncode}:\n{done.stderr[-2000:]}")
    return Run(
        version=lines[0]["version"],
        outcomes={line["behaviour"]: line["outcome"] for line in lines[1:] if "fault" not in line},
        faults={line["behaviour"]: line["fault"] for line in lines[1:] if "fault" in line},
        seen=upstream.seen[before:],
    )


def _environment(base_url: str) -> dict[str, str]:
    """The caller's, without what would lead the client elsewhere."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy")
        and not name.startswith(("OPENAI_", "AZURE_", "LANGCHAIN_", "LANGSMITH_"))
    }
    return {**inherited, **_QUIET, "OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": API_KEY}
