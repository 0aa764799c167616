"""A data folder with mail that a teacher has sorted, and nights over it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from distill.night.run import Plan, run_night
from nightschool.config import Config
from nightschool.registry.routing import read_routing
from tests.distill.dataset.traffic import asked, file, says, user
from tests.distill.evaluate.school import BASE_MODEL, SYSTEM, label_of, number_in
from tests.serve.adapters import adapter

Message = dict[str, Any]


def knows_all(model: str, messages: list[Message]) -> str:
    return label_of(number_in(messages[-1]["content"]))


def knows_nothing(model: str, messages: list[Message]) -> str:
    return "?"


class School:
    """A data folder with mail that a teacher has sorted, and nights over it; training publishes an adapter at once."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url, self.trained = folder, url, 0
        self.distill: dict[str, Any] = {"min_examples": 50, "test_share": 0.3}
        self.base_model = BASE_MODEL
        self.evaluate: dict[str, Any] = {}
        self.judge: str | None = None
        """Where one is, by its URL."""

    def mail(self, count: int, first: int = 0, *, system: Callable[[int], Message] = lambda number: SYSTEM) -> None:
        """``system``: the system message of each, by its number."""
        file(
            self.folder,
            [
                asked(number, system(number), user(f"please sort mail {number}"), answer=says(label_of(number)))
                for number in range(first, first + count)
            ],
        )

    def night(self, *, again: bool = False, train: Callable[[str], str] | None = None, **promote: Any) -> str:
        return run_night(self.plan(again=again, train=train, **promote)).outcome

    def plan(self, *, again: bool = False, train: Callable[[str], str] | None = None, **promote: Any) -> Plan:
        return Plan(
            config=self.config(**promote),
            workload="w",
            train=train or self.train,
            say=lambda line: None,
            progress=lambda what, total: nullcontext(lambda done: None),
            again=again,
        )

    def config(self, **promote: Any) -> Config:
        return Config.model_validate(self.plain(**promote))

    def plain(self, **promote: Any) -> dict[str, Any]:
        """As the file would say it."""
        rules = {"min_rows": 20, "nights": 1, "margin": 0.1, "slices": {"min_rows": 1000}, **promote}
        judge = {"upstream": "judge", "model": "judge-model"}
        upstreams = {"judge": {"base_url": self.judge}} if self.judge else {}
        return {
            "data": str(self.folder),
            "upstreams": {"teacher": {"base_url": "http://127.0.0.1:9/v1"}, **upstreams},
            "default_upstream": "teacher",
            "student": {"base_model": self.base_model, "replicas": [self.url]},
            "workloads": {
                "w": {
                    "when": {"path": "*"},
                    "distill": self.distill,
                    "promote": rules,
                    "evaluate": {**self.evaluate, **({"judge": judge} if self.judge else {})},
                }
            },
        }

    def train(self, dataset: str) -> str:
        """As training does: the same dataset and settings give the same adapter, whose manifest names the dataset."""
        self.trained += 1
        made_of = f"{dataset} {self.distill.get('rank', '')} {self.base_model}".strip()
        number = int.from_bytes(made_of.encode(), "big") % 1_000_003
        return adapter(self.folder, number, dataset=dataset, created=f"2026-11-25T{self.trained:02}:00:00+00:00").name

    @property
    def answering(self) -> list[tuple[str, float]]:
        return [(each.adapter, each.share) for each in read_routing(self.folder).students_of("w").answering()]
