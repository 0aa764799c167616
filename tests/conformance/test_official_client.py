"""The official Python client that is installed beside nightschool; ``make conformance`` runs the others as well."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.conformance.running import Client
from tests.conformance.stand import Stand

SCRIPTS = ("openai_sync", "openai_async")


@pytest.mark.parametrize("script", SCRIPTS)
def test_neither_client_nor_upstream_can_tell_and_the_record_is_what_happened(shared: Stand, script: str) -> None:
    command = (Path(sys.executable), "-m", f"tests.conformance.clients.{script}")
    report = shared.judge(Client(script, command))
    assert not [verdict for verdict in report.verdicts if not verdict.ok]
