"""A decision as a file: all that it was made of, so that anybody can make it again.

The name of the file begins with the hash of what is in it. A file that was changed is refused; one that was changed and
hashed again is found out by the replay, since rows and decision no longer go together.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from distill.dataset.snapshot import place_of
from distill.gate.criteria import Criteria
from distill.gate.decide import Decision, decide
from distill.gate.evidence import SEED, Evidence
from nightschool.errors import NightschoolError
from nightschool.store.durable import new_file
from nightschool.wire import json_text

FORMAT_VERSION = 1


class DossierError(NightschoolError):
    """A dossier cannot be read, was changed, or says other than what comes out of it."""


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one decision."""

    format_version: int = FORMAT_VERSION
    decided: str
    """UTC, ISO 8601."""
    subject: dict[str, Any]
    """What was judged: the manifest of an evaluation, or a file and its SHA-256."""
    criteria: Criteria
    order_seed: str
    evidence: Evidence
    decision: Decision
    versions: dict[str, str]


class Replay(NamedTuple):
    """A decision made again."""

    recorded: Decision
    again: Decision
    differences: tuple[str, ...]
    """Fields that came out otherwise."""


def make_dossier(
    subject: dict[str, Any], evidence: Evidence, criteria: Criteria, decision: Decision, decided: datetime
) -> Dossier:
    """What is worth keeping of a decision."""
    return Dossier(
        decided=decided.isoformat(),
        subject=subject,
        criteria=criteria,
        order_seed=SEED,
        evidence=evidence,
        decision=decision,
        versions={"nightschool": version("nightschool"), "numpy": np.__version__},
    )


def keep_decision(
    subject: dict[str, Any], evidence: Evidence, criteria: Criteria, decision: Decision, folder: Path
) -> Path:
    """Made just now; returns the file of its dossier."""
    return write_dossier(make_dossier(subject, evidence, criteria, decision, datetime.now(UTC)), folder)


def dossiers_of(data: Path, workload: str) -> Path:
    """The folder of a workload's decisions."""
    return data / "decisions" / place_of(data, workload).name


def write_dossier(dossier: Dossier, folder: Path) -> Path:
    """Into ``folder``, under the time and the hash; returns the file."""
    content = msgspec.to_builtins(dossier)
    digest = hash_of(content)
    stamp = dossier.decided[:19].replace("-", "").replace(":", "")
    path = folder / f"{stamp}-{digest[:12]}.json"
    with new_file(path) as file:
        file.write(json_text.encode({"sha256": digest, **content}))
    return path


def read_dossier(path: Path) -> Dossier:
    """Raises DossierError unless it is as it was written."""
    try:
        content = json_text.decode(path.read_bytes())
    except OSError as error:
        raise DossierError(f"{path} cannot be read: {error.strerror}", remedy="check its name") from error
    except ValueError as error:
        raise DossierError(f"{path} is no dossier: {error}", remedy="name a file that the gate has written") from error
    if not isinstance(content, dict) or "sha256" not in content:
        raise DossierError(f"{path} is no dossier: it has no sha256", remedy="name a file that the gate has written")
    recorded = content.pop("sha256")
    if (found := hash_of(content)) != recorded:
        raise DossierError(
            f"{path} was changed after the decision: its content has the hash {found[:12]}, not {str(recorded)[:12]}",
            remedy="take it from a backup; a changed dossier proves nothing",
        )
    if content.get("format_version") != FORMAT_VERSION:
        raise DossierError(
            f"{path} has the format {content.get('format_version')!r}, and this version reads {FORMAT_VERSION}",
            remedy=f"replay it with the version that wrote it: {content.get('versions')}",
        )
    try:
        return msgspec.convert(content, Dossier)
    except msgspec.ValidationError as error:
        raise DossierError(f"{path} is no dossier: {error}", remedy="name a file that the gate has written") from error


def replay(dossier: Dossier) -> Replay:
    """Decide again, and compare every field."""
    again = decide(dossier.evidence, dossier.criteria)
    recorded, anew = msgspec.to_builtins(dossier.decision), msgspec.to_builtins(again)
    differences = tuple(name for name in anew if recorded[name] != anew[name])
    if dossier.order_seed != SEED:
        differences = (*differences, "order_seed")
    return Replay(dossier.decision, again, differences)


def hash_of(content: dict[str, Any]) -> str:
    """SHA-256 of the content as canonical JSON."""
    return sha256(json_text.canonical(content)).hexdigest()
