"""Says what is publicly known of weaknesses in the packages of a lock, or that nobody could be asked.

    python -m tests.security.dependencies PIP_AUDIT LOCK

Ends with 0 when every package was looked up and none is known to be weak, with 1 when one is, and with 2 when the
answer is not known: pip-audit itself ends with 0 where it could look nothing up.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CLEAN, WEAK, UNKNOWN = 0, 1, 2
SERVICES = ("pypi", "osv")
"""Both publish the same advisories; the second is asked what the first does not know."""
TIMEOUT_S = 10


def audit(pip_audit: Path, lock: Path) -> tuple[int, list[str]]:
    """The exit code, and what there is to say."""
    unheard: list[str] = []
    for service in SERVICES:
        packages = _asked(pip_audit, lock, service)
        if packages is None:
            unheard.append(f"{service}: it cannot be reached")
            continue
        skipped = [package for package in packages if "skip_reason" in package]
        weak = [package for package in packages if package.get("vulns")]
        if weak:
            return WEAK, [_told(package) for package in weak]
        if packages and not skipped:
            return CLEAN, [f"{len(packages)} packages were looked up at {service}: no weakness of them is known"]
        unheard.append(f"{service}: it knows nothing of {len(skipped)} of {len(packages)} packages")
    return UNKNOWN, ["the packages could NOT be audited; run it where one of these can be reached:", *unheard]


def _asked(pip_audit: Path, lock: Path, service: str) -> list[dict[str, Any]] | None:
    """A report by package; None where there is none."""
    command: Sequence[str] = [
        *(str(pip_audit), "--requirement", str(lock), "--require-hashes", "--disable-pip", "--progress-spinner=off"),
        *("--format=json", f"--vulnerability-service={service}", f"--timeout={TIMEOUT_S}"),
    ]
    # Its log is a traceback of the library that it asks with, where nobody answers.
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    return packages


def _told(package: dict[str, Any]) -> str:
    known = ", ".join(
        f"{weakness['id']} (mended in {', '.join(weakness['fix_versions']) or 'no version'})"
        for weakness in package["vulns"]
    )
    return f"{package['name']} {package['version']}: {known}"


def main() -> int:
    code, lines = audit(Path(sys.argv[1]), Path(sys.argv[2]))
    print("\n".join(lines), file=sys.stdout if code == CLEAN else sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
