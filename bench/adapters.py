"""Whether an engine ever answers with another adapter than was asked for, while adapters come and go under load.

    python -m bench.adapters [--requests N] [--json FILE]

Four adapters of a tiny model say something else each, and always the same. They are asked at random, sixteen requests
at once, half of them streamed, while two others are loaded and unloaded without a pause. An answer that is another
adapter's is wrong; one that is nobody's is counted apart (numbers of a batch are not to the last digit those of one).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import openai
from safetensors.numpy import save

from bench.figure import Figure, add_json_option, print_figures, write_figures
from demo.engine import running_engine, why_missing
from demo.tiny_model import make_tiny_model
from nightschool.engine.replica import Replica

ASKED = tuple(f"asked--{number:012x}" for number in range(4))
COMING_AND_GOING = tuple(f"other--{number:012x}" for number in range(2))
AT_ONCE = 16
TOKENS = 8
LAYERS, WIDTH, RANK = 2, 64, 8
QUESTION: Any = [{"role": "user", "content": "Who are you?"}]


def main() -> int:
    if (missing := why_missing()) is not None:
        print(f"bench: {missing}; make model", file=sys.stderr)
        return 1
    arguments = _parse()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = make_tiny_model(folder / "tiny")
        paths = {name: _adapter(folder / name, model, seed) for seed, name in enumerate((*ASKED, *COMING_AND_GOING))}
        with running_engine(log=folder / "engine.log", model=model, name="tiny", students=True) as engine:
            return asyncio.run(_measure(engine.base_url, paths, arguments.requests, arguments.json))


async def _measure(url: str, paths: dict[str, Path], requests: int, json_file: Path | None) -> int:
    replica = Replica(url, timeout_s=120, connections=4)
    client = openai.AsyncOpenAI(base_url=url, api_key="none", timeout=120)
    for name in ASKED:
        await replica.load_adapter(name, str(paths[name]))
    expected = {name: await _say(client, name, stream=False) for name in ASKED}
    if len(set(expected.values())) < len(ASKED):
        print("bench: two adapters say the same, so nobody could tell them apart", file=sys.stderr)
        return 1
    begin = time.monotonic()
    stop = asyncio.Event()
    churn = asyncio.ensure_future(_churn(replica, paths, stop))
    counts = await _ask_all(client, expected, requests)
    stop.set()
    swaps = await churn
    spent = time.monotonic() - begin
    await replica.close()
    await client.close()
    figures = [
        Figure("answers of the adapter that was asked", f"{counts['right']:,} of {requests:,}"),
        Figure("answers of another adapter", f"{counts['wrong']:,}", "0", not counts["wrong"]),
        Figure("answers of none", f"{counts['none']:,}"),
        Figure("errors", f"{counts['error']:,}"),
        Figure("loads and unloads meanwhile", f"{swaps:,}"),
    ]
    write_figures(json_file, figures)
    return print_figures(f"{requests:,} requests over {len(ASKED)} adapters in {spent:.0f} s", figures)


async def _ask_all(client: openai.AsyncOpenAI, expected: dict[str, str], requests: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    chance = random.Random(1)
    wanted = iter([chance.choice(ASKED) for _ in range(requests)])

    async def ask() -> None:
        for number, name in enumerate(wanted):
            try:
                said = await _say(client, name, stream=number % 2 == 0)
            except openai.APIError:
                counts["error"] += 1
                continue
            others = {text for other, text in expected.items() if other != name}
            counts["right" if said == expected[name] else "wrong" if said in others else "none"] += 1

    await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
    return counts


async def _say(client: openai.AsyncOpenAI, name: str, *, stream: bool) -> str:
    asked: Any = {"model": name, "messages": QUESTION, "max_tokens": TOKENS, "temperature": 0}
    if not stream:
        return (await client.chat.completions.create(**asked)).choices[0].message.content or ""
    chunks = await client.chat.completions.create(**asked, stream=True)
    return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])


async def _churn(replica: Replica, paths: dict[str, Path], stop: asyncio.Event) -> int:
    swaps = 0
    while not stop.is_set():
        for name in COMING_AND_GOING:
            await replica.load_adapter(name, str(paths[name]))
            await replica.chat({"model": name, "messages": QUESTION, "max_tokens": 1})
            await replica.unload_adapter(name)
            swaps += 2
    return swaps


def _adapter(folder: Path, model: Path, seed: int) -> Path:
    """Of random weights, so great that each says something of its own."""
    chance = np.random.default_rng(seed)
    folder.mkdir()
    weights = {
        f"base_model.model.model.layers.{layer}.self_attn.q_proj.{part}.weight": chance.normal(0, 1, shape).astype(
            np.float32
        )
        for layer in range(LAYERS)
        for part, shape in {"lora_A": (RANK, WIDTH), "lora_B": (WIDTH, RANK)}.items()
    }
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(model),
        "r": RANK,
        "lora_alpha": 2 * RANK,
        "target_modules": ["q_proj"],
        "bias": "none",
    }
    (folder / "adapter_model.safetensors").write_bytes(save(weights))
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.adapters", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000, metavar="N")
    add_json_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
