"""The app of the demo stands for every application: it must not know that there is a proxy."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from demo.engine import MODEL_NAME, ROOT
from demo.scripted_upstream import upstream_in_thread
from demo.upstream.behaviour import Behaviour

APP = ROOT / "demo" / "app.py"


def test_the_app_is_short_and_imports_nothing_but_the_openai_client() -> None:
    text = APP.read_text()

    assert len(text.splitlines()) < 30
    assert re.findall(r"^(?:import|from) (\S+)", text, re.MULTILINE) == ["openai"]
    assert "nightschool" not in text


def test_the_app_asks_plainly_by_stream_and_with_a_tool_and_meets_an_error() -> None:
    with upstream_in_thread() as upstream:
        upstream.then(Behaviour(), Behaviour(), Behaviour(status=404), Behaviour())
        environment = os.environ | {"OPENAI_BASE_URL": upstream.base_url, "OPENAI_API_KEY": "sk-test"}
        run = subprocess.run([sys.executable, str(APP)], env=environment, capture_output=True, text=True, timeout=60)

    assert run.returncode == 0, run.stderr
    bodies = [seen.json() for seen in upstream.seen]
    assert [body["model"] for body in bodies] == [MODEL_NAME, MODEL_NAME, "no-such-model", MODEL_NAME]
    assert [bool(body.get("stream")) for body in bodies] == [False, True, False, False]
    assert [bool(body.get("tools")) for body in bodies] == [False, False, False, True]
