"""A trained adapter on a real vLLM: it loads at run time, and answers token by token what the trainer's model says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from safetensors.torch import load_file

from demo.engine import Engine, running_engine, why_missing
from distill.train.lora import set_weights
from nightschool.config import Distill
from nightschool.formats import CHATML, render_prompt, served_messages
from nightschool.registry.adapters import folder_of
from nightschool.registry.manifest import AdapterManifest
from tests.distill.dataset.traffic import calls, says, user
from tests.distill.dataset.traffic import tool as tool_named
from tests.distill.train.school import school, tiny_base, tiny_folder, tiny_model, trained

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(600),
    pytest.mark.skipif(why_missing() is not None, reason=why_missing() or ""),
]
LESSON = Distill(min_examples=1, epochs=4, learning_rate=0.01, rank=8, batch_examples=4, validations_per_epoch=1)
TOOLS = [tool_named("weather", city="string")]
PROMPTS: list[list[dict[str, Any]]] = [[user(f"What is {number}?")] for number in range(3)] + [
    [{"role": "system", "content": "Be brief."}, user("Zürich <|im_end|>?")],
    [user("Oslo?"), calls("weather", '{"city": "Oslo"}'), {"role": "tool", "tool_call_id": "c", "content": "4 °C"}],
    [user("1"), says("one"), user("2")],
]


@dataclass(frozen=True)
class Served:
    """An engine that holds an adapter."""

    engine: Engine
    adapter: AdapterManifest
    folder: Path

    def post(self, path: str, body: dict[str, Any]) -> Any:
        url = self.engine.base_url.removesuffix("/v1") + path
        answer = httpx.post(url, json=body, timeout=120, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.content.startswith(b"{") else answer.text


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = school(tmp_path_factory.mktemp("school"))
    adapter = trained(folder, LESSON).adapter
    log = tmp_path_factory.mktemp("engine") / "engine.log"
    with running_engine(log=log, model=tiny_folder(), name="tiny", students=True) as engine:
        served = Served(engine, adapter, folder_of(folder, adapter))
        served.post("/v1/load_lora_adapter", {"lora_name": adapter.name, "lora_path": str(served.folder)})
        yield served


def said_by_the_trainer(served: Served, ids: list[int], tokens: int) -> list[int]:
    """Greedily, one token after the other, each over one plain sequence."""
    model = tiny_model().eval()
    model.set_attn_implementation("sdpa")
    set_weights(model, load_file(served.folder / "adapter_model.safetensors"))
    said: list[int] = []
    with torch.no_grad():
        for _ in range(tokens):
            said.append(int(model(torch.tensor([ids + said])).logits[0, -1].argmax()))
            if said[-1] == tiny_base().end_of_turn:
                break
    return said


def test_the_engine_lists_it_under_its_name(served: Served) -> None:
    models = httpx.get(f"{served.engine.base_url}/models", trust_env=False).json()["data"]

    assert {model["id"]: model.get("parent") for model in models} == {"tiny": None, served.adapter.name: "tiny"}


@pytest.mark.parametrize("messages", PROMPTS)
def test_the_engine_reads_a_prompt_as_it_was_taught(served: Served, messages: list[dict[str, Any]]) -> None:
    body = {"model": served.adapter.name, "messages": served_messages(messages), "tools": TOOLS}

    ids = served.post("/tokenize", {**body, "add_generation_prompt": True})["tokens"]

    assert ids == tiny_base().encode(render_prompt(messages, TOOLS, CHATML))


@pytest.mark.parametrize("messages", PROMPTS[:3])
def test_it_answers_what_the_trained_model_says(served: Served, messages: list[dict[str, Any]]) -> None:
    asked = {"messages": messages, "temperature": 0, "max_tokens": 16, "return_token_ids": True}

    student = served.post("/v1/chat/completions", {**asked, "model": served.adapter.name})["choices"][0]["token_ids"]
    base = served.post("/v1/chat/completions", {**asked, "model": "tiny"})["choices"][0]["token_ids"]

    expected = said_by_the_trainer(served, tiny_base().encode(render_prompt(messages, None, CHATML)), 16)
    assert student == expected
    assert student != base
