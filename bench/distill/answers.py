"""Requests -> assistant messages of the base model or a student, by the program that generates."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.distill.task import Case
from bench.proxy.failure import BenchFailure
from demo.engine import MODEL_FOLDER
from nightschool.errors import Unparsable
from nightschool.formats import format_for, parse, render_prompt


def ask(
    cases: Sequence[Case], folder: Path, *, adapter: Path | None, most_tokens: int, threads: int
) -> list[dict[str, Any] | None]:
    """None where the answer cannot be read. Prompts and texts of the answers stay in ``folder``."""
    format = format_for(MODEL_FOLDER)
    prompts, answers, log = folder / "prompts.json", folder / "answers.json", folder / "generate.log"
    prompts.write_text(
        json.dumps([render_prompt(case.request["messages"], case.request.get("tools"), format) for case in cases])
    )
    command: list[str | Path] = [sys.executable, "-m", "bench.distill.generate", "--base", MODEL_FOLDER]
    command += ["--adapter", adapter] if adapter else []
    command += ["--stop", format.end_of_turn, "--most-tokens", str(most_tokens), "--threads", str(threads)]
    command += [prompts, answers]
    with log.open("wb") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT)
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise BenchFailure(f"the generation ended with status {done.returncode}:\n{tail}")
    return [_message(text) for text in json.loads(answers.read_text())]


def _message(text: str) -> dict[str, Any] | None:
    try:
        return parse(text)
    except Unparsable:
        return None
