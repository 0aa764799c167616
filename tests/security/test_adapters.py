"""An adapter from a stranger: nothing of it is loaded that could run code, or that lies outside of its folder."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from nightschool.formats import CHATML
from nightschool.registry.adapters import (
    CONFIG,
    WEIGHTS,
    AdapterDamaged,
    adapters_of,
    check_files,
    find_adapter,
    folder_of,
    place_of,
    publish,
)
from nightschool.registry.manifest import MANIFEST
from serve.wanted import Unservable, Wanted
from tests.registry.test_adapters import manifest

PICKLE = b"\x80\x04cos\nsystem\n\x94\x8c\x02id\x94\x85\x94R\x94."


def zipped() -> bytes:
    """What torch.save writes: a zip with a pickle in it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/data.pkl", PICKLE)
    return content.getvalue()


def adapter(data: Path, **files: bytes) -> Path:
    """A folder whose manifest knows all of ``files``, dots in their names written as two underscores."""
    given = {name.replace("__", "."): content for name, content in files.items()}
    return folder_of(data, publish(data, manifest(), {WEIGHTS: b"weights", CONFIG: b"{}", **given}))


@pytest.mark.parametrize("name", ["bin", "BIN", "pt", "Pth", "pkl", "pickle", "py", "so"])
@pytest.mark.parametrize("content", [PICKLE, zipped(), b""])
def test_what_could_run_code_is_refused_even_where_the_manifest_names_it(
    tmp_path: Path, name: str, content: bytes
) -> None:
    folder = adapter(tmp_path, **{f"adapter_model__{name}": content})

    with pytest.raises(AdapterDamaged, match=f"adapter_model.{name} could run code"):
        check_files(folder)


@pytest.mark.parametrize("key", ["auto_map", "auto_mapping", "trust_remote_code", "megatron_config"])
def test_a_configuration_that_names_code_is_refused(tmp_path: Path, key: str) -> None:
    folder = adapter(tmp_path, adapter_config__json=json.dumps({key: {"parent_library": "os"}}).encode())

    with pytest.raises(AdapterDamaged, match=f"names code to run: {key}"):
        check_files(folder)


@pytest.mark.parametrize("config", [b"", b"[]", b"{", PICKLE, b"[" * 100_000, b'{"r": \xff}'])
def test_a_configuration_that_is_no_object_is_refused(tmp_path: Path, config: bytes) -> None:
    with pytest.raises(AdapterDamaged, match=CONFIG):
        check_files(adapter(tmp_path, adapter_config__json=config))


@pytest.mark.parametrize("where", ["/etc/passwd", "../../outside", "manifest.json"])
def test_a_link_is_refused_wherever_it_leads(tmp_path: Path, where: str) -> None:
    folder = adapter(tmp_path)
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).symlink_to(where)

    with pytest.raises(AdapterDamaged, match="is no plain file"):
        check_files(folder)


def in_a_folder(folder: Path) -> None:
    (folder / "inner").mkdir()
    (folder / "inner" / "adapter_model.bin").write_bytes(PICKLE)


def more_weights(folder: Path) -> None:
    (folder / "new_embeddings.safetensors").write_bytes(b"weights")


def a_tokenizer(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["evil.py", null]}}')


@pytest.mark.parametrize("add", [in_a_folder, more_weights, a_tokenizer])
def test_what_the_manifest_does_not_name_is_refused(tmp_path: Path, add: Callable[[Path], None]) -> None:
    folder = adapter(tmp_path)
    add(folder)

    with pytest.raises(AdapterDamaged, match=r"is no plain file|is not in its manifest"):
        check_files(folder)


def forged(data: Path, folder_name: str, **told: object) -> Path:
    """A folder whose manifest says ``told``."""
    folder = place_of(data) / folder_name
    folder.mkdir(parents=True)
    (folder / WEIGHTS).write_bytes(b"weights")
    (folder / CONFIG).write_bytes(b"{}")
    (folder / MANIFEST).write_bytes(msgspec.json.encode(msgspec.structs.replace(manifest(), **told)))
    return folder


@pytest.mark.parametrize("name", ["../../etc", "/etc", "w--other", "", "w--" + "0" * 12 + "/.."])
def test_a_manifest_cannot_lead_to_another_folder(tmp_path: Path, name: str) -> None:
    forged(tmp_path, "w--000000000000", name=name)

    with pytest.raises(AdapterDamaged, match="names another adapter"):
        find_adapter(tmp_path, "w")


@pytest.mark.parametrize("file", ["../../../../etc/passwd", "/etc/passwd", "inner/x"])
def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path, file: str) -> None:
    folder = forged(
        tmp_path, "w--000000000000", name="w--000000000000", files={WEIGHTS: "0" * 64, CONFIG: "0" * 64, file: "0" * 64}
    )

    with pytest.raises(AdapterDamaged):
        check_files(folder)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"[" * 100_000, b'{"name": "\\ud800"}', PICKLE])
def test_a_manifest_that_is_none_is_told_and_nothing_else(tmp_path: Path, content: bytes) -> None:
    folder = forged(tmp_path, "w--000000000000")
    (folder / MANIFEST).write_bytes(content)

    with pytest.raises(AdapterDamaged, match=MANIFEST):
        adapters_of(tmp_path, "w")


@pytest.mark.parametrize("name", ["../outside", "/etc", "..", ".", "", "w/../../outside"])
def test_no_name_has_an_engine_load_from_outside_of_the_adapters(tmp_path: Path, name: str) -> None:
    adapter(tmp_path).rename(tmp_path / "outside")

    with pytest.raises(Unservable, match="is no name of an adapter"):
        Wanted(tmp_path, "base", CHATML).folder_of(name)
