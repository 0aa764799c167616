"""`nightschool serve`: the process that looks after the vLLM servers."""

from __future__ import annotations

import typer

from cli.options import ConfigOption


def serve(config: ConfigOption = None) -> None:
    """Make what vLLM servers hold equal to what the registry wants, and tell proxies what they hold.

    It adopts the servers of `student.replicas`, and starts that of `student.engine`. SIGTERM (Ctrl-C) ends the latter.

    Example: nightschool serve --config nightschool.yaml
    """
    from serve.service import serve as run  # the formats and the HTTP client take a while to import

    raise typer.Exit(run(config))
