"""`nightschool evaluate`: a student beside its teacher, on what it was never trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.dataset import WorkloadArgument
from cli.options import ConfigOption, JsonOption, configured

if TYPE_CHECKING:
    from distill.dataset.snapshot import DatasetManifest
    from distill.evaluate.bench import Judging
    from distill.evaluate.candidate import Candidate
    from distill.evaluate.result import Manifest
    from distill.evaluate.run import Order
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
    from distill.evaluate.run import Order
    from nightschool.record import Price

    found = find(config.data, workload, dataset)
    return Order(
        data=config.data,
        workload=workload,
        dataset=found,
        candidate=_candidate(config, workload, adapter, found),
        live=None,
        settings=config.evaluate_of(workload),
        replicas=config.student.servers,
        prices={model: Price(price.input, price.output, price.cached_input) for model, price in config.prices.items()},
        judging=_judging(config, workload),
        limit=limit,
    )


def _candidate(config: Config, workload: str, adapter: str | None, dataset: DatasetManifest) -> Candidate:
    """The adapter; the base model alone where there is no adapter yet, or where that is asked for."""
    from distill.evaluate.candidate import NoBaseModel, base_alone, with_adapter
    from nightschool.registry.adapters import adapters_of, check_files, find_adapter, folder_of

    wants_base = adapter == "none" or (adapter is None and not adapters_of(config.data, workload))
    if not wants_base:
        folder = folder_of(config.data, find_adapter(config.data, workload, adapter))
        manifest = check_files(folder)
        return with_adapter(manifest.name, folder, manifest.base_model, manifest.format, manifest.template_hash)
    if config.student.base_model is None:
        raise NoBaseModel(workload)
    return base_alone(config.student.base_model)


def _judging(config: Config, workload: str) -> Judging | None:
    from distill.evaluate.bench import Judging
    from nightschool.record import Price

    judge = config.evaluate_of(workload).judge
    if judge is None:
        return None
    price = config.prices.get(judge.model)
    known = None if price is None else Price(price.input, price.output, price.cached_input)
    return Judging(judge, config.upstreams[judge.upstream], known)


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
