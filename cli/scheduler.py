"""`nightschool scheduler`: what happens by itself."""

from __future__ import annotations

import sys

import typer

from cli.options import ConfigOption

MAIN = "from cli.main import main; main()"
PROGRAM = (sys.executable, "-P", "-c", MAIN)
"""The words before a command's name, whatever is in PATH."""


def scheduler(config: ConfigOption = None) -> None:
    """Begin nights by `distill.schedule`, make an audit every ten seconds, and tell whom `notify` names.

    One scheduler leads; a second one waits until that is gone. A night that was killed is gone on with.

    Example: nightschool scheduler --config nightschool.yaml
    """
    from distill.schedule.service import schedule

    raise typer.Exit(schedule(config, PROGRAM))
