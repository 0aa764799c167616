"""The scripted upstream as a process that knows the soak's questions: the teacher, and a replica of the students.

python -m bench.soak.upstream --port 9000
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from bench.proxy.child import Child
from bench.soak.question import answer_to
from demo.scripted_upstream import ScriptedUpstream

FORGET_EVERY_S = 1.0


class UpstreamProcess:
    """One upstream on one port, which can be killed, frozen, and started again."""

    def __init__(self, name: str, port: int, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._name = name
        self._port = port
        self._folder = folder
        self._child: Child | None = None

    def start(self) -> None:
        """Until it listens."""
        command = [sys.executable, "-m", "bench.soak.upstream", "--port", str(self._port)]
        log = self._folder / f"{self._name}.log"
        self._child = Child(command, cores=os.sched_getaffinity(0), log=log)
        self._child.wait_for("http://", within_s=30)

    def signal(self, number: signal.Signals) -> None:
        """SIGSTOP: it takes connections and says nothing, until SIGCONT."""
        assert self._child is not None
        os.kill(self._child.pid, number)

    def kill(self) -> None:
        """kill -9."""
        self.signal(signal.SIGKILL)
        self.end()

    def end(self) -> None:
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGCONT)  # a frozen one could not end
            self._child.end()
            self._child = None


async def serve(port: int) -> None:
    """Until the process is ended."""
    async with ScriptedUpstream(port=port, answer=answer_to) as upstream:
        print(upstream.base_url, flush=True)
        while True:
            await asyncio.sleep(FORGET_EVERY_S)
            upstream.seen.clear()  # it runs for half an hour


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
