"""`nightschool doctor`: is everything there that the proxy needs?"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.cautions import cautions
from cli.options import ConfigOption, JsonOption
from nightschool.errors import ConfigError

if TYPE_CHECKING:
    from cli.findings import Finding


def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Look at the installation, the configuration, the data folder and the upstreams.

    Each line is ok, a warning, or a problem with what to do. The exit code is 1 when there is a problem.

    Example: nightschool doctor --config nightschool.yaml
    """
    findings = []
    for finding in _examine(config):
        findings.append(finding)
        if not as_json:
            typer.echo(f"{finding.level:<8} {finding.what}")
            if finding.remedy:
                typer.echo(f"{'':<8} try: {finding.remedy}")
    healthy = all(finding.level != "problem" for finding in findings)
    if as_json:
        typer.echo(json.dumps({"ok": healthy, "findings": [finding.as_dict() for finding in findings]}, indent=2))
    if not healthy:
        raise typer.Exit(1)


def _examine(path: Path | None) -> Iterator[Finding]:
    from cli.findings import Finding, data, machine, teaching
    from cli.reach import reach
    from nightschool.config import read_config
    from nightschool.extras import missing

    yield from machine(datetime.now(UTC))
    try:
        loaded = read_config(path, os.environ)
    except ConfigError as error:
        yield Finding("problem", error.problem, error.remedy or "mend the file; `nightschool check` reads it again")
        return
    yield Finding("ok", f"configuration: {loaded.file}")
    for warning in cautions(loaded.config):
        yield Finding("warning", warning)
    yield from teaching(any(each.distill.schedule for each in loaded.config.workloads.values()), missing("distill"))
    yield from data(loaded.config.data)
    for name, upstream in loaded.config.upstreams.items():
        yield from reach(name, upstream)
