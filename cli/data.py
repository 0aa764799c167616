"""From the options of a command to the data folder, and from the store's warnings to stderr."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.options import configured


@contextmanager
def data_folder(config: Path | None) -> Iterator[Path]:
    """The folder that the configuration names; what the store warns of in the block is printed for people."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield configured(config).data
        finally:
            for warning in dict.fromkeys(str(entry.message) for entry in caught):
                print(f"nightschool: {warning}", file=sys.stderr)
