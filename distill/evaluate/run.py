"""An evaluation from its beginning to its report.

    survey the test side -> make the replicas ready -> answers of every system -> marks -> figures -> report -> publish

Whatever is interrupted goes on: answers are kept as they come, and so are verdicts. The same again is not done again.
"""

from __future__ import annotations

import asyncio
import hashlib
import platform
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from distill.evaluate.answers import KeptAnswers, kept_answers
from distill.evaluate.bench import Bench, open_bench
from distill.evaluate.cases import Survey, chosen_cases, survey
from distill.evaluate.cautions import cautions
from distill.evaluate.engine import Ready, make_ready, open_replicas
from distill.evaluate.figures import Figures, figures_of
from distill.evaluate.generate import Generator, Room, System
from distill.evaluate.order import Order
from distill.evaluate.page import write_report
from distill.evaluate.result import (
    HTML,
    MANIFEST,
    MARKDOWN,
    ROWS,
    Dataset,
    Manifest,
    ScorerUsed,
    SystemUsed,
    evaluations_of,
    is_whole,
    only_run,
    publish,
    with_key,
    workplace,
)
from distill.evaluate.shots import draw
from distill.score.choose import Choice, choose
from distill.score.own import identity_of
from nightschool.digest import digest_of
from nightschool.store.durable import make_folder
from nightschool.wire import json_text

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], object]]]
_LOOKED_AT = 2_000
"""Test examples by which a scorer is chosen."""
_COMPARED = 20
"""Test examples by which it is told whether an engine writes prompts as students are taught."""
_FEWEST_TOKENS, _MOST_TOKENS = 64, 4_096


def evaluate(
    order: Order, *, again: bool = False, progress: Progress = lambda what, total: nullcontext(_nobody)
) -> Manifest:
    """Evaluate, and return what came of it; what was evaluated just so before is returned, unless ``again``.

    Where the judge had not said all, its limit or a failure being in the way, only that is done.
    """
    place = evaluations_of(order.data, order.workload)
    with only_run(place):
        run = _Run(order, place, progress)
        known = None if again else with_key(place, run.key)
        return known if known is not None and is_whole(known) else run.run(anew=again)


