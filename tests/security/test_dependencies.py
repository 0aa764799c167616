"""What is installed beside the proxy: pinned by hash, complete, and looked up where that can be done."""

from __future__ import annotations

import importlib.metadata
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.security.dependencies import CLEAN, UNKNOWN, WEAK, audit

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "deploy" / "requirements.lock"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGE = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\]+))? \\$", re.MULTILINE)
HEAVY = {"torch", "transformers", "peft", "vllm", "accelerate"}


class Pinned(NamedTuple):
    """One entry of the lock that counts on this machine."""

    version: str
    hashes: int


def pinned() -> dict[str, Pinned]:
    """By name."""
    text = LOCK.read_text()
    entries = list(PACKAGE.finditer(text))
    ends = [entry.start() for entry in entries[1:]] + [len(text)]
    return {
        entry["name"]: Pinned(entry["version"], text.count("--hash=sha256:", entry.end(), end))
        for entry, end in zip(entries, ends, strict=True)
        if entry["marker"] is None or Marker(entry["marker"].strip()).evaluate()
    }


def wanted() -> list[Requirement]:
    """Of the image: the plain install, and the console."""
    return [Requirement(text) for text in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["console"])]


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_a_dependency_is_in_the_lock_with_hashes_and_a_version_that_pyproject_allows(requirement: Requirement) -> None:
    found = pinned()[canonicalize_name(requirement.name)]

    assert requirement.specifier.contains(found.version)
    assert found.hashes >= 1


def test_nothing_in_the_lock_comes_without_a_hash_or_from_a_named_place() -> None:
    text = LOCK.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]

    assert all(PACKAGE.match(line) or re.match(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$", line) for line in lines)
    assert all(entry.hashes for entry in pinned().values())
    assert "://" not in text


def test_what_the_locked_packages_need_is_in_the_lock() -> None:
    names = pinned().keys()
    needed: set[str] = set()
    for name in names:
        for text in importlib.metadata.requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                needed.add(canonicalize_name(requirement.name))

    assert needed <= names
    assert not HEAVY & names


def test_these_tests_ran_with_what_the_lock_says() -> None:
    differ = {
        name: f"{importlib.metadata.version(name)} here, {entry.version} in the lock"
        for name, entry in pinned().items()
        if importlib.metadata.version(name) != entry.version
    }
    if differ:  # a new release must not fail the tests of a clone; that they say nothing of the lock must be seen
        pytest.skip(f"the image installs other versions than were tested: {differ}; `make lock` renews them")


def test_the_image_installs_from_the_lock_alone() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    installs = re.findall(r"pip install ([^&\n]+)", dockerfile)

    assert [line.split()[0] for line in installs] == ["--require-hashes", "--no-deps"]
    assert "COPY deploy/requirements.lock " in dockerfile


# -- the audit


def fake_pip_audit(folder: Path, *packages: Mapping[str, object], answers: bool = True) -> Path:
    """A program that prints such a report, or fails as where no network is."""
    program = folder / "pip-audit"
    report = json.dumps({"dependencies": packages}) if answers else "Traceback (most recent call last):"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{report}\nEND\nexit 1\n")
    program.chmod(0o755)
    return program


SOUND = {"name": "sound", "version": "1.0", "vulns": []}
WEAKNESS = {"id": "PYSEC-2026-1", "fix_versions": ["1.1"], "aliases": [], "description": ""}


def test_an_audit_in_which_everything_was_looked_up_is_clean(tmp_path: Path) -> None:
    assert audit(fake_pip_audit(tmp_path, SOUND), LOCK)[0] == CLEAN


def test_a_known_weakness_is_named_with_the_version_that_mends_it(tmp_path: Path) -> None:
    code, lines = audit(fake_pip_audit(tmp_path, SOUND, {**SOUND, "name": "weak", "vulns": [WEAKNESS]}), LOCK)

    assert (code, lines) == (WEAK, ["weak 1.0: PYSEC-2026-1 (mended in 1.1)"])


@pytest.mark.parametrize("answers", [True, False])
def test_an_audit_that_could_ask_nobody_is_not_taken_for_a_clean_one(tmp_path: Path, answers: bool) -> None:
    skipped = {"name": "sound", "skip_reason": "Dependency not found on PyPI and could not be audited"}
    code, lines = audit(fake_pip_audit(tmp_path, skipped, answers=answers), LOCK)

    assert code == UNKNOWN
    assert "could NOT be audited" in lines[0]
