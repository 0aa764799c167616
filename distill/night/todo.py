"""What a night has to do: train another student, have the last one judged again, or nothing.

    never judged · made otherwise · other labels · new answers  -> train
    other criteria or scorer · a test side that has grown       -> judge, if it was not let pass
    else                                                        -> nothing

Told by what the datasets hold, not by how much: with `distill.max_examples`, or with retention, as much leaves as
comes.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from distill.dataset.learned import Answers, answers_of, changed_labels, new_answers
from distill.dataset.snapshot import DatasetManifest, datasets_of, folder_of
from distill.evaluate.order import candidate_of
from distill.evaluate.result import manifests_of
from distill.gate.criteria import criteria_of
from distill.gate.dossier import DossierError, dossiers_of, read_dossier
from distill.night.report import Report, reports_of
from distill.score.own import identity_of
from distill.train.settings import TrainSettings
from nightschool.config import Config
from nightschool.errors import NightschoolError
from nightschool.registry.adapters import adapters_of
from nightschool.registry.routing import read_routing

LEAST_NEW_SHARE = 0.02
"""Of the answers that the newest student has learned from: with fewer new ones a night trains no other."""
LEAST_OF_NEEDED = 0.5
"""Of the test groups that the gate has asked for, an estimate that is rather too high: with fewer it judges no more."""

_STAMP = len("20261125T020000")
"""Of a dossier's name: its time, to the second."""


class Todo(NamedTuple):
    """One of the three, and why."""

    what: Literal["train", "judge", "nothing"]
    why: str
    adapter: str | None = None
    """To be judged again."""


class _Last(NamedTuple):
    """The newest student, which a night has judged."""

    adapter: str
    report: Report
    learned: DatasetManifest
    tested: DatasetManifest
    """Its last judgement's: a student may be judged by a later dataset than it has learned."""


def todo(config: Config, workload: str, dataset: DatasetManifest) -> Todo:
    """``dataset``: just built."""
    last = _last(config.data, workload)
    if last is None:
        return Todo("train", "no student is there that a night has judged")
    if (why := _made_otherwise(config, workload, last.report) or _other_labels(config.data, last, dataset)) is not None:
        return Todo("train", why)
    new, known = _new_to(config.data, last, dataset)
    told = f"{new:,} new answers since {last.adapter}, which has learned {known:,}"
    if new >= max(1, LEAST_NEW_SHARE * known):
        return Todo("train", told)
    if (why := _worth_judging(config, workload, last, dataset)) is None:
        return Todo("nothing", f"{told}: too few for another one")
    if (why_not := _unfit(config.data, workload, last, dataset)) is not None:
        return Todo("train", f"{why}, and {last.adapter} cannot be judged again: {why_not}")
    return Todo("judge", why, last.adapter)


def made_by(config: Config, workload: str) -> dict[str, Any]:
    """What the configuration says of how students are made; the rest follows from the dataset."""
    distill = config.distill_of(workload)
    given = {
        name: getattr(distill, name) for name in TrainSettings.__struct_fields__ if name in distill.model_fields_set
    }
    settings = {name: value for name, value in given.items() if value not in (None, "auto")}
    return {"base_model": config.student.base_model, **settings}


def scored_by(config: Config, workload: str) -> dict[str, Any]:
    """What the configuration says of how answers are scored; the rest follows from the data. Raises UnknownScorer."""
    evaluate = config.evaluate_of(workload)
    scorer = evaluate.scorer and identity_of(evaluate.scorer)
    return {"scorer": scorer, **evaluate.spans.model_dump(exclude_none=True)}


def _last(data: Path, workload: str) -> _Last | None:
    """None also where its dataset is gone, so that nobody can tell what it has learned."""
    adapters = adapters_of(data, workload)
    if not adapters:
        return None
    newest = adapters[-1]
    report = next((each for each in reversed(reports_of(data, workload)) if each.adapter == newest.name), None)
    datasets = {each.name: each for each in datasets_of(data, workload)}
    if report is None or (learned := datasets.get(newest.dataset.name)) is None:
        return None
    return _Last(newest.name, report, learned, datasets.get(report.dataset or "", learned))


