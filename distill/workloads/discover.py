"""The store -> workloads: those that rules name, and the groups that no rule names yet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb
import msgspec

from distill.workloads.answers import Answer, Kind, kind_of, read_answer
from distill.workloads.contract import Prompt, read_prompt
from distill.workloads.known import holding, read_known, write_known
from distill.workloads.mine import Known
from distill.workloads.place import Placed, place_prompts
from distill.workloads.rule import Rule, rule_for
from distill.workloads.sample import Sample
from distill.workloads.traffic import Figures, Newest, Traffic
from nightschool.errors import StoreError
from nightschool.store.filter import Filter
from nightschool.store.query import ask
from nightschool.store.reader import Window
from nightschool.wire.request import read_request

MOST_VARIANTS = 8
"""More values of a word are a slot that is filled in, not several prompts."""
VARIANT_EXCHANGES = 20
"""A prompt that recurs so often was written by somebody."""
EXAMPLE_CHARS = 2_000
MOST_KEPT = 5_000
"""Templates that keep their ids; an application that makes up every prompt would fill the disk with them."""


class Example(msgspec.Struct, frozen=True):
    """The newest good exchange."""

    id: str
    question: str
    answer: str


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of task, as it was seen in a span of time."""

    id: str
    """The name, where a rule or a header gave one."""
    named: bool
    exchanges: int
    share: float
    """Of all exchanges that hold a prompt, 0 to 1."""
    spend_usd: float | None
    """Of the ``priced`` exchanges; null if the cost of none is known."""
    priced: int
    prompt_tokens: int | None
    completion_tokens: int | None
    first_seen: str
    last_seen: str
    kind: Kind
    models: list[str]
    prompts: int
    """Distinct fingerprints."""
    endpoint: str | None = None
    tools: tuple[str, ...] = ()
    schema: str | None = None
    example: Example | None = None
    rule: str | None = None
    """YAML that would name it; null where it has a name, or its text is not recorded."""
    also_matches: tuple[str, ...] = ()
    """Groups that the rule cannot be told from."""
    variants: tuple[Workload, ...] = ()
    """The few prompts that it consists of, where each recurs: perhaps tasks of their own."""


class Discovery(msgspec.Struct, frozen=True):
    """What was found, most exchanges seen."""

    workloads: tuple[Workload, ...]
    without_prompt: int
    """Exchanges that no workload can be made of."""

    def find(self, identity: str) -> Workload:
        """The workload, group or variant of this id."""
        everything = {w.id: w for workload in self.workloads for w in (workload, *workload.variants)}
        if identity not in everything:
            raise StoreError(
                f"there is no workload {identity!r} in this span of time",
                remedy="`nightschool workloads` lists them; --since looks further back",
            )
        return everything[identity]


def discover(folder: Path, window: Window) -> Discovery:
    """Look at the exchanges of a span of time; ids of new groups are kept in the data folder."""
    with holding(folder) as kept:
        known = read_known(folder)

        def question(store: duckdb.DuckDBPyConnection) -> tuple[Discovery, list[Known]]:
            traffic = Traffic(store, Filter(window=window))
            placed = place_prompts(traffic, known)
            return _Found(traffic, placed).discovery(), placed.templates

        discovery, templates = ask(folder, question, window)
        if kept and tuple(templates) != known:
            write_known(folder, templates[: max(len(known), MOST_KEPT)])
    return discovery


