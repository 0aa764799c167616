"""Where clients are run: the scripted upstream, once by itself and once behind a real proxy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from demo.scripted_upstream import ScriptedUpstream, upstream_in_thread
from tests.conformance import compare, recorded
from tests.conformance.compare import Verdict
from tests.conformance.recorded import Told
from tests.conformance.running import Client, Run, run
from tests.conformance.script import Script
from tests.running import Row, RunningProxy, config_for, running_proxy
from tests.waiting import until


@dataclass(frozen=True)
class Report:
    """What was found out about one client."""

    client: str
    version: str
    requests: int
    verdicts: list[Verdict]


@dataclass
class Stand:
    """Two upstreams that answer alike, and the proxy in front of the second."""

    alone: ScriptedUpstream
    behind: ScriptedUpstream
    proxy: RunningProxy
    _recorded: int = field(default=0, init=False)

    def judge(self, client: Client) -> Report:
        """Run the client both ways, and compare what it saw, what the upstream saw and what was recorded."""
        direct = run(client, self.alone.base_url, self.alone)
        proxied = run(client, self.proxy.base_url, self.behind)
        until(lambda: not self.behind.open_answers, what="the upstream hears of every client that has left")
        self.alone.release()
        verdicts = [*compare.verdicts(direct, proxied), self._record(direct, proxied)]
        return Report(client.name, direct.version, len(proxied.seen), verdicts)

    def _record(self, direct: Run, proxied: Run) -> Verdict:
        name = "what is recorded"
        if len(direct.seen) != len(proxied.seen):
            return Verdict(name, False, "cannot be told: the upstream was not asked the same")
        told = [Told(*pair) for pair in zip(direct.seen, proxied.seen, strict=True)]
        difference = recorded.difference(told, self._new_rows(len(told)))
        return Verdict(name, not difference, difference)

    def _new_rows(self, count: int) -> list[Row]:
        """What was recorded since the last client, oldest first."""
        rows: list[Row] = []

        def complete() -> bool:
            rows[:] = self.proxy.rows("SELECT * FROM exchanges ORDER BY time, id")[self._recorded :]
            return len(rows) >= count

        with contextlib.suppress(AssertionError):  # too few are found out by comparing
            until(complete, what="records of everything")
        self._recorded += len(rows)
        return rows


@contextlib.contextmanager
def stand(folder: Path) -> Iterator[Stand]:
    """Both upstreams and a proxy with its data under ``folder``."""
    with (
        upstream_in_thread(answer=Script()) as alone,
        upstream_in_thread(answer=Script()) as behind,
        running_proxy(config_for(behind.base_url), folder) as proxy,
    ):
        yield Stand(alone, behind, proxy)
