"""The replicas of the configuration, made ready for an evaluation.

what they hold -> the right base model -> our template -> adapters loaded
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from distill.evaluate.candidate import Candidate, served_base
from distill.evaluate.cases import Case
from nightschool.engine.replica import Replica, ReplicaError
from nightschool.formats import canonical_tools, render_prompt, served_messages

NOT_CHECKED = (
    "the engine has no /tokenize, so nobody could check that it writes prompts as students are taught; "
    "start it with the --chat-template of docs/evaluation.md"
)


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


async def make_ready(replicas: Sequence[Replica], candidates: Sequence[Candidate], some: Case) -> Ready:
    """Check every replica, and load the adapters that it does not hold; raises ReplicaError."""
    bases, warnings = set(), []
    first = candidates[0]
    for replica in replicas:
        held = await replica.models()
        base = served_base(held, replica.url, first.base_model).id
        bases.add(base)
        if not await _renders_alike(replica, base, first, some):
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
    stop = await replicas[0].token_ids(base, first.format.end_of_turn) or []
    return Ready(
        base,
        tuple(stop) if len(stop) == 1 else (),
        await replicas[0].version(),
        list(dict.fromkeys(warnings)),
    )


async def _renders_alike(replica: Replica, base: str, candidate: Candidate, case: Case) -> bool:
    """False where it cannot be told. Raises ReplicaError where the engine writes a prompt in another way than we do."""
    question = case.question
    ours = await replica.token_ids(base, render_prompt(question.messages, question.tools, candidate.format))
    theirs = await replica.prompt_ids(base, served_messages(question.messages), canonical_tools(question.tools))
    if ours is None or theirs is None:
        return False
    if ours == theirs:
        return True
    place = next((i for i, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), None)
    raise ReplicaError(
        f"{replica.url} writes prompts in another way than students are taught: {len(theirs)} tokens instead of "
        f"{len(ours)}, different from token {min(len(ours), len(theirs)) if place is None else place} on",
        remedy=f"start vLLM with --chat-template {candidate.format.template_path}",
    )
