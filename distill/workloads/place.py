"""Every prompt of a span of time -> the group that it belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from distill.selection import UnknownWorkload
from distill.workloads.contract import Prompt, read_prompt
from distill.workloads.known import read_known
from distill.workloads.mine import Known, Miner
from distill.workloads.traffic import Traffic
from distill.workloads.words import digests
from nightschool.config.sentence import nearest
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
    store: duckdb.DuckDBPyConnection, folder: Path, ids: Collection[str], window: Window
) -> tuple[str, list[Any]]:
    """SQL for the exchanges of groups and variants, with its values; raises ``UnknownWorkload`` for an unknown id.

    The condition holds in this connection only: it looks at a table that is made in it.
    """
    filters = Filter(window=window)
    templates = place_prompts(Traffic(store, filters), read_known(folder)).templates
    numbers = {template.id: number for number, template in enumerate(templates)}
    in_window, values = filters.condition()
    one_of = []
    for identity in ids:
        group, _, fingerprint = (identity, "", "") if identity in numbers else identity.rpartition(".")
        if group not in numbers:
            near = nearest(identity, numbers)
            raise UnknownWorkload(
                f"there is no group {identity!r}" + (f"; did you mean {near!r}?" if near else ""),
                remedy="`nightschool workloads` lists them with their ids",
            )
        one_of.append("number = ? and starts_with(fingerprint, ?)")
        values += [numbers[group], fingerprint]
    placed = f"select fingerprint, endpoint from placed where {' or '.join(one_of)}"
    return f"{in_window} and workload is null and (fingerprint, endpoint) in ({placed})", values
