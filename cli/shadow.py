"""`nightschool shadow`: undecided students, on new traffic that no client sees answered by them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from cli.cells import harmless
from cli.options import ConfigOption, JsonOption, OneWorkload, configured

if TYPE_CHECKING:
    from distill.shadow.run import Shadowed
    from nightschool.config import Config


def shadow(
    workload: OneWorkload = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have students on which the gate was undecided answer some new requests too, and let the gate decide again.

    One pass, of at most 16 requests for each; the scheduler makes one every minute. `promote.shadow` says how many.

    Example: nightschool shadow triage
    """
    from cli.hands import check_known

    loaded = configured(config)
    if workload is not None:
        check_known(loaded, workload)
    names = [workload] if workload is not None else list(loaded.workloads)
    found, failed = _pass(loaded, names)
    if as_json:
        import msgspec

        fields = ("workload", "adapter", "new", "rows", "done")
        told = [{**{name: getattr(each, name) for name in fields}, "verdict": each.decision.verdict} for each in found]
        print(msgspec.json.format(msgspec.json.encode(told), indent=1).decode())
    else:
        for each in found:
            _print(each)
        if not found and not failed:
            print("no undecided student answers in the shadow")
    if failed:
        raise typer.Exit(1)


def _pass(config: Config, names: list[str]) -> tuple[list[Shadowed], bool]:
    """A workload that can have no shadow holds up no other."""
    from distill.shadow.run import shadow as make
    from nightschool.errors import NightschoolError

    found: list[Shadowed] = []
    failed = False
    for name in names:
        try:
            shadowed = make(config, name)
        except NightschoolError as error:
            print(f"nightschool: {name}: {error}", file=sys.stderr)
            failed = True
        else:
            found += [] if shadowed is None else [shadowed]
    return found, failed


def _print(each: Shadowed) -> None:
    decision = each.decision
    print(
        f"{each.workload}  {each.adapter}: {each.new} answered, {each.rows:,} in all; "
        f"{decision.verdict}, evidence {decision.e_value:.3g} of {decision.threshold:,.4g}"
    )
    print(f"  {harmless(each.done or decision.reasons[0])}")