def _made_otherwise(config: Config, workload: str, report: Report) -> str | None:
    now, before = made_by(config, workload), report.made_by
    if before is None or now == before:
        return None
    changed = [name for name in (*now, *before) if now.get(name) != before.get(name)]
    told = [f"{name} was {before.get(name, 'left out')} and is {now.get(name, 'left out')}" for name in changed]
    return "; ".join(dict.fromkeys(told))


def _other_labels(data: Path, last: _Last, dataset: DatasetManifest) -> str | None:
    if not any(side.labelled for each in (last.learned, dataset) for side in each.sides.values()):
        return None
    sides = ("train", "test")
    before, now = _answers(data, last.learned, *sides), _answers(data, dataset, *sides)
    changed = changed_labels(before, now)
    return f"{changed:,} labels are other than those that {last.adapter} has learned" if changed else None


def _new_to(data: Path, last: _Last, dataset: DatasetManifest) -> tuple[int, int]:
    """Answers to learn that the student has not learned, and how many it has."""
    known = last.learned.sides["train"].answers
    if dataset.name == last.learned.name:
        return 0, known
    return new_answers(_answers(data, last.learned, "train"), _answers(data, dataset, "train")), known


def _worth_judging(config: Config, workload: str, last: _Last, dataset: DatasetManifest) -> str | None:
    """Why the gate may decide otherwise now. Never by the same rows, scorer and criteria: that proves nothing new."""
    report, criteria = last.report, criteria_of(config.promote_of(workload))
    grown = dataset.sides["test"].groups - last.tested.sides["test"].groups
    refused = report.outcome in ("undecided", "rejected")
    if refused and report.criteria not in (None, criteria):
        why = f"the gate asks for something else than when it judged {last.adapter}"
    elif refused and report.scored_by not in (None, scored_by(config, workload)):
        why = f"answers are scored otherwise than when {last.adapter} was judged"
    elif report.outcome == "undecided" and report.rows_needed and grown >= LEAST_OF_NEEDED * report.rows_needed:
        why = f"{grown:,} more test groups since {last.adapter} was judged; about {report.rows_needed:,} were missing"
    else:
        return None
    return None if _elsewhere(config, workload, last) or _shadow_decided(config.data, workload, last) else why


def _elsewhere(config: Config, workload: str, last: _Last) -> bool:
    """Others decide on it: audits, a person, or the shadow. An undecided candidate without a shadow has only nights."""
    students = read_routing(config.data).students_of(workload)
    candidate = students.candidate
    if candidate is not None and not candidate.qualified and not _has_shadow(config, workload, last):
        students = msgspec.structs.replace(students, candidate=None)
    return last.adapter in (*students.wanted(), *students.withdrawn)


def _has_shadow(config: Config, workload: str, last: _Last) -> bool:
    """There is none where a judge has judged the evaluation, or no prompt had enough test examples to be asked with."""
    known = manifests_of(config.data, workload, last.adapter)
    able = any(each.id == last.report.evaluation and each.judge is None and each.prompts for each in known)
    return able and config.promote_of(workload).shadow > 0


def _shadow_decided(data: Path, workload: str, last: _Last) -> bool:
    """The shadow goes on judging an undecided student by new rows, and what it has decided counts."""
    begin = Path(last.report.dossier or "").name[:_STAMP]
    for path in dossiers_of(data, workload).glob("*.json"):
        with suppress(DossierError):  # of a damaged one nothing can be told
            if path.name >= begin and read_dossier(path).subject.get("shadow", {}).get("adapter") == last.adapter:
                return True
    return False


def _unfit(data: Path, workload: str, last: _Last, dataset: DatasetManifest) -> str | None:
    """Groups that have grown together may have brought to the test side what the student was taught."""
    taught, test = _answers(data, last.learned, "train", "validation"), _answers(data, dataset, "test")
    if known := int(np.isin(test.prompts, taught.prompts).sum()):
        return f"it was taught {known:,} of the test answers"
    try:
        candidate_of(data, workload, last.adapter)
    except NightschoolError as error:
        return error.problem
    return None


def _answers(data: Path, dataset: DatasetManifest, *sides: str) -> Answers:
    return answers_of([folder_of(data, dataset) / f"{side}.parquet" for side in sides])
