"""What is wrong with a replica is said, with what to do about it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from distill.evaluate.candidate import base_alone, with_adapter
from distill.evaluate.run import evaluate
from nightschool.engine.replica import ReplicaError
from nightschool.formats import CHATML
from tests.distill.evaluate.school import ADAPTER, BASE_MODEL, evaluated, order, sorted_mail
from tests.fake_replica import FakeReplica, running_replica


@pytest.fixture
def replica() -> Iterator[FakeReplica]:
    with running_replica(FakeReplica()) as replica:
        yield replica


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sorted_mail(tmp_path)
    return tmp_path


def test_without_a_replica_it_says_how_to_start_one(folder: Path) -> None:
    with pytest.raises(ReplicaError, match=r"no replica is configured(.|\n)*start vLLM"):
        evaluate(replace(order(folder, ""), replicas=[]))


def test_a_replica_that_is_not_there(folder: Path) -> None:
    with pytest.raises(ReplicaError, match=r"127.0.0.1:9 cannot be reached(.|\n)*student.replicas"):
        evaluated(folder, "http://127.0.0.1:9")


def test_an_engine_without_adapters(replica: FakeReplica, folder: Path) -> None:
    replica.lora = False

    with pytest.raises(ReplicaError, match="--enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING"):
        evaluated(folder, replica.url)


def test_an_engine_that_does_not_see_the_folder(replica: FakeReplica, folder: Path) -> None:
    asked = order(folder, replica.url)
    shutil.move(folder / "adapters", folder / "elsewhere")

    with pytest.raises(ReplicaError, match=r"No adapter found(.|\n)*must see the folder as"):
        evaluate(asked)


def test_another_base_model(replica: FakeReplica, folder: Path) -> None:
    asked = replace(order(folder, replica.url), candidate=base_alone("Qwen/Qwen2.5-7B"))

    with pytest.raises(ReplicaError, match=r"serves /models/SmolLM2-135M-Instruct, and Qwen/Qwen2.5-7B is needed"):
        evaluate(asked)


def test_an_engine_with_a_template_of_its_own(replica: FakeReplica, folder: Path) -> None:
    replica.renders_otherwise = True

    with pytest.raises(
        ReplicaError, match=r"another way than students are taught(.|\n)*--chat-template .*chatml.jinja"
    ):
        evaluated(folder, replica.url)


def test_an_engine_that_cannot_tell_is_warned_of(replica: FakeReplica, folder: Path) -> None:
    replica.tokenizes = False

    manifest = evaluated(folder, replica.url)

    assert any("/tokenize" in warning for warning in manifest.warnings)
    assert "stop_token_ids" not in replica.chats[0]


def test_an_adapter_that_is_loaded_is_not_loaded_again(replica: FakeReplica, folder: Path) -> None:
    replica.adapters[ADAPTER] = "there already"

    evaluated(folder, replica.url)

    assert replica.adapters[ADAPTER] == "there already"


def test_an_adapter_of_another_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReplicaError, match="trained with the format 'chatml'"):
        with_adapter(ADAPTER, tmp_path, BASE_MODEL, CHATML.name, "0" * 64)
