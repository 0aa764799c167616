"""The manifest for people: a page that says what is in a dataset, and why everything else is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from distill.dataset.reasons import REASONS
from distill.dataset.sides import SIDES
from distill.dataset.snapshot import DatasetManifest

_LARGE_SHARE, _LARGE = 0.2, 20
_EXAMPLES = 3


def card_of(manifest: DatasetManifest, folder: Path) -> str:
    """Markdown, with the head by which Hugging Face's `datasets` finds the three files."""
    return "\n".join(
        [
            *_head(),
            f"# {manifest.workload} {manifest.name}",
            "",
            f"Made of {manifest.exchanges:,} exchanges from {manifest.first[:16]} to {manifest.last[:16]} UTC "
            f"({manifest.source}).",
            "",
            *_sides(manifest),
            *_notes(manifest),
            *_exclusions(manifest, some_ids(folder)),
            *_settings(manifest),
        ]
    )


def _head() -> Iterator[str]:
    yield "---\nconfigs:\n- config_name: default\n  data_files:"
    for side in SIDES:
        yield f"  - split: {side}\n    path: {side}.parquet"
    yield "---\n"


def _sides(manifest: DatasetManifest) -> Iterator[str]:
    yield "| | examples | answers | groups | labelled | of the newest days |\n|---|---:|---:|---:|---:|---:|"
    for name in SIDES:
        side = manifest.sides[name]
        counts = (side.examples, side.answers, side.groups, side.labelled, side.newest)
        yield f"| {name} | " + " | ".join(f"{count:,}" for count in counts) + " |"
    yield ""


def _notes(manifest: DatasetManifest) -> Iterator[str]:
    yield f"- Conversations: {manifest.held_in_longer:,} answers are learned inside of a longer conversation."
    yield f"- Exact duplicates: {manifest.merged:,} inputs came several times; the newest answer stands for them."
    yield (
        f"- Near duplicates: {manifest.near_clusters:,} clusters among the training examples; "
        "the `weight` of each is 1/√(size of its cluster)."
    )
    if manifest.unchecked_calls:
        yield (
            f"- Tools: {manifest.unchecked_calls:,} answers call tools that their requests do not list (imported "
            "trajectories leave them out); their arguments could not be checked against a schema."
        )
    if any(side.with_logprobs for side in manifest.sides.values()):
        told = ", ".join(f"{side.with_logprobs:,} of {side.answers:,} {name}" for name, side in manifest.sides.items())
        yield f"- Log probabilities of the teacher: {told} answers have them (column `logprobs`)."
    if manifest.novelty is not None:
        novelty, tests = manifest.novelty, manifest.sides["test"].examples
        yield (
            f"- Novelty of the test examples: median {novelty.median:.2f}; {novelty.novel:,} of {tests:,} are at least "
            f"half new, {novelty.copies:,} have a near duplicate on the training side."
        )
    yield f"- Newest days: `newest` is true from {manifest.newest_from[:16]} UTC on."
    yield "- Leakage: no exact input and no group of the test or validation side is on the training side (checked)."
    for name in SIDES:
        side = manifest.sides[name]
        if side.largest_group > max(_LARGE_SHARE * side.examples, _LARGE):
            yield (
                f"- **Look at this**: {side.largest_group:,} of the {side.examples:,} {name} examples are one group, "
                "linked by a conversation or by exact inputs. Does the application give all calls one conversation id?"
            )
    if not manifest.sides["test"].examples:
        yield "- **Look at this**: there is no test example yet; a student made from this cannot be compared."
    yield ""


def _exclusions(manifest: DatasetManifest, some: dict[str, list[str]]) -> Iterator[str]:
    left_out = sum(manifest.exclusions.values())
    yield f"## Left out: {left_out:,} of {manifest.exchanges:,} exchanges\n"
    if not left_out:
        yield "None.\n"
        return
    yield "| reason | exchanges | what it means | for example |\n|---|---:|---|---|"
    for reason, count in manifest.exclusions.items():
        yield f"| {reason} | {count:,} | {REASONS[reason]} | {', '.join(some.get(reason, ()))} |"
    yield "\n`excluded.parquet` names every one of them, with what was met.\n"


def _settings(manifest: DatasetManifest) -> Iterator[str]:
    yield "## Made with\n"
    for name in manifest.settings.__struct_fields__:
        yield f"- {name}: {getattr(manifest.settings, name)}"
    if manifest.since or manifest.until:
        yield f"- window: {manifest.since or 'the beginning'} to {manifest.until or 'the end'}"
    yield f"- sha256: {manifest.hash}\n"


def some_ids(folder: Path) -> dict[str, list[str]]:
    """The first few exchanges of each reason."""
    some: dict[str, list[str]] = {}
    with pq.ParquetFile(folder / "excluded.parquet") as file:
        for batch in file.iter_batches(columns=["id", "reason"]):
            for identity, reason in zip(*(batch.column(index).to_pylist() for index in (0, 1)), strict=True):
                ids = some.setdefault(reason, [])
                if len(ids) < _EXAMPLES:
                    ids.append(identity)
    return some
