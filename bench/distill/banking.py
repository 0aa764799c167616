"""The banking77 task: questions to a bank, each with one of 77 intents; the test split is the official one."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

from bench.distill.plan import Run
from bench.distill.redaction import DATA, ROWS, SEED
from bench.distill.task import Case, Counts, Message, Task
from bench.proxy.failure import BenchFailure
from demo.upstream.behaviour import Behaviour

FOLDER = DATA / "banking77"
MODEL = "scripted-teacher"
SYSTEM = "Sort the customer's question. Answer with its intent and nothing else, one of: {intents}."


def banking77(run: Run) -> Task:
    """The teacher answers with the intent of the data set."""
    if not FOLDER.is_dir():
        raise BenchFailure(f"there are no questions: {FOLDER} does not exist")
    traffic, held_out = _questions(FOLDER / "train.csv"), _questions(FOLDER / "test.csv")
    intents = sorted(set(held_out.values()))
    system = {"role": "system", "content": SYSTEM.format(intents=", ".join(intents))}

    def case(question: str, intent: str) -> Case:
        messages = [system, {"role": "user", "content": question}]
        answer = {"role": "assistant", "content": intent}
        return Case({"model": MODEL, "messages": messages, "temperature": 0}, answer, answer)

    def judge(answer: Message | None, truth: Message) -> tuple[Counts, bool]:
        said = "" if answer is None else str(answer.get("content") or "").strip()
        return Counts(int(said == truth["content"]), 1, 1), said in intents

    roll = random.Random(SEED)
    asked = [pair for pair in roll.sample(sorted(traffic.items()), len(traffic)) if pair[0] not in held_out]
    scored = roll.sample(sorted(held_out.items()), len(held_out))[: run.scored]
    return Task(
        workload="intent",
        when={"system_prompt": "^Sort the customer's question"},
        traffic=[case(*pair) for pair in asked[: run.rows]],
        held_out={ROWS: [case(*pair) for pair in scored]},
        teacher=_teacher(traffic),
        judge=judge,
        most_tokens=22,
    )


def _questions(path: Path) -> dict[str, str]:
    """Intent by question; a question that comes again keeps its first intent."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [(row["text"].strip(), row["category"]) for row in csv.DictReader(file)]
    return dict(reversed(rows))


def _teacher(intents: dict[str, str]) -> Any:
    def answer(request: dict[str, Any]) -> Behaviour:
        intent = intents.get(request["messages"][-1]["content"])
        return Behaviour(status=400) if intent is None else Behaviour(deltas=(intent,))

    return answer
