from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.cli.command import Command


@pytest.fixture
def nightschool(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Starts in an empty folder, with no configuration in the environment, on a wide terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NIGHTSCHOOL_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return Command(capsys)


class Models(BaseHTTPRequestHandler):
    """``/<status>/models`` answers with that status, if the key is good or none is asked for."""

    def do_GET(self) -> None:
        status = int(self.path.split("/")[1])
        if self.headers.get("authorization", "Bearer good") != "Bearer good":
            status = 401
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def upstream() -> Iterator[str]:
    """Base URL of an upstream; append a status."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Models) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
