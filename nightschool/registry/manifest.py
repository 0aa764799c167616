"""What an adapter was made of; the file ``manifest.json`` in its folder."""

from __future__ import annotations

from typing import Any

import msgspec

FORMAT_VERSION = 1
MANIFEST = "manifest.json"


class Source(msgspec.Struct, kw_only=True, frozen=True):
    """The dataset that was learned."""

    name: str
    hash: str
    sequences: int
    """Token sequences of the training side."""
    learned_tokens: int
    too_long: int
    """Examples that were left out, being longer than ``max_tokens``; of training and validation side together."""


class Outcome(msgspec.Struct, kw_only=True, frozen=True):
    """How the training went."""

    steps: int
    best_step: int
    """Its weights are the adapter's."""
    best_loss: float | None
    """Nats per learned token on the validation side; null where there was none."""
    tokens: int
    seconds: float
    """Of computing, without what a killed run had to do again."""
    stopped_early: bool


class Setting(msgspec.Struct, frozen=True):
    """A setting, and where it came from."""

    name: str
    value: Any
    origin: str


class AdapterManifest(msgspec.Struct, kw_only=True, frozen=True):
    """Everything that decides whether an adapter may be served where, and how it came about."""

    format_version: int = FORMAT_VERSION
    name: str
    workload: str
    hash: str
    """SHA-256 over the weights and their configuration; the name ends with its beginning."""
    created: str
    """Time, UTC."""
    base_model: str
    """Hub id or folder: what a server must have loaded."""
    base_revision: str
    format: str
    template_hash: str
    """Of the format; a server with another one must not serve this adapter."""
    run: str
    dataset: Source
    settings: tuple[Setting, ...]
    outcome: Outcome
    versions: dict[str, str]
    files: dict[str, str]
    """SHA-256 by file."""
