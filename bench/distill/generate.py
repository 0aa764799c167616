"""Prompts -> greedy answers of a base model, with or without an adapter: a program of its own, since it needs torch.

    python -m bench.distill.generate --base FOLDER [--adapter FOLDER] --stop TOKEN PROMPTS ANSWERS

PROMPTS is a JSON array of complete prompt texts, ANSWERS becomes one of completion texts in the same order. What all
prompts begin with is computed once; prompts of similar length are answered side by side, and an answer that has ended
leaves its batch.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

BATCH = 32
MOST_TOKENS = 400


def main() -> None:
    """Read, generate, write."""
    arguments = _parse()
    os.environ.update(HF_HUB_OFFLINE="1", TQDM_DISABLE="1")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(arguments.threads)
    tokenizer = AutoTokenizer.from_pretrained(arguments.base)
    model = AutoModelForCausalLM.from_pretrained(arguments.base, dtype=torch.float32)
    if arguments.adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, arguments.adapter).merge_and_unload()
    prompts = json.loads(arguments.prompts.read_text())
    ids = [tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in prompts]
    stop = int(tokenizer.get_vocab()[arguments.stop])
    model.train(False)
    answers = generate(model, ids, stop=stop, most=arguments.most_tokens)
    arguments.answers.write_text(json.dumps([tokenizer.decode(answer) for answer in answers]))


def generate(
    model: Any, prompts: Sequence[list[int]], *, stop: int, most: int = MOST_TOKENS, batch: int = BATCH
) -> list[list[int]]:
    """The most likely token, again and again, until ``stop`` (which is left out) or ``most`` tokens."""
    import torch

    shared = _shared(prompts)
    answers: dict[int, list[int]] = {}
    with torch.inference_mode():
        cache = model(torch.tensor([prompts[0][:shared]]), use_cache=True).past_key_values if shared else None
        for places in _batches(prompts, batch):
            rests = [prompts[place][shared:] for place in places]
            said = _batch(model, copy.deepcopy(cache), shared, rests, stop=stop, most=most)
            answers.update(zip(places, said, strict=True))
            print(f"{len(answers)} of {len(prompts)} answered", file=sys.stderr, flush=True)
    return [answers[place] for place in range(len(prompts))]


def _batch(
    model: Any, cache: Any, shared: int, rests: Sequence[Sequence[int]], *, stop: int, most: int
) -> list[list[int]]:
    """B prompts at once, padded on the left between what they share (S tokens) and the rest of each (R at most)."""
    import torch

    longest = max(map(len, rests))
    tokens_BR = torch.tensor([[stop] * (longest - len(rest)) + list(rest) for rest in rests])
    seen_BR = torch.tensor([[0] * (longest - len(rest)) + [1] * len(rest) for rest in rests])
    seen_BL = torch.cat([torch.ones(len(rests), shared, dtype=torch.long), seen_BR], dim=1)
    places_BR = (seen_BL.cumsum(1) - 1).clamp(min=0)[:, shared:]
    if cache is not None:
        cache.batch_repeat_interleave(len(rests))
    said: list[list[int]] = [[] for _ in rests]
    going = torch.arange(len(rests))
    for _ in range(most):
        output = model(
            tokens_BR,
            attention_mask=seen_BL,
            position_ids=places_BR,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache = output.past_key_values
        next_B = output.logits[:, -1].argmax(-1)
        goes_on = next_B != stop
        for row, token in zip(going[goes_on].tolist(), next_B[goes_on].tolist(), strict=True):
            said[row].append(token)
        if not goes_on.any():
            break
        if not goes_on.all():
            cache.batch_select_indices(goes_on.nonzero()[:, 0])
        going, seen_BL = going[goes_on], _one_more(seen_BL[goes_on])
        tokens_BR, places_BR = next_B[goes_on][:, None], places_BR[goes_on][:, -1:] + 1
    return said


def _one_more(seen_BL: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.cat([seen_BL, torch.ones_like(seen_BL[:, :1])], dim=1)


def _shared(prompts: Sequence[list[int]]) -> int:
    """How many tokens all prompts begin with alike; at least one is left of each."""
    lowest, highest = min(prompts), max(prompts)
    pairs = zip(lowest[:-1], highest[:-1], strict=False)
    return next((place for place, pair in enumerate(pairs) if pair[0] != pair[1]), min(map(len, prompts)) - 1)


def _batches(prompts: Sequence[list[int]], size: int) -> Iterator[list[int]]:
    """Places of prompts, the shortest first."""
    places = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    return (places[start : start + size] for start in range(0, len(places), size))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--stop", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--most-tokens", type=int, default=MOST_TOKENS)
    parser.add_argument("prompts", type=Path)
    parser.add_argument("answers", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
