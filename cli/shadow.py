"""`nightschool shadow`: undecided students, on new traffic that no client sees answered by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.cells import harmless
from cli.options import ConfigOption, JsonOption, OneWorkload, configured

if TYPE_CHECKING:
    from distill.shadow.run import Shadowed


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
    from distill.shadow.run import shadow as make

    loaded = configured(config)
    if workload is not None:
        check_known(loaded, workload)
    names = [workload] if workload is not None else list(loaded.workloads)
    found = [each for name in names if (each := make(loaded, name)) is not None]
    if as_json:
        import msgspec

        fields = ("workload", "adapter", "new", "rows", "done")
        told = [{**{name: getattr(each, name) for name in fields}, "verdict": each.decision.verdict} for each in found]
        print(msgspec.json.format(msgspec.json.encode(told), indent=1).decode())
        return
    for each in found:
        _print(each)
    if not found:
        print("no undecided student answers in the shadow")


def _print(each: Shadowed) -> None:
    decision = each.decision
    print(
        f"{each.workload}  {each.adapter}: {each.new} answered, {each.rows:,} in all; "
        f"{decision.verdict}, evidence {decision.e_value:.3g} of {decision.threshold:,.4g}"
    )
    print(f"  {harmless(each.done or decision.reasons[0])}")
