"""The configuration -> what is to be evaluated, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.dataset.prompts import LEAST_EXAMPLES
from distill.dataset.snapshot import DatasetManifest, folder_of
from distill.evaluate.candidate import Candidate, NoBaseModel, base_alone, with_adapter
from distill.evaluate.judging import Judging
from nightschool.config import Config, Evaluate
from nightschool.prices import prices_of, student_price_of
from nightschool.record import Price
from nightschool.registry import adapters


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be evaluated, and how."""

    data: Path
    workload: str
    dataset: DatasetManifest
    candidate: Candidate
    live: Candidate | None
    """The adapter that answers now; None where there is none, or where it is the candidate."""
    settings: Evaluate
    replicas: Sequence[str]
    prices: Mapping[str, Price]
    student_price: Price | None = None
    judging: Judging | None
    limit: int | None = None
    least_examples: int = LEAST_EXAMPLES
    """Of a prompt on the test side, for its cases to count: the student would answer no others."""

    @property
    def test_side(self) -> Path:
        return folder_of(self.data, self.dataset)


def order_of(
    config: Config,
    workload: str,
    dataset: DatasetManifest,
    candidate: Candidate,
    *,
    live: Candidate | None = None,
    replicas: Sequence[str] | None = None,
    limit: int | None = None,
) -> Order:
    """``replicas``: those to ask, if not all that the configuration names."""
    return Order(
        data=config.data,
        workload=workload,
        dataset=dataset,
        candidate=candidate,
        live=live,
        settings=config.evaluate_of(workload),
        replicas=config.student.servers if replicas is None else replicas,
        prices=prices_of(config),
        student_price=student_price_of(config),
        judging=_judging(config, workload),
        limit=limit,
        least_examples=min(LEAST_EXAMPLES, config.promote_of(workload).min_rows),
    )


def candidate_of(data: Path, workload: str, name: str | None = None) -> Candidate:
    """An adapter by its name, or a piece of it; without it the newest. Its files are checked; raises AdapterDamaged."""
    folder = adapters.folder_of(data, adapters.find_adapter(data, workload, name))
    manifest = adapters.check_files(folder)
    return with_adapter(manifest.name, folder, manifest.base_model, manifest.format, manifest.template_hash)


def newest_or_base(config: Config, workload: str) -> Candidate:
    """The newest adapter; the base model alone where there is none yet."""
    if adapters.adapters_of(config.data, workload):
        return candidate_of(config.data, workload)
    return base_of(config, workload)


def base_of(config: Config, workload: str) -> Candidate:
    """The base model alone. Raises NoBaseModel."""
    if config.student.base_model is None:
        raise NoBaseModel(workload)
    return base_alone(config.student.base_model)


def _judging(config: Config, workload: str) -> Judging | None:
    judge = config.evaluate_of(workload).judge
    if judge is None:
        return None
    return Judging(judge, config.upstreams[judge.upstream], prices_of(config).get(judge.model))
