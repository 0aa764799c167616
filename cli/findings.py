"""What `nightschool doctor` finds out about the machine and the data folder."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from nightschool.extras import installation

MIB = 1024 * 1024
OUR_PACKAGES = ("cli", "console", "distill", "nightschool", "proxy", "serve")
PLENTY_OF_DESCRIPTORS = 4096
LITTLE_SPACE_BYTES = 1024 * MIB
NO_SPACE_BYTES = 64 * MIB
MOST_SKEW = timedelta(minutes=2)
BUILT = datetime(2026, 1, 1, tzinfo=UTC)
"""No clock that is right can show a time before this."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; ``remedy`` is empty where nothing needs to be done."""

    level: Literal["ok", "warning", "problem"]
    what: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def python_version(version: tuple[int, ...]) -> Finding:
    text = ".".join(str(part) for part in version[:3])
    if version[:2] < (3, 11):
        return Finding("problem", f"Python {text} is too old", "install nightschool under Python 3.11 or later")
    return Finding("ok", f"Python {text}")


def packages(distributions: Mapping[str, Sequence[str]]) -> Finding:
    """``distributions`` as importlib.metadata.packages_distributions() gives them; proxy.py also installs a `proxy`."""
    strangers = {
        f"{package} of {owner}"
        for package in OUR_PACKAGES
        for owner in distributions.get(package, ())
        if owner != "nightschool"
    }
    if strangers:
        remedy = "install nightschool into an environment of its own"
        return Finding("problem", f"other packages have our names: {', '.join(sorted(strangers))}", remedy)
    if "proxy" not in distributions:
        return Finding("warning", "nightschool is not installed, only found on the path", "install it with pip")
    return Finding("ok", f"packages are ours: {', '.join(OUR_PACKAGES)}")


def descriptors(soft_limit: int) -> Finding:
    if soft_limit == resource.RLIM_INFINITY or soft_limit >= PLENTY_OF_DESCRIPTORS:
        return Finding("ok", f"file descriptors: {'no limit' if soft_limit < 0 else soft_limit}")
    what = f"only {soft_limit} file descriptors; every open request takes two"
    return Finding("warning", what, "`ulimit -n 65536`, or LimitNOFILE=65536 in systemd")


def clock(now: datetime, upstream_date: datetime | None = None) -> Finding:
    """Record ids and the folders of the store are made of time."""
    if now < BUILT:
        return Finding("problem", f"the clock says {now:%Y-%m-%d %H:%M} UTC", "set it, or start a time service")
    if upstream_date is not None and abs(now - upstream_date) > MOST_SKEW:
        seconds = (now - upstream_date).total_seconds()
        return Finding("warning", f"the clock is {seconds:+.0f} s off an upstream's", "start a time service (NTP)")
    return Finding("ok", f"the clock says {now:%Y-%m-%d %H:%M} UTC")


def data_folder(folder: Path) -> Finding:
    """Whether it can be written; a folder that does not exist yet is judged by the one that it would stand in."""
    try:
        existing = _existing(folder)
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        remedy = f"give user {os.getuid()} the right to write there, or name another folder under data"
        return Finding("problem", f"data: {folder} cannot be written: {error.strerror}", remedy)
    return Finding("ok", f"data: {folder} can be {'written' if existing == folder else 'made'}")


def free_space(folder: Path) -> Finding:
    return judge_space(shutil.disk_usage(_existing(folder)).free)


def judge_space(free_bytes: int) -> Finding:
    what = f"data: {free_bytes / (1024 * MIB):.1f} GiB free"
    if free_bytes < NO_SPACE_BYTES:
        return Finding("problem", what, "make room; without it exchanges are answered but not recorded")
    if free_bytes < LITTLE_SPACE_BYTES:
        return Finding("warning", what, "make room, or set record.retention_days")
    return Finding("ok", what)


def recorder(folder: Path) -> Finding:
    """Whether somebody turns the workers' logs into Parquet."""
    from nightschool.store.lock import is_locked

    if is_locked(folder / "recorder.lock"):
        return Finding("ok", "recorder: running")
    waiting = len(list((folder / "wal").glob("*.wal")))
    if waiting:
        what = f"recorder: not running, and {waiting} logs wait for it (they can be queried all the same)"
        return Finding("warning", what, "`nightschool proxy` starts it")
    return Finding("ok", "recorder: not running, nothing waits for it")


def hash_key(folder: Path) -> Iterator[Finding]:
    """The key with which callers' credentials are hashed; nothing to say before there is one."""
    file = folder / "keys" / "client-hash.key"
    if file.exists() and file.stat().st_mode & 0o077:
        yield Finding("warning", f"data: others can read {file}", f"chmod 600 {file}")


def teaching(configured: bool, missing: Sequence[str]) -> Iterator[Finding]:
    """``missing``: packages that nights need and this environment has not. Another machine may make the nights."""
    if not configured:
        return
    if missing:
        what = f"nights are configured, and this environment cannot make them: no {', '.join(missing)}"
        yield Finding("warning", what, installation("distill"))
    else:
        yield Finding("ok", "what nights need is installed")


def machine(now: datetime) -> Iterator[Finding]:
    """What does not depend on the configuration."""
    from importlib.metadata import packages_distributions

    yield python_version(sys.version_info[:3])
    yield packages(packages_distributions())
    yield descriptors(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield clock(now)


def data(folder: Path) -> Iterator[Finding]:
    """What the data folder is like."""
    writable = data_folder(folder)
    yield writable
    if writable.level == "problem":
        return
    yield free_space(folder)
    yield recorder(folder)
    yield from hash_key(folder)


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.exists())
