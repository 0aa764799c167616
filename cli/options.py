"""Options that every command takes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nightschool.config import Config

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The configuration; without it $NIGHTSCHOOL_CONFIG, then ./nightschool.yaml.",
        show_default=False,
    ),
]
OneWorkload = Annotated[
    str | None, typer.Argument(metavar="[W]", help="One workload; without it all of them.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def configured(path: Path | None) -> Config:
    """What ``--config`` leads to; ConfigError lists every fault."""
    from nightschool.config import load_config  # pydantic takes a while to import; `--help` does not need it

    return load_config(path, os.environ)
