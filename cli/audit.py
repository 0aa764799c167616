"""`nightschool audit`: students that answer clients, beside their teachers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from cli.cells import harmless
from cli.options import ConfigOption, JsonOption, OneWorkload, configured

if TYPE_CHECKING:
    from distill.audit.run import Watched
    from nightschool.config import Config


def audit(
    workload: OneWorkload = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare some answers of students with their teacher's, and let a student up the ramp, or withdraw it.

    One pass; the scheduler makes one every few seconds. Each asks the teacher at most 32 times per student.

    Examples:

    nightschool audit

    nightschool audit triage --json
    """
    from cli.hands import check_known

    loaded = configured(config)
    if workload is not None:
        check_known(loaded, workload)
    names = [workload] if workload is not None else list(loaded.workloads)
    watched, failed = _pass(loaded, names)
    if as_json:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(watched), indent=1).decode())
    else:
        for each in watched:
            _print(each)
        if not watched and not failed:
            print("no student answers")
    if failed:
        raise typer.Exit(1)


def _pass(config: Config, names: list[str]) -> tuple[list[Watched], bool]:
    """A workload whose teacher cannot be asked holds up no other."""
    from distill.audit.run import audit as make
    from nightschool.errors import NightschoolError

    watched: list[Watched] = []
    failed = False
    for name in names:
        try:
            found = make(config, name)
        except NightschoolError as error:
            _complain(name, str(error))
            failed = True
            continue
        watched += found
        for failure in dict.fromkeys(each.failure for each in found if each.failure is not None):
            _complain(name, failure)
            failed = True
    return watched, failed


def _complain(name: str, what: str) -> None:
    print(f"nightschool: {name}: {what}", file=sys.stderr)


def _print(each: Watched) -> None:
    verdict = each.verdict
    mean = "none" if verdict.agreement is None else f"{verdict.agreement:.3f}"
    bar = ""
    if verdict.bar is not None:
        evidence = f"{verdict.evidence:.3g} of {verdict.threshold:,.0f}"
        bar = f" ({verdict.bar:.3f} is tolerated, evidence against it {evidence})"
    print(
        f"{each.workload}  {each.adapter} at {each.share:g} %: {each.new} answers compared; "
        f"{verdict.conversations:,} conversations in all, agreement {mean}{bar}"
    )
    print(f"  {harmless(each.done or verdict.why)}")
