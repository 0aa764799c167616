"""A real engine: vLLM with the small model, an adapter that is loaded while it runs, and the model as a judge."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from demo.engine import MODEL_FOLDER, MODEL_NAME, Engine, running_engine, why_missing
from distill.evaluate.candidate import with_adapter
from distill.evaluate.order import Order
from distill.evaluate.result import HTML
from distill.evaluate.run import evaluate
from distill.judge.judge import Counts, Judged
from nightschool.formats import CHATML
from nightschool.registry.adapters import publish
from tests.distill.dataset.traffic import asked, built, calls, file, tool, user
from tests.distill.evaluate.school import ADAPTER, SETTINGS, manifest_of, order, place, rows
from tests.distill.judge.court import judged, pair, verdicts

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(900),
    pytest.mark.skipif(why_missing() is not None, reason=why_missing() or ""),
]
LAYERS, WIDTH, RANK = 30, 576, 8
PAIRS = 4
TOOLS = [tool("colour", hue="string"), tool("number", value="string")]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(log=tmp_path_factory.mktemp("engine") / "engine.log", students=True) as engine:
        yield engine


def prepared(folder: Path, engine: Engine, *, limit: int) -> Order:
    """Traffic with and without tools, and a LoRA that changes something: small random weights."""
    questions = [
        asked(
            n,
            user(f"Which colour has number {n}?"),
            answer=calls("colour", '{"hue": "red"}'),
            body={"tools": TOOLS} if n % 2 else None,
        )
        for n in range(60)
    ]
    file(folder, questions)
    built(folder, SETTINGS)
    chance = np.random.default_rng(1)
    shapes = {"lora_A": (RANK, WIDTH), "lora_B": (WIDTH, RANK)}
    weights = {
        f"base_model.model.model.layers.{layer}.self_attn.q_proj.{part}.weight": chance.normal(0, 0.2, shape).astype(
            np.float32
        )
        for layer in range(LAYERS)
        for part, shape in shapes.items()
    }
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(MODEL_FOLDER),
        "r": RANK,
        "lora_alpha": 2 * RANK,
        "target_modules": ["q_proj"],
        "bias": "none",
    }
    files = {"adapter_model.safetensors": save(weights), "adapter_config.json": json.dumps(config).encode()}
    publish(folder, manifest_of(str(MODEL_FOLDER)), files)
    wanted = order(folder, engine.base_url, student=False, limit=limit, max_tokens=24, few_shot=2)
    adapter = folder / "adapters" / ADAPTER
    return replace(
        wanted, candidate=with_adapter(ADAPTER, adapter, str(MODEL_FOLDER), CHATML.name, CHATML.template_hash)
    )


def test_a_student_is_loaded_and_answers_otherwise_than_the_base(engine: Engine, tmp_path: Path) -> None:
    manifest = evaluate(prepared(tmp_path, engine, limit=8))

    answers = {name: [row["answer"] for row in rows(tmp_path, manifest, name)] for name in ("student", "base")}
    assert len(answers["student"]) == len(answers["base"]) == 8
    assert answers["student"] != answers["base"]
    assert all(row["completion_tokens"] for row in rows(tmp_path, manifest, "few_shot"))
    assert "vllm" in manifest.versions
    assert not any("/tokenize" in warning for warning in manifest.warnings)
    assert "refused_by_engine" not in str(manifest.problems)
    assert (place(tmp_path, manifest) / HTML).stat().st_size > 10_000


def test_a_judge_that_is_killed_in_the_middle_asks_nothing_twice(engine: Engine, tmp_path: Path) -> None:
    """What it thinks is of no use at this size; that it is asked, read and remembered is."""
    program = (
        "import sys; from pathlib import Path; from tests.flow.test_evaluate import judge_all;"
        "judge_all(Path(sys.argv[1]), sys.argv[2])"
    )
    run = subprocess.Popen([sys.executable, "-c", program, str(tmp_path), engine.base_url])
    journal = tmp_path / "verdicts.jsonl"
    while run.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") >= 2):
        time.sleep(0.1)
    run.kill()
    run.wait()
    known = journal.read_bytes().count(b"\n")

    results, counts = judge_all(tmp_path, engine.base_url)

    assert 2 <= known < 2 * PAIRS
    assert counts.known == known
    assert len(verdicts(tmp_path)) == 2 * PAIRS
    assert all(result.score is not None or str(result.problem).startswith("judge_") for result in results)
    assert judge_all(tmp_path, engine.base_url)[1].asked == 0


def judge_all(folder: Path, base_url: str) -> tuple[list[Judged], Counts]:
    pairs = [pair(number, f"The answer is {number}.", "I do not know.") for number in range(PAIRS)]
    return judged(folder, base_url, pairs, model=MODEL_NAME, timeout_s=240.0)
