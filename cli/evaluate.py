"""`nightschool evaluate`: a student beside its teacher, on what it was never trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.dataset import WorkloadArgument
from cli.options import ConfigOption, JsonOption, configured

if TYPE_CHECKING:
    from distill.evaluate.order import Order
    from distill.evaluate.result import Manifest
    from nightschool.config import Config


def evaluate(
    workload: WorkloadArgument,
    config: ConfigOption = None,
    adapter: Annotated[
        str | None,
        typer.Option(
            "--adapter",
            metavar="A",
            help="An adapter, or a piece of its name; none for the base model alone. Without it the newest.",
            show_default=False,
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset", metavar="NAME", help="A dataset, or a piece of its name; the newest.", show_default=False
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", min=1, metavar="N", help="So many test answers, the same each time."),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Evaluate anew what was evaluated just so before.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare a student with its teacher, and with the base model, on the test side of a dataset.

    Answers come from the vLLM servers of `student: replicas:`, into which the adapter is loaded. Interrupted, the same
    command goes on where it was. The report is a web page, and Markdown, in the folder that is named at the end.

    Examples:

    nightschool evaluate triage

    nightschool evaluate triage --adapter none --limit 200
    """
    from cli.data import data_folder
    from cli.screen import progress_bar
    from distill.evaluate.run import evaluate as make

    with data_folder(config) as data:
        loaded = configured(config)
        manifest = make(_order(loaded, workload, adapter, dataset, limit), again=again, progress=progress_bar)
        _show(data, manifest, as_json=as_json)


def _order(config: Config, workload: str, adapter: str | None, dataset: str | None, limit: int | None) -> Order:
    from distill.dataset.snapshot import find
    from distill.evaluate.order import base_of, candidate_of, newest_or_base, order_of

    found = find(config.data, workload, dataset)
    if adapter is None:
        candidate = newest_or_base(config, workload)
    else:
        candidate = base_of(config, workload) if adapter == "none" else candidate_of(config.data, workload, adapter)
    return order_of(config, workload, found, candidate, limit=limit)


def _show(data: Path, manifest: Manifest, *, as_json: bool) -> None:
    import msgspec

    from distill.evaluate.result import HTML, ROWS, evaluations_of

    folder = evaluations_of(data, manifest.workload) / manifest.id
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(manifest), indent=1).decode())
        return
    from cli.evaluated import print_figures
    from distill.evaluate.figures import figures_of

    print_figures(manifest, figures_of(folder / ROWS))
    print(f"report: {folder / HTML}")
    print(f"next: nightschool gate {manifest.workload}")
