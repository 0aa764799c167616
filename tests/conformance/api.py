"""What schemathesis makes of ``openapi.yaml``: thousands of requests, valid or not, and what their answers must be."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.conformance.compare import Verdict
from tests.conformance.environments import HERE
from tests.conformance.running import API_KEY
from tests.conformance.stand import Report

DESCRIPTION = HERE / "openapi.yaml"
SEED = "7"


@dataclass(frozen=True)
class Part:
    """Some of the paths, and what is not asked of them."""

    name: str
    paths: str
    seconds: int
    without: tuple[str, ...]


PARTS = (
    # Nothing is forbidden below /v1 by the proxy: an upstream says which methods, members and keys it takes.
    Part(
        "forwarded",
        "^/v1/",
        40,
        ("unsupported_method", "negative_data_rejection", "missing_required_header", "ignored_auth"),
    ),
    Part("its own", "^/(?!v1/)", 20, ("ignored_auth",)),
)


def judge(python: Path, url: str, folder: Path) -> Iterator[Report]:
    """Run both parts against a proxy at ``url``; what schemathesis prints is kept in ``folder``."""
    for part in PARTS:
        file = folder / f"schemathesis-{part.name.replace(' ', '-')}"
        command = _command(python, url, part, file.with_suffix(".json"))
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        file.with_suffix(".txt").write_text(done.stdout + done.stderr)
        if not file.with_suffix(".json").exists():
            raise RuntimeError(f"schemathesis did not run:\n{(done.stderr or done.stdout)[-2000:]}")
        found = json.loads(file.with_suffix(".json").read_text())
        yield Report(
            client=f"schemathesis ({part.name} paths)",
            version=found["schemathesis_version"],
            requests=found["test_cases"]["generated"],
            verdicts=list(_verdicts(part, found, file.with_suffix(".txt"))),
        )


def _command(python: Path, url: str, part: Part, report: Path) -> list[str]:
    report.unlink(missing_ok=True)
    options = {
        "--url": url,
        "--include-path-regex": part.paths,
        "--phases": "examples,coverage,fuzzing",
        "--max-time": str(part.seconds),
        "--exclude-checks": ",".join(part.without),
        "--header": f"Authorization: Bearer {API_KEY}",
        "--seed": SEED,
        "--generation-database": "none",
        "--report": "json",
        "--report-json-path": str(report),
    }
    pairs = [text for option in options.items() for text in option]
    return [str(python.with_name("st")), "run", str(DESCRIPTION), "--no-color", *pairs]


def _verdicts(part: Part, found: dict[str, Any], told: Path) -> Iterator[Verdict]:
    """One for each path, whatever the method was, and one for what cannot be laid at a path."""
    wrong = [*found["failures"], *found["errors"]]
    for path in paths(part):
        titles = [fault["title"] for fault in wrong if path in _paths(fault)]
        yield Verdict(path, not titles, f"{'; '.join(titles)}: see {told}" if titles else "")
    selected, tested = found["operations"]["selected"], found["operations"]["tested"]
    homeless = [fault["title"] for fault in wrong if not _paths(fault) & set(paths(part))]
    whole = found["exit_code"] in (0, 1) and tested == selected == len(paths(part)) and not homeless
    yield Verdict("every path was tried", whole, "" if whole else f"{tested} of {selected}; {homeless}: see {told}")


def paths(part: Part) -> list[str]:
    """Everything described that is of this part; each path has one method."""
    described = yaml.safe_load(DESCRIPTION.read_text())["paths"]
    return [path for path in described if re.search(part.paths, path)]


def _paths(fault: dict[str, Any]) -> set[str]:
    """Where something went wrong: operations are called ``POST /path``."""
    return {operation.partition(" ")[2] for operation in fault.get("operations", [])}
