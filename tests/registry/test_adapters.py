"""Adapters on the disk: whole, found, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from nightschool.registry.adapters import (
    AdapterDamaged,
    UnknownAdapter,
    adapters_of,
    check_files,
    content_hash,
    find_adapter,
    folder_of,
    name_of,
    publish,
    read_adapter,
)
from nightschool.registry.manifest import MANIFEST, AdapterManifest, Outcome, Source

FILES = {"adapter_model.safetensors": b"weights", "adapter_config.json": b"{}"}


def manifest(
    workload: str = "w", created: str = "2026-11-25T02:00:00+00:00", weights: bytes = b"weights"
) -> AdapterManifest:
    digest = content_hash(weights, b"{}")
    return AdapterManifest(
        name=name_of(workload, digest),
        workload=workload,
        hash=digest,
        created=created,
        base_model="base",
        base_revision="r",
        format="chatml",
        template_hash="t",
        run="run",
        dataset=Source(name="d", hash="h", sequences=1, learned_tokens=1, too_long=0),
        settings=(),
        outcome=Outcome(steps=1, best_step=1, best_loss=None, tokens=1, seconds=1.0, stopped_early=False),
        versions={},
        files={},
    )


def published(data: Path, **told: Any) -> AdapterManifest:
    return publish(data, manifest(**told), FILES)


def test_what_was_published_is_found_and_whole(tmp_path: Path) -> None:
    adapter = published(tmp_path)

    assert find_adapter(tmp_path, "w") == adapter
    assert check_files(folder_of(tmp_path, adapter)) == adapter
    assert set(adapter.files) == set(FILES)


def test_the_newest_is_found_and_each_by_a_piece_of_its_name(tmp_path: Path) -> None:
    old = publish(tmp_path, manifest(weights=b"old"), FILES)
    new = publish(tmp_path, manifest(created="2026-11-26T02:00:00+00:00"), FILES)
    published(tmp_path, workload="other")

    assert adapters_of(tmp_path, "w") == [old, new]
    assert find_adapter(tmp_path, "w") == new
    assert find_adapter(tmp_path, "w", old.name[-6:]) == old
    with pytest.raises(UnknownAdapter, match=f"there are: {old.name}, {new.name}"):
        find_adapter(tmp_path, "w", "w--")
    with pytest.raises(UnknownAdapter, match="`nightschool train nobody` makes one"):
        find_adapter(tmp_path, "nobody")


def test_one_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    first = published(tmp_path)

    assert published(tmp_path, created="2027-01-01T00:00:00+00:00") == first


@pytest.mark.parametrize("workload", ["../../etc", "a/b", ".", "..", "fingerprint:12ab", "with space", "Ü"])
def test_whatever_a_workload_is_called_its_adapters_stay_in_their_place(tmp_path: Path, workload: str) -> None:
    adapter = published(tmp_path, workload=workload)

    assert [path.name for path in (tmp_path / "adapters").iterdir()] == [adapter.name]
    assert find_adapter(tmp_path, workload) == adapter


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (
            lambda place: (place / "adapter_model.safetensors").write_bytes(b"other"),
            "safetensors was changed: its SHA-256",
        ),
        (lambda place: (place / "adapter_config.json").unlink(), r"adapter_config\.json is missing"),
        (lambda place: (place / "adapter_model.bin").write_bytes(b""), r"adapter_model\.bin could run code"),
        (lambda place: (place / MANIFEST).write_bytes(b"{"), r"manifest\.json: "),
        (lambda place: (place / MANIFEST).unlink(), r"manifest\.json: "),
    ],
)
def test_one_that_was_tampered_with_or_half_copied_is_refused(tmp_path: Path, damage: object, fault: str) -> None:
    place = folder_of(tmp_path, published(tmp_path))
    assert callable(damage)
    damage(place)

    with pytest.raises(AdapterDamaged, match=fault):
        check_files(place)


def test_a_manifest_from_a_newer_version_is_refused(tmp_path: Path) -> None:
    adapter = published(tmp_path)
    newer = msgspec.structs.replace(adapter, format_version=99)
    (folder_of(tmp_path, adapter) / MANIFEST).write_bytes(msgspec.json.encode(newer))

    with pytest.raises(AdapterDamaged, match="has version 99, this reads 1"):
        read_adapter(folder_of(tmp_path, adapter))
