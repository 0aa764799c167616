"""From a dataset to an adapter on the disk."""

from __future__ import annotations

import csv
import json
import multiprocessing
import random
import shutil
import time
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.dataset.snapshot import UnknownDataset
from distill.room import DiskFull
from distill.train.base import find_base
from distill.train.checkpoint import FILE
from distill.train.lora import set_weights
from distill.train.run import NothingToLearn, Started, Wanted, train
from distill.train.unusable import BaseModelError
from nightschool.errors import StoreBusy, UnknownFamily
from nightschool.formats import CHATML
from nightschool.registry.adapters import adapters_of, check_files, folder_of
from nightschool.registry.manifest import AdapterManifest
from nightschool.store.lock import lock_at_once
from tests.distill.train.crash_driver import learn
from tests.distill.train.school import QUICK, lessons, school, tiny_base, tiny_folder, tiny_model, trained
from tests.full_file import make_full_file

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["tests.distill.train.crash_driver"])
"""So that torch is imported once, and not for each of the processes that are to be killed."""


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AdapterManifest]:
    folder = school(tmp_path_factory.mktemp("taught"))
    return folder, trained(folder).adapter


def test_an_adapter_says_what_it_is_made_of(taught: tuple[Path, AdapterManifest]) -> None:
    folder, adapter = taught

    assert adapter.name == f"w--{adapter.hash[:12]}"
    assert (adapter.workload, adapter.base_model, adapter.base_revision) == (
        "w",
        str(tiny_folder()),
        tiny_base().revision,
    )
    assert (adapter.format, adapter.template_hash) == ("chatml", CHATML.template_hash)
    assert 0 < adapter.dataset.sequences < 24
    assert {setting.name: setting.origin for setting in adapter.settings}["epochs"] == "configuration"
    assert adapter.outcome.best_loss is not None
    assert {"torch", "transformers", "peft", "nightschool"} == set(adapter.versions)
    assert check_files(folder_of(folder, adapter)) == adapter
    assert adapters_of(folder, "w") == [adapter]


def test_only_safetensors_and_texts_and_a_picture_are_in_its_folder(taught: tuple[Path, AdapterManifest]) -> None:
    folder, adapter = taught
    place = folder_of(folder, adapter)

    assert sorted(path.name for path in place.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "curve.csv",
        "curve.png",
        "manifest.json",
    ]
    assert (place / "curve.png").read_bytes().startswith(b"\x89PNG")
    with (place / "curve.csv").open() as file:
        points = list(csv.DictReader(file))
    assert len(points) == adapter.outcome.steps
    assert (place / "README.md").read_text().startswith(f"---\nbase_model: {tiny_folder()}\n")


def test_its_card_has_all_that_a_vllm_needs_to_serve_it(taught: tuple[Path, AdapterManifest]) -> None:
    folder, adapter = taught
    rank = json.loads((folder_of(folder, adapter) / "adapter_config.json").read_text())["r"]

    card = (folder_of(folder, adapter) / "README.md").read_text()

    assert f"vllm serve {tiny_folder()} " in card
    assert f"--enable-lora --max-lora-rank {rank} " in card
    assert "import CHATML; print(CHATML.template_path)" in card
    assert "--enable-auto-tool-choice --tool-call-parser hermes " in card
    assert f"--lora-modules {adapter.name}=." in card


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft's, when it loads
def test_plain_peft_loads_it_and_says_the_same(taught: tuple[Path, AdapterManifest]) -> None:
    from peft import AutoPeftModelForCausalLM
    from safetensors.torch import load_file

    folder, adapter = taught
    place = folder_of(folder, adapter)
    ids = torch.tensor([lessons(1)[0].ids])
    ours = tiny_model().eval()
    ours.set_attn_implementation("sdpa")  # whole, as everybody else does it
    with torch.no_grad():
        untrained = ours(ids).logits
        set_weights(ours, load_file(place / "adapter_model.safetensors"))
        expected = ours(ids).logits

    loaded = AutoPeftModelForCausalLM.from_pretrained(str(place))

    with torch.no_grad():
        assert torch.equal(loaded(ids).logits, expected)
    assert not torch.allclose(expected, untrained, atol=1e-3)


def test_the_same_command_again_finds_what_was_trained(taught: tuple[Path, AdapterManifest]) -> None:
    folder, adapter = taught

    again = trained(folder)

    assert (again.adapter, again.new) == (adapter, False)


