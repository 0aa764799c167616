"""Whether an engine writes prompts as students are taught, told token by token."""

from __future__ import annotations

from typing import Any

from nightschool.engine.replica import Replica, ReplicaError
from nightschool.formats import Format, canonical_tools, render_prompt, served_messages

NOT_CHECKED = (
    "the engine has no /tokenize, so nobody could check that it writes prompts as students are taught; "
    "start it with the --chat-template of docs/evaluation.md"
)


async def renders_alike(
    replica: Replica, base: str, format: Format, messages: list[dict[str, Any]], tools: list[dict[str, Any]]
) -> bool:
    """False where it cannot be told. Raises ReplicaError where the engine writes a prompt in another way than we do."""
    ours = await replica.token_ids(base, render_prompt(messages, tools, format))
    theirs = await replica.prompt_ids(base, served_messages(messages), canonical_tools(tools))
    if ours is None or theirs is None:
        return False
    if ours == theirs:
        return True
    place = next((i for i, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), None)
    raise ReplicaError(
        f"{replica.url} writes prompts in another way than students are taught: {len(theirs)} tokens instead of "
        f"{len(ours)}, different from token {min(len(ours), len(theirs)) if place is None else place} on; our template "
        f"is {format.name} {format.template_hash[:12]}",
        remedy=f"start vLLM with --chat-template {format.template_path}",
    )


async def end_of_turn_ids(replica: Replica, base: str, format: Format) -> tuple[int, ...]:
    """What ends an answer, where the model's own configuration does not say so; none where it cannot be told."""
    ids = await replica.token_ids(base, format.end_of_turn) or []
    return tuple(ids) if len(ids) == 1 else ()
