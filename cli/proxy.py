"""`nightschool proxy`: the process in front of the upstreams."""

from __future__ import annotations

import os

import typer

from cli.options import ConfigOption


def proxy(config: ConfigOption = None) -> None:
    """Forward requests to the upstreams and record every exchange.

    Changes of the configuration are taken over while it runs. SIGTERM (or Ctrl-C) lets running requests end first.

    Example: nightschool proxy --config nightschool.yaml

    Then: OPENAI_BASE_URL=http://127.0.0.1:8080/v1 python your_app.py
    """
    from nightschool.config import find_config
    from proxy.supervisor import serve  # the server's parts take a while to import

    raise typer.Exit(serve(find_config(config, os.environ)))