class _Run:
    """The steps, and what they leave for one another."""

    def __init__(self, order: Order, place: Path, progress: Progress) -> None:
        self._order, self._place, self._progress = order, place, progress
        self._started = datetime.now(UTC)
        self._choice = _choice(order)
        self._survey = survey(
            order.test_side,
            limit=order.limit,
            by_label=self._choice.name == "label",
            least_examples=order.least_examples,
        )
        self._shots = tuple(draw(order.test_side, order.settings.few_shot)) if order.settings.few_shot else ()
        self._max_tokens = order.settings.max_tokens or _room(self._survey)
        self.key = self._key()

    def run(self, *, anew: bool) -> Manifest:
        work = workplace(self._place, self.key, anew=anew)
        with kept_answers(work / "answers.jsonl") as kept:
            ready = asyncio.run(self._generate(kept))
            filled = work / "filled"
            shutil.rmtree(filled, ignore_errors=True)
            make_folder(filled)
            with open_bench(self._order, self._choice, self._place) as bench:
                asyncio.run(self._mark(kept, bench, filled / ROWS))
        figures = figures_of(filled / ROWS)
        manifest = self._manifest(ready, figures, bench, filled)
        write_report(manifest, figures, self._order.test_side, filled)
        files = {name: digest_of(filled / name) for name in (ROWS, HTML, MARKDOWN)}
        manifest = msgspec.structs.replace(manifest, files=files)
        (filled / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        publish(self._place, filled, manifest)
        return manifest

    async def _generate(self, kept: KeptAnswers) -> Ready:
        """Every answer that is missing, of all systems."""
        order, settings = self._order, self._order.settings
        candidates = [order.candidate, *([order.live] if order.live else [])]
        some = list(islice(chosen_cases(order.test_side, self._survey), _COMPARED))
        async with open_replicas(order.replicas, timeout_s=settings.timeout_s, width=settings.concurrency) as replicas:
            ready = await make_ready(replicas, candidates, some)
            room = Room(max_tokens=self._max_tokens, stop_token_ids=ready.stop_token_ids)
            price = order.student_price or order.prices.get(ready.base) or order.prices.get(order.candidate.base_model)
            generator = Generator(replicas, kept, room, width=settings.concurrency, price=price)
            for system in self._systems(ready.base):
                with self._progress(f"answers of {system.name}", self._taken) as bar:
                    count = _Count(bar)
                    await generator.answer(system, chosen_cases(order.test_side, self._survey), count)
        return ready

    async def _mark(self, kept: KeptAnswers, bench: Bench, path: Path) -> None:
        names = [system.name for system in self._systems("")]
        with self._progress("scores", self._taken * (len(names) + 1)) as bar:
            await bench.mark_all(
                names, lambda: chosen_cases(self._order.test_side, self._survey), self._survey, kept, path, _Count(bar)
            )

    def _systems(self, base: str) -> list[System]:
        """Those that are asked, the most interesting first: a budget may end before the last."""
        order = self._order
        systems = []
        if order.candidate.name is not None:
            systems.append(System(name="student", model=order.candidate.name))
        if order.live is not None and order.live.name is not None:
            systems.append(System(name="live", model=order.live.name))
        if self._shots:
            systems.append(System(name="few_shot", model=base, shots=self._shots))
        return [*systems, System(name="base", model=base)]

    @property
    def _taken(self) -> int:
        return self._survey.cases if self._survey.chosen is None else len(self._survey.chosen)

    def _key(self) -> str:
        order = self._order
        judging = order.judging
        told: list[Any] = [
            order.workload,
            order.dataset.hash,
            order.candidate.name,
            order.candidate.base_model,
            order.candidate.template_hash,
            order.live.name if order.live else None,
            identity_of(self._choice.name),
            order.settings.spans.model_dump(exclude_none=True),
            self._max_tokens,
            order.limit,
            self._survey.prompts,
            [shot.example for shot in self._shots],
            [judging.config.upstream, judging.config.model, judging.rubric] if judging else None,
        ]
        return hashlib.sha256(json_text.canonical(told)).hexdigest()

    def _manifest(self, ready: Ready, figures: Figures, bench: Bench, filled: Path) -> Manifest:
        order = self._order
        finished = datetime.now(UTC)
        truths = bench.truths
        digest = hashlib.sha256(f"{self.key}{digest_of(filled / ROWS)}{finished.isoformat()}".encode()).hexdigest()
        manifest = Manifest(
            id=f"{finished:%Y%m%d}-{digest[:12]}",
            key=self.key,
            workload=order.workload,
            started=self._started.isoformat(timespec="seconds"),
            finished=finished.isoformat(timespec="milliseconds"),
            dataset=Dataset(order.dataset.name, order.dataset.hash),
            adapter=order.candidate.name,
            base_model=order.candidate.base_model,
            format=order.candidate.format.name,
            template_hash=order.candidate.template_hash,
            scorer=ScorerUsed(*self._choice),
            truth=Counter(truths).most_common(1)[0][0],
            truths=truths,
            cases=self._survey.cases,
            taken=self._taken,
            prompts=list(self._survey.prompts),
            elsewhere=self._survey.elsewhere,
            systems=[
                SystemUsed(system.name, system.model, [shot.example for shot in system.shots])
                for system in self._systems(ready.base)
            ]
            + [SystemUsed("teacher")],
            settings={
                "max_tokens": self._max_tokens,
                "concurrency": order.settings.concurrency,
                "limit": order.limit,
                "temperature": 0,
                "spans": order.settings.spans.model_dump(exclude_none=True) or None,
            },
            judge=bench.judge_used(figures.calibration),
            measured={system.name: system.measured for system in figures.systems},
            problems={system.name: system.problems for system in figures.systems},
            warnings=ready.warnings,
            versions=_versions(ready),
        )
        return msgspec.structs.replace(
            manifest, warnings=[*ready.warnings, *cautions(manifest, figures, bench.no_judge)]
        )


class _Count:
    """Hears of each one that is done, and tells how many."""

    def __init__(self, bar: Callable[[int], object]) -> None:
        self._bar, self._done = bar, 0

    def __call__(self) -> None:
        self._done += 1
        self._bar(self._done)


def _choice(order: Order) -> Choice:
    return choose(_some_examples(order.test_side), order.settings.scorer)


def _some_examples(folder: Path) -> Iterable[Mapping[str, Any]]:
    left = _LOOKED_AT
    with pq.ParquetFile(folder / "test.parquet") as file:
        for batch in file.iter_batches(batch_size=64, columns=["messages", "learn"]):
            yield from batch.to_pylist()[:left]
            left -= batch.num_rows
            if left <= 0:
                return


def _room(survey: Survey) -> int:
    """Tokens for the longest answer and half as much again, at three bytes a token."""
    return min(max(survey.longest_answer // 2, _FEWEST_TOKENS), _MOST_TOKENS)


def _versions(ready: Ready) -> dict[str, str]:
    told = {"nightschool": version("nightschool"), "python": platform.python_version()}
    return told if ready.version is None else {**told, "vllm": ready.version}


def _nobody(done: int) -> None:
    """Hears nothing."""
