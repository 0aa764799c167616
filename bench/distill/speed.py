"""Training speed and memory beside TRL's SFTTrainer: the same rows, model, batch and LoRA, by turns.

    python -m bench.distill.speed [--rounds 3] [--rows 64] [--threads 2] [--json FILE]

A token is one of a prompt or a completion, whoever computes it how: the sum over all examples that a step learns from,
without padding, divided by the seconds of the training, without loading. What many prompts begin with is computed once
per batch by us and once per example by TRL, so two kinds of rows are measured: the redaction task with its system
prompt and tool, and the same texts without them, where nothing is shared.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from bench.distill import redaction, trl_python
from bench.distill.plan import Run
from bench.distill.school import DATASET_SETTINGS, nightschool
from bench.distill.task import Case, Task
from bench.distill.traffic import CONFIG, PROGRAM, configure
from bench.figure import Figure, Spread, add_json_option, print_figures, write_figures
from bench.proxy.failure import BenchFailure
from demo.engine import MODEL_FOLDER
from nightschool.formats import format_for, render_completion, render_prompt

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "bench" / ".work" / "distill-speed"
BATCH = 8
TRAINING = {
    "epochs": 1,
    "learning_rate": 1e-3,
    "rank": 16,
    "dropout": 0,
    "batch_examples": BATCH,
    "row_tokens": 2_048,
    "precision": "float32",
}
"""A batch in one row, so that what its prompts have in common is computed once."""
RATIO = 1.3


class Cost(NamedTuple):
    """Of one training."""

    tokens_per_s: float
    peak_bytes: int


class Pair(NamedTuple):
    """Both in one round."""

    ours: Cost
    trl: Cost


def main(argv: Sequence[str] | None = None) -> int:
    """0 when the targets are met; raises ``BenchFailure`` where there is no TRL."""
    arguments = _parse(argv)
    if (why := trl_python.why_missing()) is not None:
        raise BenchFailure(why)
    shutil.rmtree(WORK, ignore_errors=True)
    kinds = {"system prompt and tool in common": _redaction(arguments.rows), "nothing in common": _bare(arguments.rows)}
    found: list[Figure] = []
    for number, (kind, task) in enumerate(kinds.items()):
        folder = WORK / str(number)
        rows = _prepare(task, folder)
        rounds = []
        for turn in range(1, arguments.rounds + 1):
            pair = Pair(_ours(task, folder, turn, arguments.threads), _trl(folder, turn, arguments.threads))
            print(f"{kind}, round {turn}: {_told(pair)}", file=sys.stderr, flush=True)
            rounds.append(pair)
        print(f"{kind}: {len(rows)} rows, {arguments.threads} threads", file=sys.stderr, flush=True)
        found += compared(kind, rounds)
    write_figures(arguments.json, found, versions={"TRL": trl_python.version()})
    return print_figures("training", found)


def _redaction(rows: int) -> Task:
    return redaction.presidio(Run(task="presidio", rows=rows))


def _bare(rows: int) -> Task:
    """Only the text, and the arguments as text."""
    task = _redaction(rows)

    def bare(case: Case) -> Case:
        answer = {"role": "assistant", "content": case.truth["tool_calls"][0]["function"]["arguments"]}
        return Case({**case.request, "messages": case.request["messages"][-1:], "tools": None}, answer, answer)

    return replace(task, workload="bare", when={"model": "*"}, traffic=[bare(case) for case in task.traffic])


def _prepare(task: Task, folder: Path) -> list[dict[str, str]]:
    """Import the traffic, build the dataset, and write the rows that both learn from as texts."""
    folder.mkdir(parents=True)
    _configure(task, folder, seed=1)
    pairs = folder / "traffic.jsonl"
    pairs.write_text("".join(json.dumps({"request": c.request, "response": c.truth}) + "\n" for c in task.traffic))
    nightschool(folder, "logs", "import", str(pairs), "--workload", task.workload, "--json")
    name = nightschool(folder, "dataset", "build", task.workload, "--json")["name"]
    side = folder / "data" / "datasets" / task.workload / name / "train.parquet"
    examples = pq.read_table(side, columns=["messages", "tools"]).to_pylist()
    rows = [row_of(json.loads(each["messages"]), json.loads(each["tools"] or "null")) for each in examples]
    (folder / "rows.json").write_text(json.dumps(rows))
    return rows


def row_of(messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]] | None) -> dict[str, str]:
    """A conversation as the texts that a student reads and writes; the last message is the answer."""
    format = format_for(MODEL_FOLDER if MODEL_FOLDER.exists() else MODEL_FOLDER.name)
    *prompt, answer = messages
    completion = render_completion(answer, format) + format.end_of_turn
    return {"prompt": render_prompt(prompt, tools, format), "completion": completion}


def _configure(task: Task, folder: Path, *, seed: int) -> None:
    """With another seed a training is another one, and is not taken for done."""
    configure(task, folder, "http://127.0.0.1:9/v1", {**DATASET_SETTINGS, **TRAINING, "seed": seed})


def _ours(task: Task, folder: Path, turn: int, threads: int) -> Cost:
    _configure(task, folder, seed=turn)
    command = [PROGRAM, "train", task.workload, "--json", "--config", str(folder / CONFIG)]
    printed, peak = _run(command, folder / "train.log", threads)
    return Cost(printed["tokens_per_s"], peak)


def _trl(folder: Path, turn: int, threads: int) -> Cost:
    program = Path(__file__).with_name("trl_trainer.py")
    command = [
        str(part) for part in (trl_python.TRL_PYTHON, program, MODEL_FOLDER, folder / "rows.json", folder / "trl")
    ]
    printed, peak = _run([*command, "--batch", str(BATCH), "--seed", str(turn)], folder / "trl.log", threads)
    return Cost(printed["tokens"] / printed["seconds"], peak)


def _run(command: list[str], log: Path, threads: int) -> tuple[dict[str, Any], int]:
    """What it prints last, and the most memory that it held."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    with log.open("wb") as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout is not None
        try:
            printed = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                process.kill()
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise BenchFailure(f"{' '.join(command)} ended with status {process.returncode}:\n{tail}")
    found: dict[str, Any] = json.loads(printed[printed.index(b"{") :])
    return found, usage.ru_maxrss * 1024


