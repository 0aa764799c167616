"""How long is fuzzed: a moment with all other tests, FUZZ_MINUTES in all with `make fuzz`."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "fuzz",
    max_examples=300,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Run the test again and again, each time with other examples, until its share of the time is over."""
    minutes = float(os.environ.get("FUZZ_MINUTES", "0"))
    ends_at = time.monotonic() + 60 * minutes / len(pyfuncitem.session.items)
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    while True:
        pyfuncitem.obj(**arguments)
        if time.monotonic() >= ends_at:
            return True
