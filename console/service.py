"""`nightschool console`: serve the pages until SIGTERM or Ctrl-C."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from pathlib import Path

import uvicorn

from console.application import build_application
from console.desk import Desk
from nightschool.config import find_config, load_config
from nightschool.errors import NightschoolError
from nightschool.logs import configure_logging
from nightschool.store.manifest import prepare_folder

_NICE = 19
"""Whoever answers applications goes first: on a core that both want, the console gets a seventieth."""
_END_WITHIN_S = 3

log = logging.getLogger("nightschool.console")


class CannotListen(NightschoolError):
    """The address is taken, or not ours."""


def serve(config_path: Path | None, env: Mapping[str, str]) -> int:
    """Returns the exit code."""
    configure_logging()
    os.nice(_NICE)
    file = find_config(config_path, env).resolve()
    config = load_config(file, env)
    prepare_folder(config.data)
    desk = Desk(config, file, env)
    with _listening(config.console.host, config.console.port, config.console.listen) as listening:
        host, port = listening.getsockname()[:2]
        url = config.console.url or f"http://{f'[{host}]' if ':' in host else host}:{port}"
        log.info("console_ready url=%s data=%s", url, config.data)
        server = uvicorn.Server(
            uvicorn.Config(
                build_application(desk),
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=_END_WITHIN_S,
            )
        )
        server.run(sockets=[listening])
    return 0


def _listening(host: str, port: int, told: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise CannotListen(
            f"the console cannot listen on {told}: {error.strerror or error}", remedy="name another address or port"
        ) from error
    return listening