def test_another_setting_is_another_run(taught: tuple[Path, AdapterManifest]) -> None:
    folder, adapter = taught

    other = trained(folder, QUICK.model_copy(update={"seed": 2}))

    assert (other.new, other.adapter.name != adapter.name) == (True, True)
    assert other.adapter.run != adapter.run


def test_settings_and_sizes_are_told_before_the_first_step(tmp_path: Path) -> None:
    told: list[Started] = []

    trained(school(tmp_path), started=told.append)

    (run,) = told
    assert len(run.train.kept) + len(run.validation.kept) <= 24
    assert run.memory.startswith("needs about")
    assert [each.name for each in run.settings][:2] == ["epochs", "learning_rate"]


def test_a_kill_at_any_time_changes_nothing(tmp_path: Path) -> None:
    chance = random.Random(5)
    school(tmp_path / "template")
    expected = name_of(*begun(tmp_path, "undisturbed"))

    for attempt in range(4):
        process, told = begun(tmp_path, f"killed-{attempt}")
        assert told.recv() == "started"
        time.sleep(chance.uniform(0.0, 0.6))
        process.kill()
        process.join()
        visible = adapters_of(tmp_path / f"killed-{attempt}", "w")
        assert [check_files(folder_of(tmp_path / f"killed-{attempt}", each)) for each in visible] == visible

        assert name_of(*begun(tmp_path, f"killed-{attempt}", fresh=False)) == expected


def begun(place: Path, name: str, *, fresh: bool = True) -> tuple[ForkServerProcess, Connection]:
    """A process that trains what is in this folder, and what it tells."""
    if fresh:
        shutil.copytree(place / "template", place / name)
    told, telling = FORKED.Pipe(duplex=False)
    process = FORKED.Process(target=learn, args=(place / name, str(tiny_folder()), telling.send))
    process.start()
    telling.close()
    return process, told


def name_of(process: ForkServerProcess, told: Connection) -> str:
    """Of the adapter that comes of it in the end; it may have been finished before it was killed."""
    name = told.recv()
    if name == "started":
        name = told.recv()
    process.join()
    assert process.exitcode == 0
    return str(name)


def test_what_is_longer_than_the_window_is_left_out_and_counted(tmp_path: Path) -> None:
    folder = school(tmp_path)

    with pytest.raises(NothingToLearn, match=r"training examples of w fits into 10 tokens\n  try: raise `max_tokens`"):
        trained(folder, QUICK.model_copy(update={"max_tokens": 10}))


def test_a_full_disk_in_the_middle_of_a_checkpoint_leaves_the_last_one(tmp_path: Path) -> None:
    folder = school(tmp_path)

    def fill(point: Any, _: object) -> None:
        if point.step == 3:
            (place,) = (folder / "runs").iterdir()
            make_full_file(place / f"{FILE}.tmp")

    with pytest.raises(DiskFull, match="so the training stopped\n  try: make room, and give the same command again"):
        trained(folder, watch=fill, checkpoint_every_s=0.0)

    assert adapters_of(folder, "w") == []
    assert trained(folder).new


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    folder = school(tmp_path / "data")
    model = shutil.copytree(tiny_folder(), tmp_path / "model")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (model / name).unlink()

    with pytest.raises(UnknownFamily, match="has no tokenizer"):
        train(folder, Wanted("w", str(model), QUICK))


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    folder = school(tmp_path / "data")
    model = shutil.copytree(tiny_folder(), tmp_path / "model")
    (model / "model.safetensors").unlink()

    with pytest.raises(BaseModelError, match=r"the base model .*/model cannot be loaded"):
        train(folder, Wanted("w", str(model), QUICK))


def test_a_gguf_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match=r"there is no file .*no\.gguf"):
        find_base(str(tmp_path / "no.gguf"), tmp_path)


def test_without_a_dataset_the_message_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UnknownDataset, match="nightschool dataset build w"):
        trained(tmp_path)


def test_two_processes_do_not_train_the_same(tmp_path: Path) -> None:
    folder = school(tmp_path)
    names: list[str] = []

    def while_it_runs(point: Any, _: object) -> None:
        if point.step == 1:
            (place,) = (folder / "runs").iterdir()
            names.append(place.name)
            with lock_at_once(place / "lock") as held:
                assert not held

    trained(folder, watch=while_it_runs)
    (folder / "runs" / names[0] / "finished.json").unlink()
    with (
        lock_at_once(folder / "runs" / names[0] / "lock"),
        pytest.raises(StoreBusy, match="is being trained by another"),
    ):
        trained(folder)
