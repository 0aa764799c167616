"""`nightschool console`: the web page."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from cli.options import ConfigOption
from nightschool.errors import NightschoolError
from nightschool.extras import installation, missing


class ConsoleMissing(NightschoolError):
    """Nightschool was installed without what the page needs."""


def console(
    hash_password: Annotated[
        bool, typer.Option("--hash-password", help="Ask for a password, print what belongs in the file, and end.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Serve the web page: traffic, money, exchanges, labels, datasets, nights, and who answers.

    It reads what the other processes leave on the disk; it may be started and ended whenever you like.

    Examples:

    nightschool console

    nightschool console --hash-password
    """
    if not is_installed():
        raise ConsoleMissing("the console is not installed", remedy=installation("console"))
    if hash_password:
        from console.password import hash_of

        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        typer.echo(f"console:\n  password_hash: {hash_of(password)}")
        return
    from console.service import serve  # the pages take a while to import

    raise typer.Exit(serve(config, os.environ))


def is_installed() -> bool:
    """Whether it can be served."""
    return not missing("console")
