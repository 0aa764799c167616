"""`nightschool promote | rollback | hold`: what a person says about who answers. Each is one change of a small file.

Proxies follow within a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, configured
from nightschool.errors import NightschoolError
from nightschool.login import login_name

if TYPE_CHECKING:
    from nightschool.config import Config
    from nightschool.registry.change import Change
    from nightschool.registry.manifest import AdapterManifest
    from nightschool.registry.routing import Students

WorkloadArgument = Annotated[str, typer.Argument(metavar="W", help="The workload.")]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the history.", show_default=False)
]


class NotQualified(NightschoolError):
    """The gate has not let this adapter pass."""

    def __init__(self, adapter: str, workload: str) -> None:
        super().__init__(
            f"{adapter} has not passed the gate of {workload}",
            remedy=f"`nightschool evaluate {workload}` and `nightschool gate {workload}` judge it; --force does not",
        )


def promote(
    workload: WorkloadArgument,
    adapter: Annotated[
        str | None,
        typer.Option(
            "--adapter",
            metavar="A",
            help="An adapter, or a piece of its name. Without it the next step.",
            show_default=False,
        ),
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(
            "--share",
            min=0,
            max=100,
            metavar="PERCENT",
            help="Of the conversations. Without it the next of the ramp.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also an adapter that no gate has let pass.")] = False,
    reason: ReasonOption = "by hand",
    config: ConfigOption = None,
) -> None:
    """Let a student answer: the qualified candidate begins its ramp, a canary takes the next share.

    A smaller share than a live student has makes it a canary again: the one before it has the rest, or the teacher.

    Examples:

    nightschool promote triage

    nightschool promote triage --share 100

    nightschool promote triage --adapter 4f2c --share 5 --force
    """
    loaded = configured(config)
    check_known(loaded, workload)
    if adapter is None:
        step = _next(loaded, workload, share)
    else:
        step = _place(loaded, workload, adapter, 100.0 if share is None else share, force=force)
    made = _change(loaded.data, workload, step, action="promote", reason=reason)
    if made is not None and _fell(made) and loaded.promote_of(workload).mode == "automatic" and not made.after.held:
        print(f"audits let it up the ramp again; `nightschool hold {workload}` keeps it there")


def rollback(
    workload: WorkloadArgument,
    to_teacher: Annotated[
        bool, typer.Option("--to-teacher", help="Withdraw every student, not only the newest that answers.")
    ] = False,
    reason: ReasonOption = "by hand",
    config: ConfigOption = None,
) -> None:
    """Withdraw the newest student that answers: the one before it answers again, or the teacher.

    Example: nightschool rollback triage --reason "customers complain"
    """
    from nightschool.registry.routing import this_moment
    from nightschool.registry.steps import roll_back

    loaded = configured(config)
    check_routed(loaded, workload)
    _change(
        loaded.data,
        workload,
        lambda before: roll_back(before, to_teacher=to_teacher, now=this_moment()),
        action="rollback",
        reason=reason,
    )


def hold(
    workload: WorkloadArgument,
    release: Annotated[bool, typer.Option("--release", help="Let automatic steps be made again.")] = False,
    reason: ReasonOption = "by hand",
    config: ConfigOption = None,
) -> None:
    """Make no automatic step for a workload: who answers goes on answering. Evidence of harm still rolls back.

    Examples:

    nightschool hold triage --reason "release week"

    nightschool hold triage --release
    """
    from nightschool.registry import steps

    loaded = configured(config)
    check_routed(loaded, workload) if release else check_known(loaded, workload)
    step = steps.release if release else steps.hold
    _change(loaded.data, workload, step, action="release" if release else "hold", reason=reason)


def _next(config: Config, workload: str, share: float | None) -> Callable[[Students], Students]:
    """The qualified candidate becomes a canary, a canary takes its next share, the last of which makes it live."""
    from nightschool.registry.routing import this_moment
    from nightschool.registry.steps import advance, at_share

    ramp = config.workloads[workload].promote.ramp
    return lambda before: (
        advance(before, ramp=ramp, now=this_moment())
        if share is None
        else at_share(before, share=share, now=this_moment())
    )


def _place(config: Config, workload: str, name: str, share: float, *, force: bool) -> Callable[[Students], Students]:
    from distill.dataset.prompts import learned_prompts
    from distill.evaluate.agreement import last_agreement
    from nightschool.registry.adapters import check_files, find_adapter, folder_of
    from nightschool.registry.routing import read_routing, this_moment
    from nightschool.registry.steps import force as placed

    adapter = check_files(folder_of(config.data, find_adapter(config.data, workload, name)))

    def passed(before: Students) -> tuple[str, ...] | None:
        known = _passed(before, adapter)
        if known is None and not force:
            raise NotQualified(adapter.name, workload)
        return known

    # What the state knows needs no dataset: it may be gone, as after an erasure.
    known = passed(read_routing(config.data).students_of(workload))
    prompts = known or learned_prompts(config.data, workload, adapter.dataset.name)
    value, measure = last_agreement(config.data, workload, adapter.name, config.evaluate_of(workload))

    def step(before: Students) -> Students:
        return placed(
            before,
            adapter.name,
            share=share,
            fingerprints=passed(before) or prompts,
            agreement=value,
            measure=measure,
            now=this_moment(),
        )

    return step


def _passed(before: Students, adapter: AdapterManifest) -> tuple[str, ...] | None:
    """The prompts that it was qualified on, where the state in force says that it was."""
    waits = [each for each in (before.candidate, before.waiting) if each is not None and each.qualified]
    if (known := next((each.fingerprints for each in waits if each.adapter == adapter.name), None)) is not None:
        return known
    placed = (*before.answering(), *((before.previous,) if before.previous else ()))
    return next((each.fingerprints for each in placed if each.adapter == adapter.name), None)


def _change(
    data: Path, workload: str, step: Callable[[Students], Students], *, action: str, reason: str
) -> Change | None:
    """Made, and told."""
    from nightschool.registry.change import change_students

    made = change_students(data, workload, step, author=login_name(), action=action, reason=reason)
    if made is None:
        print(f"{workload}: nothing to change")
        return None
    answering = ", ".join(f"{placed.adapter} {share:g} %" for placed, share in made.after.shares())
    print(f"{workload}: {answering or 'the teacher'} answers{', held' if made.after.held else ''}")
    print(f"proxies follow within a second; `nightschool routes {workload} --history` shows every change")
    return made


def _fell(made: Change) -> bool:
    """Whether the canary was live, or had more."""
    before = {placed.adapter: share for placed, share in made.before.shares()}
    canary = made.after.canary
    return canary is not None and before.get(canary.adapter, 0.0) > canary.share


def check_known(config: Config, workload: str) -> None:
    """For what needs the settings of a workload."""
    if workload not in config.workloads:
        raise _unknown(workload, list(config.workloads), " in the configuration")


def check_routed(config: Config, workload: str) -> None:
    """Also one that has left the configuration, and whose students are still in the routing state."""
    from nightschool.registry.routing import read_routing

    if workload not in config.workloads and workload not in (routed := read_routing(config.data).workloads):
        raise _unknown(workload, list(dict.fromkeys((*config.workloads, *routed))), "")


def _unknown(workload: str, known: Sequence[str], where: str) -> NightschoolError:
    from nightschool.config.sentence import nearest

    near = nearest(workload, known)
    return NightschoolError(
        f"no workload is called {workload!r}{where}" + (f"; did you mean {near!r}?" if near else ""),
        remedy=f"there are: {', '.join(known) or 'none'}",
    )
