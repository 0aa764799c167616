"""Two workloads in one configuration, a night each, two adapters on one vLLM, each asked for its own.

    python -m bench.two_nights [--redactions N] [--questions N] [--json FILE]

Redaction (presidio-research) and intents (banking77), recorded through one proxy, taught by `nightschool distill`, and
served by `nightschool serve` with vLLM on this machine's CPU, then asked by turns through the proxy. It is about who
answers; how well, is printed beside it. The nights are small: where the gate is not satisfied, as it should be then,
`promote --force` lets the student answer all the same, and the output says so.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import openai

from bench.distill.banking import banking77
from bench.distill.plan import Run
from bench.distill.redaction import presidio
from bench.distill.task import Case, Task
from bench.figure import Figure, add_json_option, print_figures, write_figures
from bench.proxy.failure import BenchFailure
from demo.child import child_process, last_lines
from demo.engine import MODEL_FOLDER, ROOT, free_port, student_section
from demo.run import NIGHTSCHOOL, environment, proxy_in
from demo.scripted_upstream import upstream_in_thread
from demo.upstream.behaviour import Behaviour
from nightschool.registry.replicas import read_replicas
from nightschool.registry.routing import read_routing

WORK = ROOT / "bench" / ".work" / "two-nights"
HELD_OUT = 20
"""Questions of each task that are asked at the end."""
_READY_WITHIN_S = 300.0


def main() -> int:
    arguments = _parse()
    try:
        tasks = [
            presidio(Run(task="presidio", rows=arguments.redactions, wrong_types=0.15, scored=HELD_OUT)),
            banking77(Run(task="banking77", rows=arguments.questions, scored=HELD_OUT)),
        ]
        figures = _measure(tasks)
    except BenchFailure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    write_figures(arguments.json, figures)
    return print_figures("two workloads, a night each, two adapters on one vLLM", figures)


def _measure(tasks: list[Task]) -> list[Figure]:
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    config = WORK / "nightschool.yaml"
    with upstream_in_thread(answer=_teacher(tasks)) as upstream:
        config.write_text(json.dumps(_config(tasks, upstream.base_url), indent=1))
        with proxy_in(config, WORK / "proxy.log") as url:
            _record(tasks, url)
            serve: list[str | Path] = [NIGHTSCHOOL, "serve", "--config", config]
            with child_process(serve, log=WORK / "serve.log", env=environment(), cwd=ROOT, patience_s=60):
                adapters = {task.workload: _night(task.workload, config) for task in tasks}
                _wait_for(adapters)
                figures = _ask(tasks, url, adapters)
                _nightschool(config, "routes")
    return figures


def _config(tasks: list[Task], teacher_url: str) -> dict[str, Any]:
    taught = {"min_examples": 50, "test_share": 0.1, "epochs": 1, "learning_rate": 1e-3, "rank": 16, "dropout": 0}
    return {
        "listen": f"127.0.0.1:{free_port()}",
        "data": "./data",
        "upstreams": {"teacher": {"base_url": teacher_url}},
        "student": student_section(MODEL_FOLDER),
        "workloads": {
            task.workload: {
                "when": task.when,
                "distill": {**taught, "batch_examples": 8, "while_serving": "pause"},
                "evaluate": {"few_shot": 0},
                "promote": {"min_rows": 20, "nights": 1, "margin": 0.1, "ramp": [100], "teacher_share": 0, "audit": 0},
            }
            for task in tasks
        },
    }


def _teacher(tasks: list[Task]) -> Any:
    """Whoever has an answer."""

    def answer(request: dict[str, Any]) -> Behaviour | None:
        told = [each for task in tasks if (each := task.teacher(request)) is not None and each.status == 200]
        return told[0] if told else Behaviour(status=400)

    return answer


def _record(tasks: list[Task], url: str) -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        for task in tasks:
            for case in task.traffic:
                client.chat.completions.create(**case.request)
            print(f"{len(task.traffic):,} exchanges of {task.workload} recorded", flush=True)


def _night(workload: str, config: Path) -> str:
    begin = time.monotonic()
    told = json.loads(_nightschool(config, "distill", workload, "--json", quiet=True))
    print(f"night of {workload}: {told['outcome']} after {(time.monotonic() - begin) / 60:.1f} min: {told['told']}")
    adapter = str(told["adapter"])
    if told["outcome"] != "promoted":
        _nightschool(config, "promote", workload, "--adapter", adapter, "--force", "--reason", "two nights")
    return adapter


def _wait_for(adapters: dict[str, str]) -> None:
    """Until one server holds them all, and proxies know it."""
    deadline = time.monotonic() + _READY_WITHIN_S
    while not all(read_replicas(WORK / "data").ready_with(adapter) for adapter in adapters.values()):
        if time.monotonic() > deadline:
            raise BenchFailure(f"vLLM did not get ready:\n{last_lines(WORK / 'serve.log')}")
        time.sleep(0.5)
    time.sleep(2.0)
    routing = read_routing(WORK / "data")
    held = read_replicas(WORK / "data").replicas[0].adapters
    print(f"one vLLM holds {', '.join(held)}; revision {routing.revision} of the routing state")


def _ask(tasks: list[Task], url: str, adapters: dict[str, str]) -> list[Figure]:
    """Held-out questions by turns."""
    cases = [list(next(iter(task.held_out.values()))) for task in tasks]
    answered: Counter[tuple[str, str]] = Counter()
    right: Counter[str] = Counter()
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=300) as client:
        for turn in zip(*cases, strict=True):
            for task, case in zip(tasks, turn, strict=True):
                who, is_right = _one(client, task, case)
                answered[task.workload, who] += 1
                right[task.workload] += is_right
    wrong = sum(count for (workload, who), count in answered.items() if who not in (adapters[workload], "teacher"))
    return [
        *(
            Figure(f"{workload}: answered by {'its student' if who == adapters[workload] else who}", f"{count}")
            for (workload, who), count in sorted(answered.items())
        ),
        *(Figure(f"{workload}: wholly right", f"{right[workload]} of {HELD_OUT}") for workload in adapters),
        Figure("answered by another workload's adapter", f"{wrong}", "0", not wrong),
    ]


def _one(client: openai.OpenAI, task: Task, case: Case) -> tuple[str, bool]:
    request = {**case.request, "max_tokens": task.most_tokens}
    try:
        raw = client.chat.completions.with_raw_response.create(**request)
    except openai.BadRequestError:  # the student failed, and its scripted teacher does not know this question
        return "teacher", False
    counts, _ = task.judge(raw.parse().choices[0].message.model_dump(), case.truth)
    who = raw.headers.get("x-nightschool-adapter") or raw.headers["x-nightschool-target"]
    return who, counts.right == counts.said == counts.true


def _nightschool(config: Path, *words: str, quiet: bool = False) -> str:
    done = subprocess.run(
        [NIGHTSCHOOL, *words, "--config", config], env=environment(), stdout=subprocess.PIPE, text=True
    )
    if not quiet:
        print(done.stdout, end="", flush=True)
    if done.returncode != 0:
        raise BenchFailure(f"nightschool {' '.join(words)} ended with status {done.returncode}")
    return done.stdout


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.two_nights", description=__doc__)
    parser.add_argument("--redactions", type=int, default=400, metavar="N")
    parser.add_argument("--questions", type=int, default=800, metavar="N")
    add_json_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
