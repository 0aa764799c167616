"""From recorded log probabilities to an adapter."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import load_file

from distill.dataset.settings import Settings
from distill.train.run import Started, train
from nightschool.config import Distill
from nightschool.record import Record
from nightschool.registry.adapters import folder_of
from nightschool.registry.manifest import AdapterManifest, Setting
from tests.distill.dataset.traffic import asked, built, file, says, user
from tests.distill.recorded_logprobs import recorded
from tests.distill.train.school import QUICK, trained, wanted

OFF = QUICK.model_copy(update={"soft_labels": "off"})


def school_with(folder: Path, *, soft: int, count: int = 24) -> Path:
    """A data folder whose first ``soft`` exchanges have log probabilities, byte by byte as the tiny student reads."""
    file(folder, [lesson(number, number < soft) for number in range(count)])
    built(folder, Settings(min_examples=1, test_share=0.1))
    return folder


def lesson(number: int, soft: bool) -> Record:
    text = f"It is {number}."
    tokens = [bytes([byte]) for byte in text.encode()]
    told = recorded(text, tokens=tokens, sure=-0.7) if soft else None
    return asked(number, user(f"What is {number}?"), answer=says(text), logprobs=told)


def setting(adapter: AdapterManifest, name: str) -> Setting:
    return next(each for each in adapter.settings if each.name == name)


def weights(folder: Path, adapter: AdapterManifest) -> dict[str, torch.Tensor]:
    return load_file(folder_of(folder, adapter) / "adapter_model.safetensors")


def test_log_probabilities_are_learned_from_where_most_tokens_have_them(tmp_path: Path) -> None:
    folder = school_with(tmp_path, soft=24)
    runs: list[Started] = []

    softly = train(folder, wanted(), started=runs.append).adapter
    hard = trained(folder, OFF).adapter

    assert setting(softly, "soft_labels") == Setting("soft_labels", "on", _told(softly))
    assert setting(softly, "soft_share").value == 0.5
    assert _told(softly).endswith("% of the learned tokens have log probabilities")
    assert 85 <= int(_told(softly).split(" %")[0].split("%")[0]) < 100  # all but the ends of the answers
    assert setting(hard, "soft_labels") == Setting("soft_labels", "off", "configuration")
    assert softly.run != hard.run
    assert softly.hash != hard.hash
    assert all(each.soft is not None for each in runs[0].train.kept)
    assert all(each.soft is None for each in runs[0].validation.kept)


def _told(adapter: AdapterManifest) -> str:
    return setting(adapter, "soft_labels").origin


def test_how_much_they_count_decides_the_result(tmp_path: Path) -> None:
    folder = school_with(tmp_path, soft=24)

    half, all_ = (trained(folder, QUICK.model_copy(update={"soft_share": share})).adapter for share in (0.5, 1.0))

    assert half.run != all_.run
    assert half.hash != all_.hash


def test_where_few_have_them_they_are_left_alone(tmp_path: Path) -> None:
    adapter = trained(school_with(tmp_path, soft=6)).adapter

    assert setting(adapter, "soft_labels").value == "off"
    assert "% of the learned tokens have log probabilities" in _told(adapter)


@pytest.mark.parametrize("distill", [QUICK, OFF])
def test_without_soft_labels_an_adapter_is_what_it_would_be_without_log_probabilities(
    tmp_path: Path, distill: Distill
) -> None:
    plain = trained(school_with(tmp_path / "plain", soft=0), distill).adapter
    off = trained(school_with(tmp_path / "soft", soft=24), OFF).adapter

    assert plain.hash == off.hash
    ours, theirs = weights(tmp_path / "plain", plain), weights(tmp_path / "soft", off)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_same_command_again_finds_the_adapter(tmp_path: Path) -> None:
    folder = school_with(tmp_path, soft=24)

    assert trained(folder).new
    assert not trained(folder).new


def test_a_dataset_of_before_log_probabilities_can_still_be_learned(tmp_path: Path) -> None:
    """Its manifest does not count them, and its files have no such column."""
    import pyarrow.parquet as pq

    from distill.dataset.snapshot import MANIFEST, find
    from distill.dataset.snapshot import folder_of as place_of

    folder = school_with(tmp_path, soft=0)
    place = place_of(folder, find(folder, "w"))
    for name in ("train", "validation"):
        table = pq.read_table(place / f"{name}.parquet")
        pq.write_table(table.drop_columns(["logprobs"]), place / f"{name}.parquet")
    manifest = msgspec.json.decode((place / MANIFEST).read_bytes())
    for side in manifest["sides"].values():
        del side["with_logprobs"]
    (place / MANIFEST).write_bytes(msgspec.json.encode(manifest))

    assert trained(folder).new
