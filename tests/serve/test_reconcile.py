"""A replica is made to hold what is wanted, by passes that can be repeated; what stands against it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from nightschool.engine.replica import Replica
from nightschool.formats import CHATML
from serve.reconcile import Reconciler
from serve.wanted import Wanted
from tests.distill.evaluate.school import BASE_MODEL
from tests.fake_replica import FakeReplica, running_replica
from tests.serve.adapters import adapter


@pytest.fixture
def server() -> Iterator[FakeReplica]:
    with running_replica(FakeReplica()) as server:
        yield server


@pytest.fixture
async def replica(server: FakeReplica) -> AsyncIterator[Replica]:
    replica = Replica(server.url, timeout_s=10, connections=2)
    yield replica
    await replica.close()


def reconciler(
    data: Path,
    replica: Replica,
    *,
    base_model: str = BASE_MODEL,
    unload_after_s: float = 60,
    answers_within_s: float = 10,
) -> Reconciler:
    return Reconciler(
        replica,
        Wanted(data, base_model, CHATML),
        base_model=base_model,
        format=CHATML,
        unload_after_s=unload_after_s,
        answers_within_s=answers_within_s,
    )


async def test_what_is_wanted_is_loaded_once_warmed_up_and_ready(
    tmp_path: Path, server: FakeReplica, replica: Replica
) -> None:
    first, second = adapter(tmp_path, 1), adapter(tmp_path, 2)
    passes = reconciler(tmp_path, replica)

    states = [await passes.look([first.name, second.name]) for _ in range(3)]

    assert states[0] == states[2]
    assert (states[0].ready, states[0].adapters, states[0].faults) == (True, (first.name, second.name), {})
    assert (states[0].base, states[0].max_model_len, states[0].stop_token_ids) == ("smollm2-135m", 2048, (2,))
    assert server.loads == [first.name, second.name]
    assert [body["model"] for body in server.chats] == [first.name, second.name]
    assert server.adapters[first.name] == str(tmp_path / "adapters" / first.name)


async def test_a_server_that_was_started_anew_is_met_anew(
    tmp_path: Path, server: FakeReplica, replica: Replica
) -> None:
    name = adapter(tmp_path, 1).name
    passes = reconciler(tmp_path, replica)
    await passes.look([name])
    server.adapters.clear()

    assert (await passes.look([name])).adapters == (name,)

    server.adapters.clear()
    server.renders_otherwise = True
    state = await passes.look([name])

    assert (state.ready, state.adapters) == (False, ())
    assert "another way than students are taught" in (state.why or "")
    assert CHATML.template_hash[:12] in (state.why or "")
    assert server.loads == [name, name]


async def test_another_base_model_is_refused_with_both_names(
    tmp_path: Path, server: FakeReplica, replica: Replica
) -> None:
    state = await reconciler(tmp_path, replica, base_model="Qwen/Qwen2.5-7B").look([])

    assert not state.ready
    assert "serves /models/SmolLM2-135M-Instruct, and Qwen/Qwen2.5-7B is needed" in (state.why or "")


async def test_an_engine_of_which_nobody_can_tell_what_it_writes_is_not_ready(
    tmp_path: Path, server: FakeReplica, replica: Replica
) -> None:
    server.tokenizes = False

    state = await reconciler(tmp_path, replica).look([])

    assert (state.ready, "no /tokenize" in (state.why or "")) == (False, True)


@pytest.mark.parametrize("harm", ["changed", "half copied", "code", "gone"])
async def test_a_damaged_adapter_is_not_loaded_and_the_others_are(
    tmp_path: Path, server: FakeReplica, replica: Replica, harm: str
) -> None:
    good, bad = adapter(tmp_path, 1), adapter(tmp_path, 2)
    folder = tmp_path / "adapters" / bad.name
    match harm:
        case "changed":
            (folder / "adapter_model.safetensors").write_bytes(b"other weights")
        case "half copied":
            (folder / "adapter_config.json").unlink()
        case "code":
            (folder / "weights.pt").write_bytes(b"")
        case _:
            folder.rename(tmp_path / "elsewhere")

    state = await reconciler(tmp_path, replica).look([bad.name, good.name])

    assert (state.ready, state.adapters) == (True, (good.name,))
    words = {"changed": "was changed", "half copied": "is missing", "code": "could run code", "gone": "no folder"}
    assert words[harm] in state.faults[bad.name]
    assert bad.name not in server.adapters


async def test_an_adapter_for_other_models_or_prompts_is_refused_with_both_named(
    tmp_path: Path, server: FakeReplica, replica: Replica
) -> None:
    other_base = adapter(tmp_path, 1, base_model="org/Other-1B")
    other_prompts = adapter(tmp_path, 2, template_hash="f" * 64)

    state = await reconciler(tmp_path, replica).look([other_base.name, other_prompts.name])

    assert f"was made for org/Other-1B, and {BASE_MODEL} is served" in state.faults[other_base.name]
    assert "ffffffffffff" in state.faults[other_prompts.name]
    assert CHATML.template_hash[:12] in state.faults[other_prompts.name]
    assert server.loads == []


async def test_what_nobody_wants_any_more_is_unloaded_after_a_while_and_what_is_not_ours_stays(
    tmp_path: Path, server: FakeReplica, replica: Replica
) -> None:
    old, new = adapter(tmp_path, 1).name, adapter(tmp_path, 2).name
    server.adapters["somebody-elses"] = "/models/other"
    patient, quick = reconciler(tmp_path, replica), reconciler(tmp_path, replica, unload_after_s=0.001)
    await patient.look([old, new])

    await patient.look([new])
    assert old in server.adapters

    for _ in range(2):
        state = await quick.look([new])
    assert set(server.adapters) == {new, "somebody-elses"}
    assert state.adapters == (new,)

    assert (await patient.look([old, new])).adapters == (old, new)


async def test_a_server_that_is_not_there_is_not_ready_and_says_why(tmp_path: Path) -> None:
    replica = Replica("http://127.0.0.1:9", timeout_s=10, connections=2)

    state = await reconciler(tmp_path, replica).look([])
    await replica.close()

    assert (state.ready, "127.0.0.1:9 cannot be reached" in (state.why or "")) == (False, True)


async def test_a_server_that_is_slow_to_answer_for_a_moment_stays_ready(
    tmp_path: Path, server: FakeReplica, replica: Replica
) -> None:
    passes = reconciler(tmp_path, replica, answers_within_s=0.2)
    ready = await passes.look([])
    server.models_delay_s = 0.5

    state = await passes.look([])

    assert (state, state.ready) == (ready, True)


@pytest.mark.parametrize(
    ("harm", "words", "passes_by_itself"),
    [
        ("slow", "gave no answer in time", True),
        ("cut off", "cannot be reached", True),
        ("unwell", "answered with status 500: engine dead", True),
        ("refused", "its rank is too great", False),
    ],
)
async def test_a_fault_that_may_pass_by_itself_is_told_apart_from_one_that_stays(
    tmp_path: Path, server: FakeReplica, harm: str, words: str, passes_by_itself: bool
) -> None:
    def cut_off(model: str, messages: list[dict[str, Any]]) -> str:
        raise ConnectionResetError

    match harm:
        case "slow":
            server.delay_s = 1.5
        case "cut off":
            server.rule = cut_off
        case "unwell":
            server.fail_next = 1
        case _:
            server.refuse = lambda body: words
    name = adapter(tmp_path, 1).name
    replica = Replica(server.url, timeout_s=0.5, connections=2)

    state = await reconciler(tmp_path, replica).look([name])
    await replica.close()

    assert (state.ready, state.adapters, words in state.faults[name]) == (True, (), True)
    assert state.passing == ((name,) if passes_by_itself else ())
