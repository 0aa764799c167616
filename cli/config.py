"""`nightschool init`, `check` and `schema`: the configuration file, from the first one to what is in force."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.cautions import cautions
from cli.options import ConfigOption, JsonOption
from nightschool.errors import ConfigError

if TYPE_CHECKING:
    from nightschool.config import Loaded


def init(
    path: Annotated[Path | None, typer.Argument(help="File to write, or its folder.", show_default=False)] = None,
    config: ConfigOption = None,
) -> None:
    """Write a commented nightschool.yaml that works as it is.

    Applications keep their own API keys; they only change their base URL. An existing file is never overwritten.

    Example: nightschool init
    """
    from nightschool.config import find_config
    from nightschool.config.template import TEMPLATE

    file = path or find_config(config, os.environ)
    if file.is_dir():
        file = file / "nightschool.yaml"
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(TEMPLATE)
    except FileExistsError as error:
        raise ConfigError(f"{file} exists; it is left as it is", remedy="`nightschool check` reads it") from error
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}", remedy="name a folder that you own") from error
    option = "" if file == Path("nightschool.yaml") else f" --config {file}"
    typer.echo(f"wrote {file}")
    typer.echo(f"next: nightschool check{option}")
    typer.echo(f"      nightschool proxy{option}")
    typer.echo("      OPENAI_BASE_URL=http://127.0.0.1:8080/v1 python your_app.py")
    typer.echo(f"      nightschool logs list{option}")


def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check the configuration and print what is in force.

    Defaults are filled in, paths are absolute, secrets stay ${NAME}, and what the file says is marked with its line.
    Every fault is listed at once.

    Example: nightschool check --config deploy/nightschool.yaml
    """
    from nightschool.config import read_config, resolved_yaml

    try:
        loaded = read_config(config, os.environ)
    except ConfigError as error:
        if not as_json:
            raise
        _print_json(_refused(error))
        raise typer.Exit(1) from error
    if as_json:
        _print_json(_described(loaded))
        return
    typer.echo(resolved_yaml(loaded), nl=False)
    for warning in cautions(loaded.config):
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(f"{loaded.file}: good", err=True)


def schema(config: ConfigOption = None) -> None:
    """Print the JSON schema of nightschool.yaml, for editors.

    Example: nightschool schema > nightschool.schema.json
    """
    from nightschool.config.json_schema import json_schema

    _print_json(json_schema())


def _described(loaded: Loaded) -> dict[str, Any]:
    from nightschool.config import origins, resolved

    return {
        "ok": True,
        "file": str(loaded.file),
        "config": resolved(loaded),
        "lines": origins(loaded),
        "warnings": cautions(loaded.config),
    }


def _refused(error: ConfigError) -> dict[str, Any]:
    """A file that cannot be read at all has one fault, without a line."""
    from nightschool.config import Fault, InvalidConfig

    faults = error.faults if isinstance(error, InvalidConfig) else (Fault(None, "", error.problem),)
    return {
        "ok": False,
        "file": str(error.file) if isinstance(error, InvalidConfig) else None,
        "faults": [{"line": fault.line, "key": fault.key, "message": fault.message} for fault in faults],
    }


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
