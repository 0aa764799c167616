"""`nightschool train`: a dataset and a base model -> an adapter."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

import typer

from cli.dataset import WorkloadArgument
from cli.options import ConfigOption, JsonOption, configured
from nightschool.errors import NightschoolError


class NoBaseModel(NightschoolError):
    """Nothing says which model is to be trained."""

    def __init__(self) -> None:
        super().__init__(
            "no base model is configured",
            remedy="set `student: {base_model: …}` to a hub id, a folder or a .gguf file, or give --base",
        )


def train(
    workload: WorkloadArgument,
    config: ConfigOption = None,
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", metavar="NAME", help="A dataset, or a piece of its name; without it the newest."),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option("--base", metavar="MODEL", help="Hub id, folder or .gguf file; without it `student.base_model`."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train an adapter of the base model on a dataset of a workload.

    Killed at any moment, the same command goes on from the last checkpoint. What was trained before is found again.
    Several GPUs: accelerate launch "$(which nightschool)" train W

    Examples:

    nightschool train triage

    nightschool train triage --base HuggingFaceTB/SmolLM2-135M-Instruct
    """
    loaded = configured(config)
    chosen = base or loaded.student.base_model
    if chosen is None:
        raise NoBaseModel
    from cli.training import TrainingScreen, prepare_libraries, print_trained

    prepare_libraries()
    from distill.train.run import Wanted
    from distill.train.run import train as make
    from nightschool.registry.processor import processor_taken

    wanted = Wanted(workload, chosen, loaded.distill_of(workload), dataset)
    pauses = loaded.distill_of(workload).while_serving == "pause"
    with processor_taken(loaded.data) if pauses else nullcontext(), TrainingScreen() as screen:
        trained = make(loaded.data, wanted, started=screen.started, watch=screen.step)
    print_trained(loaded.data, trained, as_json=as_json)
