"""Datasets on the screen."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rich.markdown import Markdown

from cli.screen import console
from distill.dataset.snapshot import CARD, DatasetManifest, datasets_of, folder_of


def print_manifest(folder: Path, manifest: DatasetManifest, *, as_json: bool) -> None:
    """What has been built, in a few lines; or all of it, for scripts."""
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(manifest), indent=1).decode())
        return
    sides = ", ".join(f"{side.examples:,} {name}" for name, side in manifest.sides.items())
    left_out = sum(manifest.exclusions.values())
    print(f"{manifest.workload} {manifest.name}: {sides} examples from {manifest.exchanges:,} exchanges")
    told = ", ".join(f"{count:,} {reason}" for reason, count in manifest.exclusions.items())
    print(f"{left_out:,} left out{f': {told}' if told else ''}")
    print(f"in {folder_of(folder, manifest)}")
    print(f"next: nightschool dataset show {manifest.workload}")


def print_card(folder: Path, manifest: DatasetManifest) -> None:
    """The card, and what else there is."""
    output = console()
    text = (folder_of(folder, manifest) / CARD).read_text(encoding="utf-8")
    output.print(Markdown(text.split("\n---\n", 1)[1]))
    others = [other.name for other in datasets_of(folder, manifest.workload) if other.name != manifest.name]
    if others:
        output.print(f"others of this workload: {', '.join(others)}", markup=False)
