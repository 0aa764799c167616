"""`nightschool dataset`: snapshots of recorded answers, to learn from and to be tested with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.log_filter import SinceOption, UntilOption, WhereOption, filter_from
from cli.options import ConfigOption, JsonOption, configured

if TYPE_CHECKING:
    from distill.dataset.export import Form

dataset_app = typer.Typer(help="Build, show and export datasets: what a student learns from.", no_args_is_help=True)
WorkloadArgument = Annotated[
    str, typer.Argument(metavar="W", help="A workload, or fingerprint:… for traffic that has no name.")
]
NameArgument = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="A dataset, or a piece of its name; the newest.", show_default=False),
]


@dataset_app.command()
def build(
    workload: WorkloadArgument,
    config: ConfigOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    where: WhereOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build a dataset of what is recorded for a workload up to now.

    With --where the exchanges that match are taken, whatever workload they have, and W is the name that the dataset
    gets. Building again without new traffic gives the dataset that is there.

    Examples:

    nightschool dataset build triage

    nightschool dataset build airline --where "upstream = 'import'"
    """
    window = filter_from(since=since, until=until).window
    from cli.data import data_folder
    from cli.datasets import print_manifest
    from cli.screen import progress_bar
    from distill.dataset.build import build as make
    from distill.dataset.settings import settings_of
    from distill.selection import Selection
    from nightschool.store.reader import take_snapshot

    with data_folder(config) as folder:
        known = configured(config)
        selection = Selection.configured(known, workload, where=where, window=window)
        settings = settings_of(known.distill_of(workload))
        most = sum(segment.rows for segment in take_snapshot(folder).segments("exchanges", window))
        with progress_bar("reading", most) as bar:
            manifest = make(folder, selection, settings, progress=bar)
        print_manifest(folder, manifest, as_json=as_json)


@dataset_app.command()
def show(
    workload: WorkloadArgument, name: NameArgument = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show a dataset's card: what is in it, and why every other exchange is not.

    Examples:

    nightschool dataset show triage

    nightschool dataset show triage 20261122 --json
    """
    from cli.data import data_folder
    from cli.datasets import print_card, print_manifest
    from distill.dataset.snapshot import find

    with data_folder(config) as folder:
        manifest = find(folder, workload, name)
        print_manifest(folder, manifest, as_json=True) if as_json else print_card(folder, manifest)


@dataset_app.command()
def export(
    workload: WorkloadArgument,
    name: NameArgument = None,
    config: ConfigOption = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="openai|parquet",
            help="openai: chat lines for fine-tuning; parquet: messages as nested columns, for `datasets` and TRL.",
        ),
    ] = "openai",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="Where to write; without it W-NAME.", show_default=False),
    ] = None,
) -> None:
    """Write train, validation and test as files that other trainers read.

    Example: nightschool dataset export triage --format openai -o triage-data
    """
    chosen = _form(form)
    from cli.data import data_folder
    from distill.dataset.export import export as write
    from distill.dataset.snapshot import find, folder_of

    with data_folder(config) as folder:
        manifest = find(folder, workload, name)
        source = folder_of(folder, manifest)
        target = output or Path(f"{source.parent.name}-{manifest.name}")
        counts = write(source, chosen, target)
    print(f"{', '.join(f'{count:,} {side}' for side, count in counts.items())} examples written to {target}")


def _form(form: str) -> Form:
    match form:
        case "openai" | "parquet":
            return form
        case _:
            raise typer.BadParameter(f"{form!r} is none of openai, parquet", param_hint="--format")