def _told(pair: Pair) -> str:
    return ", ".join(
        f"{name} {cost.tokens_per_s:.0f} tokens/s {cost.peak_bytes / 2**20:,.0f} MiB"
        for name, cost in zip(("nightschool", "TRL"), pair, strict=True)
    )


def compared(kind: str, rounds: Sequence[Pair]) -> list[Figure]:
    """Medians over the rounds; ratios are those within a round."""
    speed = Spread.of(pair.ours.tokens_per_s / pair.trl.tokens_per_s for pair in rounds)
    memory = Spread.of(pair.ours.peak_bytes / pair.trl.peak_bytes for pair in rounds)
    return [
        Figure(
            f"training beside TRL, {kind}: tokens/s",
            f"{_medians(rounds, 0, 1)}; {speed.median:.2f} x",
            target=f">= {RATIO} x",
            met=speed.median >= RATIO,
            spread=speed,
        ),
        Figure(
            f"training beside TRL, {kind}: peak memory, MiB",
            f"{_medians(rounds, 1, 2**20)}; {memory.median:.2f} x",
            target="<= 1 x",
            met=memory.median <= 1,
            spread=memory,
        ),
    ]


def _medians(rounds: Sequence[Pair], field: int, unit: int) -> str:
    ours, trl = (statistics.median(pair[who][field] for pair in rounds) / unit for who in (0, 1))
    return f"{ours:,.0f}, TRL {trl:,.0f}"


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.distill.speed", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    add_json_option(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchFailure as failure:
        sys.exit(f"bench: {failure}")
