"""Which scorer suits which answers, and why."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from distill.score.choose import answers_of, choose, scorer_named
from distill.score.own import UnknownScorer
from distill.score.scorer import Message
from nightschool.config.evaluation import SCORERS
from tests.distill.score.messages import calls, says

DATA = Path(__file__).parents[4] / "shared" / "data"


def example(*answers: Message) -> dict[str, Any]:
    """A row of a dataset: a conversation in which all answers are to be learned."""
    messages = [message for answer in answers for message in ({"role": "user", "content": "?"}, answer)]
    return {"messages": json.dumps(messages), "learn": list(range(1, len(messages), 2))}


def chosen(*answers: Message) -> str:
    return choose([example(answer) for answer in answers], None).name


def test_what_the_configuration_says_goes_first() -> None:
    assert choose([example(says("x"))], "exact") == ("exact", "the configuration says so")


def test_calls_of_tools_are_compared_as_such() -> None:
    call = calls(("weather", {"city": "Oslo"}))

    always, often = choose([example(call)], None), choose([example(call, says("It rains."))], None)

    assert always == ("tool_call", "100% of the answers call tools")
    assert often.name == "tool_call"
    assert "50% of the answers call tools; of the others it only sees" in often.reason


def test_calls_that_give_lists_of_values_with_types_are_spans() -> None:
    found = [calls(("redact", {"found": [{"value": f"v{n}", "type": "name"}] * (n % 3)})) for n in range(30)]

    choice = choose([example(answer) for answer in found], None)

    assert choice == ("spans", "100% of the answers with calls give lists of values with types")


def test_lists_beside_other_arguments_are_no_spans() -> None:
    assert chosen(calls(("order", {"lines": [{"value": "x", "type": "y"}], "city": "Oslo"}))) == "tool_call"


def test_json_is_compared_by_fields_or_spans() -> None:
    assert chosen(*(says(json.dumps({"a": n, "b": {"c": n * 7}})) for n in range(30))) == "json_fields"
    assert chosen(*(says(json.dumps([{"text": f"x{n}", "label": "city"}])) for n in range(30))) == "spans"


def test_json_may_stand_in_a_code_fence() -> None:
    assert chosen(*(says(f'```json\n{{"a": {n}}}\n```') for n in range(30))) == "json_fields"
    assert chosen(*(says(f'```json\n[{{"text": "x{n}", "label": "city"}}]\n```') for n in range(30))) == "spans"


def test_few_answers_again_and_again_are_labels() -> None:
    choice = choose([example(says(f"label {n % 7}")) for n in range(100)], None)

    assert choice == ("label", "100 answers, and only 7 different ones")


def test_free_text_needs_a_judge() -> None:
    choice = choose([example(says(f"A letter about {n}, and much more.")) for n in range(100)], None)

    assert choice.name == "judge"
    assert "only a judge" in choice.reason
    assert choose([], None).name == "judge"


def test_the_answers_of_an_example_are_those_to_be_learned() -> None:
    row = example(says("a"), says("b"))

    assert answers_of(row) == [says("a"), says("b")]
    assert answers_of({"messages": json.loads(row["messages"])}) == [says("b")]


@pytest.mark.parametrize("name", [name for name in SCORERS if name != "judge"])
def test_every_scorer_is_found_by_its_name(name: str) -> None:
    assert scorer_named(name).name == name


@pytest.mark.parametrize("name", ["judge", "f1", ""])
def test_other_names_are_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(UnknownScorer, match="one of tool_call, json_fields"):
        scorer_named(name)


def test_real_intents_are_labels_and_real_agents_call_tools() -> None:
    if not DATA.exists():
        pytest.skip(f"{DATA} is not there")
    with (DATA / "banking77" / "test.csv").open() as file:
        intents = [example(says(row["category"])) for row in csv.DictReader(file)]
    episodes = json.loads((DATA / "tau-airline" / "gpt-4o-airline.json").read_text())
    turns = [turn for episode in episodes for turn in episode["traj"] if turn["role"] == "assistant"]

    assert choose(intents, None) == ("label", f"{len(intents):,} answers, and only 77 different ones")
    assert choose([example(turn) for turn in turns], None).name == "tool_call"
