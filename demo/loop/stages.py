"""The stages of the story, each by nightschool's own commands; one that is done is not done again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from demo.child import last_lines
from demo.engine import ROOT
from demo.loop.config import WORKLOAD
from demo.loop.harm import harmed
from demo.loop.place import Place
from demo.loop.screen import Heartbeat, say
from demo.loop.texts import TRUTH_VARIABLE
from demo.run import NIGHTSCHOOL, environment
from nightschool.errors import NightschoolError
from nightschool.registry.replicas import read_replicas
from nightschool.registry.routing import Students, read_routing

_PROXIES_FOLLOW_S = 2.0
_READY_WITHIN_S = 300.0
_MOST_PASSES = 2
_HARMED = ("harmed-1", "harmed-2", "harmed-3")
"""Texts for the harmed student, until it is found out; how many that takes depends on how good the one before was."""


class DemoError(NightschoolError):
    """A stage could not be done."""


class Stages:
    """``url``: of the proxy."""

    def __init__(self, place: Place, url: str) -> None:
        self._place, self._url = place, url
        self._done_file = place.folder / "done.json"
        self._done: dict[str, Any] = json.loads(self._done_file.read_text()) if self._done_file.exists() else {}

    def is_done(self, stage: str) -> bool:
        return stage in self._done

    def result(self, stage: str) -> Any:
        return self._done[stage]

    def record(self) -> None:
        """The app works, and its teacher answers."""
        self._app("day")
        self._finish("record", self._answered())

    def night(self) -> None:
        """Dataset, training, evaluation, gate."""
        told = json.loads(self._run("distill", WORKLOAD, "--json", quiet=True))
        say(f"{told['outcome']}: {told['told']}")
        if told["outcome"] != "promoted" and not self.students.answering():
            if told["adapter"] is None:
                raise DemoError(f"the night has made no student: {told['told']}", remedy="look at its messages above")
            say("the gate has not let it pass, as it should where it is not sure; for the story it is forced:")
            self._run("promote", WORKLOAD, "--adapter", told["adapter"], "--share", "50", "--force", "--reason", "demo")
        self._finish("night", told)

    def ramp(self) -> None:
        """Shares go up while the audit finds nothing."""
        self._until_ready()
        self._app("ramp")
        self._audit_until(lambda: self.students.canary is None)
        if self.students.canary is not None:
            say("the audit has not let it further; for the sake of the story a person does:")
            self._run("promote", WORKLOAD, "--share", "100", "--reason", "demo")
        if self.students.live is None:
            raise DemoError("no student is live: the audit has withdrawn it", remedy="begin anew with --again")
        self._finish("ramp", {"adapter": self.students.live.adapter})

    def live(self) -> None:
        """The same app, answered by the student."""
        self._until_ready()
        self._app("live")
        self._finish("live", self._answered())

    def harm(self) -> None:
        """A worse adapter is forced live; the audit finds out, and the one before answers again."""
        live = self.students.live
        if live is None:
            raise DemoError("no student is live", remedy="begin anew with --again")
        good = str(self.result("ramp")["adapter"])
        worse = harmed(self._place.data, WORKLOAD, good)
        if live.adapter == good and worse not in self.students.withdrawn:
            say(f"{worse} is {good} without what its feed-forward layers have learned")
            self._run("promote", WORKLOAD, "--adapter", worse, "--force", "--reason", "harmed on purpose")
        for part in _HARMED:
            if worse in self.students.withdrawn:
                break
            self._until_ready()
            self._app(part)
            self._audit_until(lambda: worse in self.students.withdrawn)
        if worse not in self.students.withdrawn:
            raise DemoError("the audit has not found the harmed student out", remedy="begin anew with --again")
        self._run("routes", WORKLOAD, "--history")
        self._finish("harm", {"adapter": worse})

    @property
    def students(self) -> Students:
        return read_routing(self._place.data).students_of(WORKLOAD)

    def sql(self, question: str) -> Any:
        return json.loads(self._run("sql", question, "--json", quiet=True))

    def _answered(self) -> Any:
        return self.sql("select target, count(*) as answers, sum(cost_usd) as usd from exchanges group by target")

    def _until_ready(self) -> None:
        """Until a replica holds who answers, and proxies know it."""
        wanted = [each.adapter for each in self.students.answering()]
        begin = time.monotonic()
        with Heartbeat(f"for vLLM to hold {', '.join(wanted)}"):
            while not all(read_replicas(self._place.data).ready_with(adapter) for adapter in wanted):
                if time.monotonic() - begin > _READY_WITHIN_S:
                    raise DemoError(
                        f"vLLM did not get ready; the end of {self._place.log('serve')}:\n"
                        f"{last_lines(self._place.log('serve'))}",
                        remedy="free some memory (vLLM needs about 5 GB), and run the demo again: it goes on from here",
                    )
                time.sleep(0.5)
        time.sleep(_PROXIES_FOLLOW_S)

    def _app(self, part: str) -> None:
        command = ["demo/redact.py", str(self._place.prompt), str(self._place.texts(part))]
        say(f"$ OPENAI_BASE_URL={self._url} python {command[0]} prompt.txt {self._place.texts(part).name}")
        with Heartbeat(f"for the app to redact {len(json.loads(self._place.texts(part).read_text()))} texts"):
            done = subprocess.run(
                [sys.executable, *command],
                env=environment(OPENAI_BASE_URL=self._url, OPENAI_API_KEY="sk-the-apps-own-key"),
                cwd=ROOT,
                capture_output=True,
                text=True,
            )
        if done.returncode != 0:
            raise DemoError(f"the app ended with status {done.returncode}:\n{done.stderr[-2000:]}", remedy="see above")
        lines = done.stdout.splitlines()
        for line in lines[:2]:
            say(f"  {line[:110]}")
        say(f"  … {len(lines):,} texts redacted, no request failed")

    def _audit_until(self, over: Callable[[], bool]) -> None:
        """Or until all that was answered must have been compared."""
        for _ in range(_MOST_PASSES):
            self._run("audit", WORKLOAD)
            if over():
                return

    def _run(self, *arguments: str, quiet: bool = False) -> str:
        """A command of nightschool; ``quiet``: what it prints is returned, not shown."""
        shown = " ".join(f'"{part}"' if " " in part else part for part in arguments)
        if arguments[0] != "sql":
            say(f"$ nightschool {shown}")
        with Heartbeat(f"for nightschool {arguments[0]}"):
            done = subprocess.run(
                [NIGHTSCHOOL, *arguments],
                env=environment(NIGHTSCHOOL_CONFIG=str(self._place.config), **{TRUTH_VARIABLE: str(self._place.truth)}),
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
            )
        if not quiet:
            print("".join(f"    {line}\n" for line in done.stdout.splitlines()), end="", flush=True)
        if done.returncode != 0:
            raise DemoError(f"nightschool {shown} ended with status {done.returncode}", remedy="read its message above")
        return done.stdout

    def _finish(self, stage: str, result: Any) -> None:
        self._done[stage] = result
        self._done_file.write_text(json.dumps(self._done, indent=1))
