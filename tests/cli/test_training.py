"""What training's libraries are told before they are imported."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PREPARED = """
import os, sys
from cli.training import prepare_libraries

assert "torch" not in sys.modules
prepare_libraries()
print(os.environ["OMP_WAIT_POLICY"])
"""


@pytest.mark.parametrize(("set_before", "then"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_threads_that_wait_leave_the_processor_to_others_unless_it_is_set_otherwise(
    set_before: dict[str, str], then: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | set_before

    told = subprocess.run([sys.executable, "-c", PREPARED], env=environment, capture_output=True, text=True, check=True)

    assert told.stdout.strip() == then
