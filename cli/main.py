"""The `nightschool` command: its commands, and the one place where our errors become an exit code.

Modules that take long to import are imported inside the command that needs them: `nightschool --help` is for people.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from cli.audit import audit
from cli.config import check, init, schema
from cli.console import console
from cli.dataset import dataset_app
from cli.distill import distill
from cli.doctor import doctor
from cli.evaluate import evaluate
from cli.gate import gate
from cli.hands import hold, promote, rollback
from cli.keys import keys_app
from cli.labels import labels_app
from cli.logs import logs_app
from cli.proxy import proxy
from cli.replay import replay
from cli.routes import routes
from cli.scheduler import scheduler
from cli.serve import serve
from cli.shadow import shadow
from cli.sql import sql
from cli.status import status
from cli.train import train
from cli.up import up
from cli.workloads import workloads
from cli.worth import worth
from nightschool.errors import NightschoolError
from nightschool.extras import extra_of, installation


def main(arguments: Sequence[str] | None = None) -> None:
    """Exit codes: 0 done, 1 a problem that is explained, 2 usage, 130 Ctrl-C."""
    try:
        build_app()(arguments)
    except NightschoolError as error:
        print(f"nightschool: {error}", file=sys.stderr)
        sys.exit(1)
    except ModuleNotFoundError as error:
        extra = extra_of(error.name or "")
        if extra is None:
            raise
        print(f"nightschool: this needs the package {error.name}\n  try: {installation(extra)}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:  # but for a broken pipe, at which typer ends in silence
        print(f"nightschool: {_told(error)}", file=sys.stderr)
        sys.exit(1)
    except MemoryError:
        print("nightschool: memory ran out\n  try: with more memory, or with a smaller span of time", file=sys.stderr)
        sys.exit(1)


def _told(error: OSError) -> str:
    if error.errno == errno.ENAMETOOLONG:
        return f"{str(error.filename)[:60]}… is longer than a name on a disk can be"
    what = f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror or str(error)
    remedy = "run it as the user that owns the data folder, such as `sudo -u nightschool nightschool …`"
    return f"{what}\n  try: {remedy}" if error.errno in (errno.EACCES, errno.EPERM) else what


def build_app() -> typer.Typer:
    """All commands, in the order in which a person needs them."""
    app = typer.Typer(
        name="nightschool",
        help="Record an application's LLM traffic, and teach a small model from it. Begin with `nightschool init`.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,  # they print the values of variables, and ours hold keys
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for command in (init, check, schema, doctor, up, proxy, serve, scheduler, console):
        app.command()(command)
    app.add_typer(keys_app, name="keys")
    app.add_typer(logs_app, name="logs")
    app.add_typer(labels_app, name="labels")
    app.add_typer(dataset_app, name="dataset")
    app.command()(sql)
    app.command()(status)
    app.command()(workloads)
    app.command()(worth)
    app.command()(distill)
    app.command()(train)
    app.command()(evaluate)
    app.command()(gate)
    app.command()(routes)
    app.command()(promote)
    app.command()(rollback)
    app.command()(hold)
    app.command()(audit)
    app.command()(shadow)
    app.command()(replay)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"nightschool {version('nightschool')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options that stand before the command."""
