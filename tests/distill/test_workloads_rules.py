"""The rule of a group, put into a configuration, names the group's requests and no other group's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distill.workloads.contract import read_prompt
from distill.workloads.discover import Discovery, Workload, discover
from distill.workloads.rule import rule_for
from distill.workloads.sample import Sample
from nightschool.config import load_config
from nightschool.store.reader import EVERYTHING
from proxy.control import NOTHING_SAID
from proxy.facts import RequestFacts
from proxy.route import RoutingTable
from tests.distill.recorded import Exchange, chat, record

NAMES = ["Ada", "Bo", "Cyril", "Dinah", "Ed", "Flo", "Gus", "Hal", "Ivy", "Jo"]
ASSISTANT = "You are the assistant of {}. You read mail and write a short answer in the tone of its reader."
TRANSLATE = "You translate from English to {}. Answer with the translation and nothing else, keep all names."


def compiled(rules: Iterable[str], folder: Path) -> RoutingTable:
    """The rules in the order given, as the proxy has them."""
    file = folder / "nightschool.yaml"
    file.write_text("upstreams: {main: {base_url: http://127.0.0.1:9}}\nworkloads:\n" + "".join(rules))
    return RoutingTable(load_config(file, {}))


def named(table: RoutingTable, request: Mapping[str, Any], endpoint: str = "/chat/completions") -> str | None:
    facts = RequestFacts(endpoint, {}, msgspec.json.encode(request), header_tags={}, deployment=None)
    return table.route(facts, NOTHING_SAID).workload


def found_in(folder: Path, exchanges: Iterable[Exchange]) -> Discovery:
    return discover(record(folder / "data", exchanges), EVERYTHING)


def assert_told_apart(folder: Path, lines: Sequence[Workload], requests: Sequence[Sequence[dict[str, Any]]]) -> None:
    """Each line's rule, alone in a configuration, names all requests of one group and none of any other."""
    groups = []
    for line in lines:
        assert line.rule is not None
        assert not line.also_matches
        table = compiled([line.rule], folder)
        names = [{named(table, request) for request in group} for group in requests]
        assert (names.count({line.id}), names.count({None})) == (1, len(requests) - 1), line.rule
        groups.append(names.index({line.id}))
    assert sorted(groups) == list(range(len(requests)))


def test_rules_of_templated_prompts_match_their_group_and_no_other(tmp_path: Path) -> None:
    requests = [
        [chat(ASSISTANT.format(name), f"mail {n}") for n, name in enumerate(NAMES)],
        [chat("Find all personal data.", f"text {n}", tools=["redact"]) for n in range(5)],
        [chat("Find all personal data.", f"text {n}", schema="entities") for n in range(5)],
        [chat(TRANSLATE.format("French"), f"text {n}") for n in range(5)],
        [chat(None, f"question {n}") for n in range(5)],
        [chat("You are a helpful assistant.", f"question {n}") for n in range(5)],
    ]

    found = found_in(tmp_path, [Exchange(request) for group in requests for request in group])

    assert_told_apart(tmp_path, found.workloads, requests)


def test_two_templates_that_differ_by_one_word_are_two_prompts_of_one_group_each_with_its_rule(tmp_path: Path) -> None:
    requests = [[chat(TRANSLATE.format(language), f"text {n}") for n in range(20)] for language in ("French", "German")]

    found = found_in(tmp_path, [Exchange(request) for group in requests for request in group])

    (group,) = found.workloads
    assert [variant.exchanges for variant in group.variants] == [20, 20]
    assert_told_apart(tmp_path, group.variants, requests)
    table = compiled([group.rule or ""], tmp_path)
    assert {named(table, request) for requests_of_one in requests for request in requests_of_one} == {group.id}


def test_a_slot_that_is_filled_in_with_many_values_makes_no_variants(tmp_path: Path) -> None:
    requests = [chat(ASSISTANT.format(name), f"mail {n}") for name in NAMES for n in range(20)]

    (group,) = found_in(tmp_path, map(Exchange, requests)).workloads

    assert group.prompts == len(NAMES)
    assert group.variants == ()


def test_a_rule_holds_for_prompts_of_its_group_that_were_not_looked_at(tmp_path: Path) -> None:
    text = "Help {} with the questions that {} has about the garden; name no poison, and answer in three sentences. {}"
    usual = [chat(text.format("Ada", "she", "x" * n), "q") for n in range(1, 70)]
    rare = [chat(text.format("Bo", "he", "y" * n), "q") for n in range(1, 4)]

    (group,) = found_in(tmp_path, map(Exchange, [*usual[:40], *rare, *usual[40:]])).workloads

    table = compiled([group.rule or ""], tmp_path)
    assert {named(table, request) for request in [*usual, *rare]} == {group.id}


