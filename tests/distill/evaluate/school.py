"""A store with traffic, a dataset of it, an adapter that is none, and evaluations of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from distill.dataset.settings import Settings
from distill.dataset.snapshot import DatasetManifest, find, folder_of
from distill.evaluate.candidate import base_alone, with_adapter
from distill.evaluate.judging import Judging
from distill.evaluate.order import Order
from distill.evaluate.result import ROWS, Manifest, evaluations_of
from distill.evaluate.run import evaluate
from nightschool.config import Evaluate, Judge, Upstream
from nightschool.formats import CHATML
from nightschool.record import Price
from nightschool.registry.adapters import publish
from nightschool.registry.manifest import AdapterManifest, Outcome, Source
from tests.distill.dataset.traffic import asked, built, file, says, user

BASE_MODEL = "somewhere/SmolLM2-135M-Instruct"
ADAPTER = "w--0123456789ab"
LABELS = ("billing", "refund", "technical", "other")
SETTINGS = Settings(min_examples=1, test_share=0.3)
SYSTEM = {"role": "system", "content": "You sort mail."}


def label_of(number: int) -> str:
    return LABELS[number % len(LABELS)]


def number_in(text: str) -> int:
    return int(text.rsplit(" ", 1)[1])


def sorted_mail(folder: Path, count: int = 200) -> DatasetManifest:
    """Mails with one of four answers each, priced and timed."""
    records = [
        asked(
            number,
            SYSTEM,
            user(f"please sort mail {number}"),
            answer=says(label_of(number)),
            cost_usd=0.002,
            latency_ms=800.0 + number,
            prompt_tokens=100,
            completion_tokens=2,
            model_served="teacher-model",
        )
        for number in range(count)
    ]
    file(folder, records)
    return built(folder, SETTINGS)


def an_adapter(folder: Path, dataset: str = "d") -> Path:
    """A folder as training would publish it, without weights in it."""
    publish(folder, manifest_of(BASE_MODEL, dataset), {"adapter_config.json": b"{}", "adapter_model.safetensors": b""})
    return folder / "adapters" / ADAPTER


def manifest_of(base_model: str, dataset: str = "d") -> AdapterManifest:
    """What an adapter says of itself."""
    return AdapterManifest(
        name=ADAPTER,
        workload="w",
        hash="0123456789ab" * 5,
        created="2026-11-25T00:00:00+00:00",
        base_model=base_model,
        base_revision="none",
        format=CHATML.name,
        template_hash=CHATML.template_hash,
        run="none",
        dataset=Source(name=dataset, hash="h", sequences=1, learned_tokens=1, too_long=0),
        settings=(),
        outcome=Outcome(steps=1, best_step=1, best_loss=None, tokens=1, seconds=1.0, stopped_early=False),
        versions={},
        files={},
    )


def order(
    folder: Path,
    url: str,
    *,
    student: bool = True,
    judge: str | None = None,
    models: dict[str, Any] | None = None,
    limit: int | None = None,
    **settings: Any,
) -> Order:
    """What to evaluate: the newest dataset of ``w`` with the adapter, answered by one replica."""
    judging = None
    if judge is not None:
        told = {"upstream": "judge", "model": "judge-model", **(models or {})}
        judging = Judging(Judge(**told), Upstream(base_url=judge), None)
    alone = base_alone(BASE_MODEL)
    return Order(
        data=folder,
        workload="w",
        dataset=find(folder, "w"),
        candidate=with_adapter(ADAPTER, an_adapter(folder), BASE_MODEL, CHATML.name, CHATML.template_hash)
        if student
        else alone,
        live=None,
        settings=Evaluate(**settings),
        replicas=[url],
        prices={BASE_MODEL: Price(0.1, 0.2)},
        judging=judging,
        limit=limit,
    )


def evaluated(folder: Path, url: str, **told: Any) -> Manifest:
    return evaluate(order(folder, url, **told))


def place(folder: Path, manifest: Manifest) -> Path:
    return evaluations_of(folder, "w") / manifest.id


def rows(folder: Path, manifest: Manifest, system: str | None = None) -> list[dict[str, Any]]:
    found = pq.read_table(place(folder, manifest) / ROWS).to_pylist()
    return [row for row in found if system is None or row["system"] == system]


def examples_of(folder: Path, manifest: DatasetManifest) -> list[dict[str, Any]]:
    return pq.read_table(folder_of(folder, manifest) / "test.parquet").to_pylist()


def text(answer: str) -> str:
    return str(json.loads(answer)["content"])
