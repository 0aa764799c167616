"""`nightschool distill`: a night by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, JsonOption
from cli.scheduler import PROGRAM
from cli.train import NoBaseModel

if TYPE_CHECKING:
    from distill.night.report import Report


def distill(
    workload: Annotated[str, typer.Argument(metavar="W", help="A workload of the configuration.")],
    config: ConfigOption = None,
    again: Annotated[bool, typer.Option("--again", help="Train although there is little new.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a night: build a dataset, train a student on it, evaluate it, and let it up the ramp if the gate says so.

    The scheduler runs this very command. Interrupted or killed, the same command goes on where it was. With too few
    answers, or too few new ones, it says so and ends well. A student that was not let pass may be judged again.

    Examples:

    nightschool distill triage

    nightschool distill triage --again
    """
    import os

    from nightschool.config import find_config, load_config

    file = find_config(config, os.environ)
    loaded = load_config(file, os.environ)
    if loaded.student.base_model is None:
        raise NoBaseModel
    from cli.hands import check_known
    from cli.screen import progress_bar
    from distill.night.run import Plan, run_night

    check_known(loaded, workload)
    report = run_night(
        Plan(
            config=loaded,
            workload=workload,
            train=_trainer(file, workload),
            say=_say,
            progress=progress_bar,
            again=again,
        )
    )
    _show(report, as_json=as_json)


def _trainer(file: Path, workload: str) -> Callable[[str], str]:
    """`nightschool train`, whose messages and bar go to our stderr."""
    import msgspec

    from nightschool.child import output_of

    def train(dataset: str) -> str:
        command = [*PROGRAM, "train", workload, "--dataset", dataset, "--json"]
        told = msgspec.json.decode(output_of("training", [*command, "--config", file.absolute()]))
        return str(told["adapter"])

    return train


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _show(report: Report, *, as_json: bool) -> None:
    import msgspec

    if as_json:
        print(msgspec.json.format(msgspec.json.encode(report), indent=1).decode())
        return
    print(f"{report.workload}: {report.outcome.replace('_', ' ')}: {report.told}")
    if report.rows_needed:
        print(f"about {report.rows_needed:,} more test groups are needed for a decision")
    if report.adapter is not None:
        print(f"adapter {report.adapter}, dataset {report.dataset}, evaluation {report.evaluation or 'none'}")
    if report.dossier is not None:
        print(f"decision kept in {report.dossier}")
    print(f"next: nightschool routes {report.workload}")