def test_a_prompt_that_another_one_begins_with_is_told_by_what_it_lacks(tmp_path: Path) -> None:
    short = "Answer the question of the customer."
    long = f"{short} Then ask whether there is anything else, thank them for their patience, and sign as the team."
    requests = [[chat(short, f"q {n}") for n in range(3)], [chat(long, f"q {n}") for n in range(3)]]

    found = found_in(tmp_path, [Exchange(request) for group in requests for request in group])

    assert_told_apart(tmp_path, found.workloads, requests)


def test_groups_that_no_condition_can_tell_apart_say_so_and_which_rule_goes_first(tmp_path: Path) -> None:
    few, many = (chat("Do it.", tools=["look"]), chat("Do it.", tools=["buy", "look"]))

    found = found_in(tmp_path, [Exchange(few), Exchange(few), Exchange(many)])

    first, second = found.workloads
    assert first.also_matches == (second.id,)
    assert second.also_matches == ()
    table = compiled([second.rule or "", first.rule or ""], tmp_path)
    assert [named(table, few), named(table, many)] == [first.id, second.id]


def test_a_request_to_another_path_is_another_group(tmp_path: Path) -> None:
    body = {"model": "gpt-x", "instructions": "Be kind to everybody.", "input": "hello"}
    chats = [chat("Be kind to everybody.") for _ in range(3)]

    found = found_in(tmp_path, [*map(Exchange, chats), Exchange(body, endpoint="/responses")])

    rules = {workload.endpoint: workload for workload in found.workloads}
    for endpoint, request in (("/responses", body), ("/chat/completions", chats[0])):
        table = compiled([rules[endpoint].rule or ""], tmp_path)
        assert named(table, request, endpoint) == rules[endpoint].id
        other = "/responses" if endpoint == "/chat/completions" else "/chat/completions"
        assert named(table, request, other) is None


def test_a_group_without_recorded_text_has_no_rule(tmp_path: Path) -> None:
    found = found_in(tmp_path, [Exchange(chat("Secret orders."), bodies=False)])

    assert [workload.rule for workload in found.workloads] == [None]


def test_a_later_system_message_does_not_keep_a_rule_from_matching(tmp_path: Path) -> None:
    request = chat("Be brief, be kind, be gone.", "hello")
    later = {**request, "messages": [*request["messages"], {"role": "system", "content": "The user is angry."}]}

    (group,) = found_in(tmp_path, [Exchange(request), Exchange(later)]).workloads

    table = compiled([group.rule or ""], tmp_path)
    assert {named(table, request), named(table, later)} == {group.id}


TEXTS = st.lists(
    st.text("ab.*[](){}^$\\?+|#'\": -\n\té中", max_size=40).map(lambda text: f"{text} begin {text} end"),
    min_size=2,
    max_size=6,
    unique=True,
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS, tools=st.sampled_from([(), ("a*b",), ("a[b]", "c?")]))
def test_a_rule_survives_yaml_and_matches_its_own_text_whatever_stands_in_it(
    texts: list[str], tools: tuple[str, ...], tmp_path: Path
) -> None:
    requests = {f"w{n}": chat(text, tools=tools) for n, text in enumerate(texts)}
    prompts = {
        name: read_prompt("/chat/completions", "f", msgspec.json.encode(request).decode())
        for name, request in requests.items()
    }
    samples = {name: Sample(prompt.contract, (prompt.system,)) for name, prompt in prompts.items()}

    for name, own in samples.items():
        others = {other: sample for other, sample in samples.items() if other != name}
        rule = rule_for(own, others)
        assert rule is not None
        table = compiled([rule.yaml(name)], tmp_path)
        matching = {other for other, request in requests.items() if named(table, request) == name}
        assert matching == {name, *rule.also_matches}


@pytest.mark.parametrize(
    "request_body",
    [
        chat("Be kind."),
        chat(None),
        chat("x", tools=["a", "b"], schema="out"),
        {
            "messages": [
                {"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
            ]
        },
        {"instructions": "Be kind.", "input": "hi", "text": {"format": {"type": "json_schema", "name": "out"}}},
        {"messages": [{"role": "user", "content": "x"}], "functions": [{"name": "old"}]},
        {"messages": "nonsense", "tools": {"no": "list"}},
    ],
    ids=lambda body: ",".join(body),
)
def test_prompts_are_read_as_the_rules_read_them(request_body: dict[str, Any]) -> None:
    text = msgspec.json.encode(request_body)
    facts = RequestFacts("/x", {}, text, header_tags={}, deployment=None)

    prompt = read_prompt("/x", "f", text.decode())

    assert prompt.system == facts.system_prompt
    assert prompt.contract.tools == tuple(sorted(facts.tools))
    assert prompt.contract.schema == facts.schema
