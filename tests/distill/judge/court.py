"""A judge with a store, as an evaluation uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import nightschool
from distill.judge.budget import Budget
from distill.judge.client import JudgeClient
from distill.judge.judge import Counts, Judge, Judged, Pair
from distill.judge.kept import kept_verdicts
from distill.judge.rubric import GENERAL
from nightschool.config import Judge as JudgeConfig
from nightschool.config import Upstream
from nightschool.record import Price


def pair(number: int, answer: str, against: str) -> Pair:
    question = [{"role": "user", "content": f"question {number}"}]
    return Pair(f"exchange-{number}", question, [], says(answer), says(against))


def says(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def judged(
    folder: Path, base_url: str, pairs: Sequence[Pair], *, price: Price | None = None, width: int = 1, **told: Any
) -> tuple[list[Judged], Counts]:
    """Judge all pairs, ``width`` at once."""
    config = JudgeConfig(upstream="judge", **{"model": "judge-model", "timeout_s": 5.0, **told})

    async def all_of_them() -> tuple[list[Judged], Counts]:
        client = JudgeClient(config, Upstream(base_url=base_url), pause_s=0.01)
        budget = Budget(config.max_usd, config.max_calls, price, answer_tokens=1000)
        try:
            with kept_verdicts(folder, folder / "verdicts.jsonl", workload="w", model=config.model) as kept:
                judge = Judge(client, kept, budget, workload="w", model=config.model, rubric=config.rubric or GENERAL)
                gate = asyncio.Semaphore(width)

                async def one(of: Pair) -> Judged:
                    async with gate:
                        return await judge.compare(of)

                return list(await asyncio.gather(*map(one, pairs))), judge.counts
        finally:
            await client.close()

    return asyncio.run(all_of_them())


def verdicts(folder: Path) -> list[tuple[Any, ...]]:
    with closing(nightschool.open_store(folder)) as store:
        return store.execute("select exchange_id, better, cost_usd from verdicts order by time, better").fetchall()
