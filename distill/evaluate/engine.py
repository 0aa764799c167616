"""The replicas of the configuration, made ready for an evaluation.

what they hold -> the right base model -> our template -> adapters loaded
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from distill.evaluate.candidate import Candidate
from distill.evaluate.cases import Case
from nightschool.engine.base import served_base
from nightschool.engine.rendering import NOT_CHECKED, end_of_turn_ids, renders_alike
from nightschool.engine.replica import Replica, ReplicaError


class Ready(NamedTuple):
    """Replicas that can be asked."""

    base: str
    """The name under which they serve the base model."""
    stop_token_ids: tuple[int, ...]
    version: str | None
    warnings: list[str]


@asynccontextmanager
async def open_replicas(urls: Sequence[str], *, timeout_s: float, width: int) -> AsyncIterator[list[Replica]]:
    """Raises ReplicaError where none is configured."""
    if not urls:
        raise ReplicaError(
            "no replica is configured, and a student's answers come from the engine that will serve it",
            remedy="start vLLM with the base model (docs/evaluation.md has the command) and name it in "
            "`student: {base_model: …, replicas: [http://…]}`",
        )
    replicas = [Replica(url, timeout_s=timeout_s, connections=width) for url in urls]
    try:
        yield replicas
    finally:
        for replica in replicas:
            await replica.close()


async def make_ready(replicas: Sequence[Replica], candidates: Sequence[Candidate], some: Sequence[Case]) -> Ready:
    """Check every replica on some cases, and load the adapters that it does not hold; raises ReplicaError."""
    bases, warnings = set(), []
    first = candidates[0]
    for replica in replicas:
        held = await replica.models()
        base = served_base(held, replica.url, first.base_model).id
        bases.add(base)
        questions = [case.question for case in some]
        alike = [await renders_alike(replica, base, first.format, each.messages, each.tools) for each in questions]
        if not all(alike):
            warnings.append(NOT_CHECKED)
        for candidate in candidates:
            if candidate.name is not None and candidate.name not in {model.id for model in held}:
                await replica.load_adapter(candidate.name, str(candidate.folder))
    if len(bases) > 1:
        raise ReplicaError(
            f"the replicas serve the base model under different names: {', '.join(sorted(bases))}",
            remedy="give all of them the same --served-model-name",
        )
    base = bases.pop()
    return Ready(
        base,
        await end_of_turn_ids(replicas[0], base, first.format),
        await replicas[0].version(),
        list(dict.fromkeys(warnings)),
    )
