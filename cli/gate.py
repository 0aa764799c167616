"""`nightschool gate`: whether a student may answer, and how that was decided."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import ConfigOption, JsonOption, configured

if TYPE_CHECKING:
    from distill.gate.criteria import Criteria, Criterion
    from distill.gate.evidence import Evidence

PairsOption = Annotated[
    Path | None,
    typer.Option(
        "--pairs",
        metavar="FILE.csv",
        help="Judge any two systems from a file with the columns group,teacher,student and perhaps slice.",
        show_default=False,
    ),
]
ReplayOption = Annotated[
    Path | None,
    typer.Option(
        "--replay", metavar="DOSSIER", help="Decide again what a dossier holds, and compare.", show_default=False
    ),
]
CriterionOption = Annotated[
    str | None, typer.Option("--criterion", metavar="parity|beat", help="What must be shown.", show_default=False)
]
MarginOption = Annotated[
    float | None,
    typer.Option("--margin", metavar="M", help="Loss of mean score that is tolerated (parity).", show_default=False),
]
AlphaOption = Annotated[
    float | None,
    typer.Option(
        "--alpha",
        metavar="A",
        help="Risk of this one decision; evidence of 1/A is needed. Without it 0.05 over 30 nights: evidence of 600.",
        show_default=False,
    ),
]
MinRowsOption = Annotated[
    int | None, typer.Option("--min-rows", min=1, metavar="N", help="Fewest test groups.", show_default=False)
]
EvaluationOption = Annotated[
    str | None,
    typer.Option("--evaluation", metavar="ID", help="An evaluation; without it the newest.", show_default=False),
]
KeepOption = Annotated[
    Path | None,
    typer.Option("--keep", metavar="FOLDER", help="With --pairs: write the dossier there.", show_default=False),
]


def gate(
    workload: Annotated[
        str | None, typer.Argument(metavar="W", help="A workload that was evaluated.", show_default=False)
    ] = None,
    pairs: PairsOption = None,
    replay: ReplayOption = None,
    evaluation: EvaluationOption = None,
    criterion: CriterionOption = None,
    margin: MarginOption = None,
    alpha: AlphaOption = None,
    min_rows: MinRowsOption = None,
    keep: KeepOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether a student has shown that it may take over: promote, reject or undecided, with the reasons.

    W: the newest evaluation is judged by `promote:` of the configuration, and the decision is kept as a dossier.

    Examples:

    nightschool gate triage

    nightschool gate --pairs scores.csv --criterion parity --margin 0.05

    nightschool gate --replay nightschool-data/decisions/triage/20261125T020000-0123456789ab.json
    """
    if sum(given is not None for given in (workload, pairs, replay)) != 1:
        raise typer.BadParameter("give one of W, --pairs FILE.csv, --replay DOSSIER")
    _check_place("--keep", keep, "--pairs", pairs)
    _check_place("--evaluation", evaluation, "W", workload)
    options = {"criterion": _criterion(criterion), "margin": margin, "min_rows": min_rows}
    if alpha is not None:
        options |= {"alpha": alpha, "nights": 1}
    given = {name: value for name, value in options.items() if value is not None}
    if replay is not None:
        if given:
            raise typer.BadParameter("a dossier is judged by the criteria that are in it", param_hint="--replay")
        _replay(replay, as_json)
    elif pairs is not None:
        _judge_pairs(pairs, given, keep, as_json)
    else:
        _judge_workload(str(workload), evaluation, given, config, as_json)


def _judge_pairs(path: Path, given: dict[str, Any], keep: Path | None, as_json: bool) -> None:
    from hashlib import sha256

    from distill.gate.criteria import Criteria
    from distill.gate.pairs_file import read_pairs

    evidence = read_pairs(path)
    subject = {"file": path.name, "sha256": sha256(path.read_bytes()).hexdigest()}
    _judge(subject, evidence, Criteria(**given), keep, as_json)


def _judge_workload(
    workload: str, evaluation: str | None, given: dict[str, Any], config: Path | None, as_json: bool
) -> None:
    from cli.data import data_folder
    from distill.gate.criteria import criteria_of
    from distill.gate.dossier import dossiers_of
    from distill.gate.pairs import newest_evaluation

    with data_folder(config) as folder:
        found = newest_evaluation(folder, workload, evaluation)
        criteria = criteria_of(configured(config).promote_of(workload), **given)
        _judge(found.subject(workload), found.evidence, criteria, dossiers_of(folder, workload), as_json)


def _judge(subject: dict[str, Any], evidence: Evidence, criteria: Criteria, keep: Path | None, as_json: bool) -> None:
    from cli.decisions import print_decision, print_decision_json
    from distill.gate.decide import decide
    from distill.gate.dossier import keep_decision

    decision = decide(evidence, criteria)
    path = None if keep is None else keep_decision(subject, evidence, criteria, decision, keep)
    show = print_decision_json if as_json else print_decision
    show(decision, path)


def _replay(path: Path, as_json: bool) -> None:
    from cli.decisions import print_replay
    from distill.gate.dossier import DossierError, read_dossier, replay

    dossier = read_dossier(path)
    made = replay(dossier)
    print_replay(dossier, made, as_json=as_json)
    if made.differences:
        raise DossierError(
            f"{path} does not say what comes out of it: {', '.join(made.differences)}",
            remedy=f"replay it with the versions that wrote it: {dossier.versions}",
        )


def _check_place(option: str, given: object, place: str, there: object) -> None:
    if given is not None and there is None:
        raise typer.BadParameter(f"belongs to {place}", param_hint=option)


def _criterion(criterion: str | None) -> Criterion | None:
    match criterion:
        case None | "parity" | "beat":
            return criterion
        case _:
            raise typer.BadParameter(f"{criterion!r} is none of parity, beat", param_hint="--criterion")
