"""Every prompt of a span of time -> the group that it belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from distill.workloads.contract import Prompt, read_prompt
from distill.workloads.known import read_known
from distill.workloads.mine import Known, Miner
from distill.workloads.traffic import Traffic
from distill.workloads.words import digests
from nightschool.store.filter import Filter
from nightschool.store.reader import Window

TEXTS_PER_GROUP = 40
"""Prompts of a group that its rule is made from."""

Texts = dict[int, dict[str, list[Prompt]]]
"""By number of the group, and fingerprint."""


class Placed(NamedTuple):
    """Where the prompts went."""

    templates: list[Known]
    """By number."""
    texts: Texts


def place_prompts(traffic: Traffic, known: Iterable[Known]) -> Placed:
    """Find the template of every prompt; the traffic's groups are numbered as the templates are."""
    miner = Miner(known)
    texts: Texts = defaultdict(dict)
    for chunk in traffic.prompts():
        prompts = [read_prompt(seen.endpoint, seen.fingerprint, seen.request) for seen in chunk]
        numbers = miner.place([(prompt.contract, digests(prompt.opening)) for prompt in prompts])
        traffic.place(chunk, numbers)
        for seen, number, prompt in zip(chunk, numbers, prompts, strict=True):
            if len(texts[number]) < TEXTS_PER_GROUP:
                texts[number][seen.fingerprint] = [prompt]
    return Placed(miner.known(), texts)


def members(
    store: duckdb.DuckDBPyConnection, folder: Path, identity: str, window: Window
) -> tuple[str, list[Any]] | None:
    """SQL for the exchanges of a group or a variant, with its values; None if there is none of this id.

    The condition holds in this connection only: it looks at a table that is made in it.
    """
    filters = Filter(window=window)
    templates = place_prompts(Traffic(store, filters), read_known(folder)).templates
    numbers = {template.id: number for number, template in enumerate(templates)}
    group, _, fingerprint = (identity, "", "") if identity in numbers else identity.rpartition(".")
    if group not in numbers:
        return None
    in_window, values = filters.condition()
    placed = "select fingerprint, endpoint from placed where number = ? and starts_with(fingerprint, ?)"
    condition = f"{in_window} and workload is null and (fingerprint, endpoint) in ({placed})"
    return condition, [*values, numbers[group], fingerprint]
