"""What is allowed, but probably not meant: what the file alone tells, and what is known of models and modules here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from nightschool.errors import UnknownFamily

if TYPE_CHECKING:
    from nightschool.config import Config


def cautions(config: Config) -> list[str]:
    """One sentence each, beginning with the key that it is about."""
    from nightschool.config import warnings

    return [*warnings(config), *_unknown_family(config), *_absent_scorers(config)]


def _unknown_family(config: Config) -> Iterator[str]:
    if config.student.base_model is None:
        return
    from nightschool.formats import format_for

    try:
        format_for(config.student.base_model)
    except UnknownFamily as error:
        yield f"student.base_model: nobody can train or serve it: {error.problem}; {error.remedy}"
    except OSError as error:
        yield f"student.base_model: it cannot be read here: {error}"


def _absent_scorers(config: Config) -> Iterator[str]:
    """A module is looked for, and not run."""
    for name, workload in config.workloads.items():
        module, own, _ = (workload.evaluate.scorer or "").partition(":")
        package = module.partition(".")[0]
        if own and package not in sys.modules and find_spec(package) is None:
            yield (
                f"workloads.{name}.evaluate.scorer: there is no module {package!r} here; install it where nights run, "
                "or have its folder in PYTHONPATH"
            )