class _Found:
    """Everything that was read of the groups, and the lines that are made of it."""

    def __init__(self, traffic: Traffic, placed: Placed) -> None:
        self._templates, self._texts = placed
        self._groups = traffic.groups()
        self._named = traffic.named()
        self._variants: dict[int, list[Figures]] = defaultdict(list)
        for number, figures in traffic.variants(most=MOST_VARIANTS, fewest_exchanges=VARIANT_EXCHANGES):
            self._variants[number].append(figures)
        self._without_prompt = traffic.without_prompt()
        self._total = sum(figures.exchanges for figures in (*self._groups, *self._named))
        self._answers: dict[str | int, list[Answer]] = defaultdict(list)
        self._examples: dict[str | int, Example] = {}
        for newest in traffic.answers(len(self._groups) + len(self._named)):
            self._look_at(newest)

    def discovery(self) -> Discovery:
        samples = {self._templates[group.name].id: self._sample(group.name) for group in self._groups}
        named = [self._workload(figures, figures.name, figures.name, named=True) for figures in self._named]
        groups = [self._group(figures, samples) for figures in self._groups]
        order = sorted([*named, *groups], key=lambda workload: (-workload.exchanges, workload.id))
        return Discovery(tuple(order), self._without_prompt)

    def _look_at(self, newest: Newest) -> None:
        request, answer = newest.asked.request, read_answer(newest.response)
        if answer is not None:
            self._answers[newest.key].append(answer)
        if request is not None and isinstance(newest.key, int):
            texts = self._texts[newest.key].setdefault(newest.asked.fingerprint, [])
            texts.append(read_prompt(newest.asked.endpoint, newest.asked.fingerprint, request))
        if request is not None and answer is not None and newest.key not in self._examples:
            said = answer.canonical.strip()[:EXAMPLE_CHARS]
            self._examples[newest.key] = Example(newest.id, _question(request)[:EXAMPLE_CHARS], said)

    def _group(self, figures: Figures, samples: Mapping[str, Sample]) -> Workload:
        known = self._templates[figures.name]
        others = {name: sample for name, sample in samples.items() if name != known.id}
        row = self._ruled(self._workload(figures, known.id, figures.name), samples[known.id], others)
        return msgspec.structs.replace(row, variants=self._variants_of(figures.name, others))

    def _variants_of(self, number: int, others: Mapping[str, Sample]) -> tuple[Workload, ...]:
        known, texts = self._templates[number], self._texts[number]
        lines = sorted(self._variants.get(number, ()), key=lambda figures: (-figures.exchanges, figures.name))
        names = {figures.name: f"{known.id}.{figures.name[:6]}" for figures in lines}
        samples = {names[name]: Sample(known.contract, _systems(texts[name])) for name in names}
        rows = []
        for figures in lines:
            name = names[figures.name]
            siblings = {sibling: sample for sibling, sample in samples.items() if sibling != name}
            row = self._workload(figures, name, number)
            rows.append(self._ruled(row, samples[name], {**others, **siblings}))
        return tuple(rows)

    def _ruled(self, row: Workload, own: Sample, others: Mapping[str, Sample]) -> Workload:
        rule: Rule | None = rule_for(own, others)
        return msgspec.structs.replace(
            row,
            endpoint=own.contract.endpoint,
            tools=own.contract.tools,
            schema=own.contract.schema,
            rule=rule and rule.yaml(row.id),
            also_matches=rule.also_matches if rule else (),
        )

    def _sample(self, number: int) -> Sample:
        known = self._templates[number]
        prompts = [prompt for prompts in self._texts[number].values() for prompt in prompts]
        return Sample(known.contract, _systems(prompts), known.template if known.template.varies else None)

    def _workload(self, figures: Figures, name: str, key: str | int, *, named: bool = False) -> Workload:
        return Workload(
            id=name,
            named=named,
            exchanges=figures.exchanges,
            share=figures.exchanges / self._total,
            spend_usd=figures.spend,
            priced=figures.priced,
            prompt_tokens=figures.prompt_tokens,
            completion_tokens=figures.completion_tokens,
            first_seen=figures.first_seen.isoformat(),
            last_seen=figures.last_seen.isoformat(),
            kind=kind_of(self._answers.get(key, [])),
            models=sorted(filter(None, figures.models)),
            prompts=figures.prompts,
            example=self._examples.get(key),
        )


def _systems(prompts: Iterable[Prompt]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(prompt.system for prompt in prompts)) or ("",)


def _question(request: str) -> str:
    """What the user said last."""
    body = read_request(request.encode("utf-8", "replace"))
    said = [turn.content for turn in body.turns if turn.role == "user"] if body else []
    if said and isinstance(said[-1], list):
        return "".join(
            part["text"] for part in said[-1] if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    return said[-1] if said and isinstance(said[-1], str) else ""
