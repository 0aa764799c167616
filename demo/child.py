"""A child process that never outlives its parent, and takes its own children with it.

The engine holds gigabytes and two cores: one that is left behind by a killed demo or test run is felt for hours.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nightschool.child import end, end_with_parent


@contextlib.contextmanager
def child_process(
    command: Sequence[str | Path], *, log: Path, env: Mapping[str, str], cwd: Path, patience_s: float = 20.0
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` with all its output in ``log``; on the way out ask it to end, then end its whole group.

    ``patience_s`` is how long it may take to end by itself after SIGTERM.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,  # Ctrl-C reaches us alone, and we end it in order
            preexec_fn=end_with_parent if sys.platform == "linux" else None,
        )
    try:
        yield process
    finally:
        end(process, patience_s)


def last_lines(log: Path, count: int = 15) -> str:
    """The end of a log, for an error message."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
