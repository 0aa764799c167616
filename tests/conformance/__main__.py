"""Every client directly and through nightschool, then schemathesis: ``make conformance``.

python -m tests.conformance                     # everything
python -m tests.conformance --only LangChain    # clients whose name has this in it
python -m tests.conformance --serve             # upstream and proxy only, to run a script by hand
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.conformance import api, report
from tests.conformance.compare import Verdict
from tests.conformance.environments import NODE_FOLDER, NoEnvironment, node_environment, python_environment
from tests.conformance.running import API_KEY, ROOT, Client, ClientFailed
from tests.conformance.stand import Report, Stand, stand

OUT = ROOT / ".conformance"
_PYTHON = {
    "openai (Python, sync)": "openai_sync",
    "openai (Python, async)": "openai_async",
    "LangChain": "langchain",
    "LlamaIndex": "llama_index",
    "instructor": "instructor",
    "pydantic-ai": "pydantic_ai",
}
_NODE = {"openai (Node)": "openai.mjs", "Vercel AI SDK": "ai_sdk.mjs"}
_BESIDE_US = ("openai (Python, sync)", "openai (Python, async)")
_SCHEMATHESIS = "schemathesis"


@dataclass
class Findings:
    reports: list[Report] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def add(self, found: Report) -> None:
        """Keep it, and tell it."""
        self.reports.append(found)
        print("\n".join(report.lines(found)), flush=True)

    @property
    def failed(self) -> bool:
        return any(not verdict.ok for found in self.reports for verdict in found.verdicts)


def main() -> int:
    """Run what was asked for; 1 when anything has failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="TEXT", help="clients whose name has this in it")
    parser.add_argument("--serve", action="store_true", help="start upstream and proxy, say where, and wait")
    asked = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, stand(Path(folder)) as made:
        if asked.serve:
            return _serve(made)
        findings = _everything(made, asked.only)
    summary = "\n".join(report.table(findings.reports, findings.skipped))
    (OUT / "table.md").write_text(f"{summary}\n")
    print(f"\n{summary}")
    return int(findings.failed or not findings.reports)


def _everything(made: Stand, only: str) -> Findings:
    findings = Findings()
    python = _environment(findings, python_environment, [*_PYTHON, _SCHEMATHESIS], only)
    node = _environment(findings, node_environment, list(_NODE), only)
    for client in _clients(python, node):
        if only.lower() in client.name.lower():
            findings.add(_judged(made, client))
    if python is not None and only.lower() in _SCHEMATHESIS:
        for found in api.judge(python, made.proxy.url, OUT):
            findings.add(found)
    return findings


def _environment(findings: Findings, make: Callable[[], Path], clients: list[str], only: str) -> Path | None:
    """The interpreter for these clients; None where it is not wanted, or cannot be had."""
    wanted = [client for client in clients if only.lower() in client.lower()]
    try:
        return make() if wanted else None
    except NoEnvironment as reason:
        findings.skipped |= dict.fromkeys(wanted, str(reason))
        return None


def _clients(python: Path | None, node: Path | None) -> Iterator[Client]:
    """The official Python client twice: the newest, which stands beside nightschool, and the frameworks'."""
    for name in _BESIDE_US:
        yield _python_client(name, Path(sys.executable))
    if python is not None:
        for name in _PYTHON:
            yield _python_client(name, python)
    if node is not None:
        for name, script in _NODE.items():
            yield Client(name, (node, NODE_FOLDER / script))


def _python_client(name: str, python: Path) -> Client:
    return Client(name, (python, "-m", f"tests.conformance.clients.{_PYTHON[name]}"))


def _judged(made: Stand, client: Client) -> Report:
    try:
        return made.judge(client)
    except ClientFailed as failure:
        return Report(client.name, "?", 0, [Verdict("the script itself", False, str(failure))])


def _serve(made: Stand) -> int:
    for what, base_url in (("upstream", made.alone.base_url), ("nightschool", made.proxy.base_url)):
        print(f"{what:<12} OPENAI_BASE_URL={base_url} OPENAI_API_KEY={API_KEY}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
