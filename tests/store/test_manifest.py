"""The manifest: replaced as a whole, by one process after the other."""

from __future__ import annotations

import multiprocessing
from functools import partial
from pathlib import Path

import msgspec
import pytest

from nightschool.errors import StoreError
from nightschool.store.manifest import Manifest, Segment, prepare_folder, publish, read_manifest


def segment(number: int) -> Segment:
    return Segment(path=f"exchanges/{number}.parquet", rows=1, min_time_us=0, max_time_us=0, bytes=100)


def add(folder: Path, first: int) -> None:
    for number in range(first, first + 20):
        added = partial(Manifest.with_segments, table="exchanges", added=[segment(number)])
        publish(folder, added)


def test_a_folder_without_anything_is_an_empty_store(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) == Manifest()


def test_what_is_published_is_read_again(tmp_path: Path) -> None:
    published = publish(tmp_path, lambda manifest: manifest.with_segments("exchanges", [segment(1), segment(2)]))

    assert read_manifest(tmp_path) == published
    assert published.segments("exchanges") == (segment(1), segment(2))
    assert published.generation == 1


def test_a_replaced_segment_becomes_garbage(tmp_path: Path) -> None:
    publish(tmp_path, lambda manifest: manifest.with_segments("exchanges", [segment(1), segment(2)]))
    changed = publish(tmp_path, lambda manifest: manifest.without_segments("exchanges", [segment(1)]))

    assert changed.segments("exchanges") == (segment(2),)
    assert [garbage.path for garbage in changed.garbage] == [segment(1).path]


def test_a_change_that_changes_nothing_is_not_written(tmp_path: Path) -> None:
    published = publish(tmp_path, lambda manifest: manifest.with_segments("exchanges", [segment(1)]))

    assert publish(tmp_path, lambda manifest: manifest) == published


def test_no_change_of_several_processes_is_lost(tmp_path: Path) -> None:
    processes = [multiprocessing.get_context("spawn").Process(target=add, args=(tmp_path, 100 * n)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    manifest = read_manifest(tmp_path)
    assert sorted(entry.path for entry in manifest.segments("exchanges")) == sorted(
        segment(100 * n + number).path for n in range(3) for number in range(20)
    )
    assert manifest.generation == 60


def test_a_refused_change_leaves_everything_as_it_was(tmp_path: Path) -> None:
    published = publish(tmp_path, lambda manifest: manifest.with_segments("exchanges", [segment(1)]))

    def refuse(manifest: Manifest) -> Manifest:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        publish(tmp_path, refuse)
    assert read_manifest(tmp_path) == published


def test_a_newer_format_is_refused_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode({"format_version": 99, "tables": "something new"}))

    with pytest.raises(StoreError, match=r"format version 99.*reads up to 1"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", [b"", b"{", b'{"format_version": 1, "tables": 7}', b"\xff", b'{"generation": 1}'])
def test_a_damaged_manifest_is_refused_and_named(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(text)

    with pytest.raises(StoreError, match=r"manifest.json is damaged"):
        read_manifest(tmp_path)


def test_segments_without_a_manifest_are_not_taken_for_an_empty_store(tmp_path: Path) -> None:
    (tmp_path / "exchanges" / "date=2026-01-01").mkdir(parents=True)
    (tmp_path / "exchanges" / "date=2026-01-01" / "a.parquet").touch()

    with pytest.raises(StoreError, match=r"manifest.json is missing"):
        prepare_folder(tmp_path)


def test_a_prepared_folder_has_a_manifest(tmp_path: Path) -> None:
    prepare_folder(tmp_path / "a" / "b")
    prepare_folder(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b" / "manifest.json").exists()
