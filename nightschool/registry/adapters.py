"""Adapters in the data folder: found by name, checked against their manifest, published whole or not at all.

    data/adapters/<workload>--<12 hex>/  adapter_model.safetensors  adapter_config.json
                                         manifest.json  README.md  curve.csv  curve.png

Immutable: the name is made of what is in it. Weights are safetensors; what could run code when it is loaded is refused.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from nightschool.digest import digest_of
from nightschool.errors import NightschoolError
from nightschool.registry.manifest import FORMAT_VERSION, MANIFEST, AdapterManifest
from nightschool.store.durable import make_folder, new_file, sync_folder

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
CARD = "README.md"
_HASH_DIGITS = 12
_RUNS_CODE = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".py", ".so")
_NAMES_CODE = ("auto_map", "auto_mapping", "trust_remote_code", "custom_code", "megatron_config")


class UnknownAdapter(NightschoolError):
    """No adapter has this name."""


class AdapterDamaged(NightschoolError):
    """An adapter's folder is not what its manifest says."""

    def __init__(self, folder: Path, fault: str) -> None:
        super().__init__(
            f"the adapter {folder.name} cannot be used: {fault}",
            remedy=f"delete {folder} and train again, or restore it from a backup",
        )


def adapters_of(data: Path, workload: str) -> list[AdapterManifest]:
    """Every adapter of a workload, the newest last."""
    # By their names: a damaged folder of another workload is no business of this one.
    found = [read_adapter(path.parent) for path in place_of(data).glob(f"{_quoted(workload)}--*/{MANIFEST}")]
    own = [manifest for manifest in found if manifest.workload == workload]
    return sorted(own, key=lambda manifest: (manifest.created, manifest.name))


def find_adapter(data: Path, workload: str, name: str | None = None) -> AdapterManifest:
    """The adapter of this name (or a piece of it), or the newest one."""
    known = adapters_of(data, workload)
    if not known:
        raise UnknownAdapter(f"there is no adapter of {workload}", remedy=f"`nightschool train {workload}` makes one")
    matching = [manifest for manifest in known if name is None or name in manifest.name]
    if not matching or (name is not None and len(matching) > 1):
        names = ", ".join(manifest.name for manifest in known)
        raise UnknownAdapter(f"{name!r} names no adapter of {workload}, or several", remedy=f"there are: {names}")
    return matching[-1]


def read_adapter(folder: Path) -> AdapterManifest:
    """The manifest of an adapter; ``AdapterDamaged`` where it cannot be read. The files are not looked at."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=AdapterManifest)
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise AdapterDamaged(folder, f"{MANIFEST}: {error}") from error
    if manifest.format_version > FORMAT_VERSION:
        raise AdapterDamaged(folder, f"{MANIFEST} has version {manifest.format_version}, this reads {FORMAT_VERSION}")
    if manifest.name != folder.name:
        raise AdapterDamaged(folder, f"{MANIFEST} names another adapter: {manifest.name!r}")
    return manifest


def check_files(folder: Path) -> AdapterManifest:
    """Read all of an adapter; ``AdapterDamaged`` if a file is missing, changed, or could run code."""
    manifest = read_adapter(folder)
    there = {path.name: path for path in folder.iterdir()}
    for name, path in there.items():
        if path.suffix.lower() in _RUNS_CODE:
            raise AdapterDamaged(folder, f"{name} could run code when it is loaded")
        if path.is_symlink() or not path.is_file():
            raise AdapterDamaged(folder, f"{name} is no plain file")
        if name != MANIFEST and name not in manifest.files:
            raise AdapterDamaged(folder, f"{name} is not in its manifest")
    for name, digest in manifest.files.items():
        if name not in there:
            raise AdapterDamaged(folder, f"{name} is missing")
        if digest_of(there[name]) != digest:
            raise AdapterDamaged(folder, f"{name} was changed: its SHA-256 is not {digest[:12]}…")
    _refuse_code(folder, there)
    return manifest


def _refuse_code(folder: Path, there: Mapping[str, Path]) -> None:
    """The configuration may say how weights are applied, and not what is to be imported for that."""
    if CONFIG not in there:
        raise AdapterDamaged(folder, f"{CONFIG} is missing")
    try:
        config = msgspec.json.decode(there[CONFIG].read_bytes(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AdapterDamaged(folder, f"{CONFIG}: {error}") from error
    for key in _NAMES_CODE:
        if config.get(key):
            raise AdapterDamaged(folder, f"{CONFIG} names code to run: {key}")


def place_of(data: Path) -> Path:
    return data / "adapters"


def folder_of(data: Path, manifest: AdapterManifest) -> Path:
    return place_of(data) / manifest.name


def name_of(workload: str, digest: str) -> str:
    """``<workload>--<12 hex>``, as one path component whatever the workload is called."""
    return f"{_quoted(workload)}--{digest[:_HASH_DIGITS]}"


def _quoted(workload: str) -> str:
    return quote(workload, safe="").replace(".", "%2E")


def content_hash(weights: bytes, config: bytes) -> str:
    """What names an adapter: its weights and how they are applied."""
    return hashlib.sha256(hashlib.sha256(weights).digest() + hashlib.sha256(config).digest()).hexdigest()


def publish(data: Path, manifest: AdapterManifest, files: Mapping[str, bytes]) -> AdapterManifest:
    """Write a folder under another name, make it durable, and rename it; one that is there already stays as it is."""
    target = folder_of(data, manifest)
    if target.exists():
        return read_adapter(target)
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    make_folder(unfinished)
    try:
        for name, content in files.items():
            _write(unfinished / name, content)
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        manifest = msgspec.structs.replace(manifest, files=digests)
        _write(unfinished / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
        unfinished.rename(target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    sync_folder(target.parent)
    return manifest


def _write(path: Path, content: bytes) -> None:
    with new_file(path) as file:
        file.write(content)
