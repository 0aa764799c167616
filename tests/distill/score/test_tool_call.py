from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from distill.score.scorer import Question
from distill.score.tool_call import ToolCallScorer
from tests.distill.score.messages import ASKED, OFFERED, calls, says

TRAJECTORIES = Path(__file__).parents[4] / "shared" / "data" / "tau-airline" / "gpt-4o-airline.json"
score = ToolCallScorer()


def test_the_same_call_scores_one_however_its_json_is_spelt() -> None:
    one = calls(("weather", '{"city":"Oslo","days":3}'))
    other = calls(("weather", '{ "days": 3.0, "city": "oslo" }'))

    assert score(OFFERED, one, other) == (1.0, None)


def test_each_argument_has_its_share() -> None:
    reference = calls(("weather", {"city": "Oslo", "days": 3}))

    assert score(OFFERED, calls(("weather", {"city": "Oslo", "days": 4})), reference).value == 1 / 2
    assert score(OFFERED, calls(("weather", {"city": "Oslo"})), reference).value == 1 / 2
    assert score(ASKED, calls(("weather", {"city": "Oslo", "days": 3, "more": 1})), reference).value == 2 / 3


def test_another_tool_scores_nothing() -> None:
    assert score(ASKED, calls(("tides", {"city": "Oslo"})), calls(("weather", {"city": "Oslo"}))) == (0.0, None)


def test_parallel_calls_are_matched_in_any_order() -> None:
    reference = calls(("weather", {"city": "Oslo"}), ("weather", {"city": "Rome", "days": 1}), ("weather", {}))
    answer = calls(("weather", {}), ("weather", {"city": "Rome", "days": 2}), ("weather", {"city": "Oslo"}))

    assert score(ASKED, answer, reference).value == pytest.approx((1 + 1 / 2 + 1) / 3)


def test_missing_and_additional_calls_cost_the_same() -> None:
    one, two = calls(("weather", {"city": "Oslo"})), calls(("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"}))

    assert score(OFFERED, one, two).value == score(OFFERED, two, one).value == 1 / 2


def test_what_would_be_so_anyway_does_not_count() -> None:
    reference = calls(("weather", {"city": "Oslo"}))

    assert score(OFFERED, calls(("weather", {"city": "Oslo", "unit": "C"})), reference).value == 1
    assert score(ASKED, calls(("weather", {"city": "Oslo", "days": None})), reference).value == 1
    assert score(OFFERED, calls(("weather", {"city": "Oslo", "unit": "F"})), reference).value == 1 / 2


@pytest.mark.parametrize("broken", ["{", "[1]", '{"days": 3}', '{"city": 7}'])
def test_a_call_that_cannot_be_carried_out_scores_nothing_and_is_counted(broken: str) -> None:
    value, problem = score(OFFERED, calls(("weather", broken)), calls(("weather", {"city": "Oslo"})))

    assert value == 0
    assert problem is not None
    assert problem.startswith("invalid_answer: weather")


def test_an_invalid_call_beside_a_good_one_costs_its_share() -> None:
    answer = calls(("weather", {"city": "Oslo"}), ("invented", {}))

    scored = score(OFFERED, answer, calls(("weather", {"city": "Oslo"})))

    assert scored.value == 1 / 2
    assert scored.problem == "invalid_answer: there is no tool 'invented'"
    assert scored.is_measurement


def test_an_invalid_reference_is_no_measurement() -> None:
    broken = calls(("weather", {"days": 3}))

    scored = score(OFFERED, broken, broken)

    assert scored.value == 1
    assert scored.problem == "invalid_reference: weather: $: 'city' is a required property"
    assert not scored.is_measurement


def test_an_answer_without_calls_is_right_when_none_is_due() -> None:
    assert score(OFFERED, says("Which city?"), says("Where?")).value == 1
    assert score(OFFERED, says("Which city?"), calls(("weather", {"city": "Oslo"}))).value == 0
    assert score(OFFERED, calls(("weather", {"city": "Oslo"})), says("Where?")).value == 0


@pytest.mark.parametrize("nothing", [None, {}, {"role": "assistant", "content": None}, says("")])
def test_nothing_is_no_answer(nothing: dict[str, object] | None) -> None:
    assert score(OFFERED, nothing, says("Where?")) == (0.0, "invalid_answer: it says nothing")


def test_the_old_function_call_is_a_call() -> None:
    old = {"role": "assistant", "function_call": {"name": "weather", "arguments": '{"city": "Oslo"}'}}

    assert score(OFFERED, old, calls(("weather", {"city": "Oslo"}))).value == 1


def test_two_thousand_rows_take_less_than_five_seconds() -> None:
    """Real calls of an agent, against themselves and against others; tools with every argument that was ever used."""
    if not TRAJECTORIES.exists():
        pytest.skip(f"{TRAJECTORIES} is not there")
    turns = [turn for episode in json.loads(TRAJECTORIES.read_text()) for turn in episode["traj"]]
    answers = [turn for turn in turns if turn["role"] == "assistant" and turn.get("tool_calls")]
    tools = tools_of([call["function"] for answer in answers for call in answer["tool_calls"]])
    rows = [(answers[i % len(answers)], answers[(i + i // len(answers)) % len(answers)]) for i in range(2000)]
    began_s = time.thread_time()

    values = [score(Question([], tools=tools), answer, reference).value for answer, reference in rows]

    assert time.thread_time() - began_s < 5  # of work, however busy the machine is
    assert sum(value == 1 for value in values) >= 1000
    assert any(0 < value < 1 for value in values)


def tools_of(functions: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Definitions that allow what was called, and nothing else."""
    kinds = {str: "string", int: "number", float: "number", list: "array", dict: "object", bool: "boolean"}
    used: dict[str, dict[str, set[str]]] = {}
    for function in functions:
        for name, value in json.loads(function["arguments"]).items():
            used.setdefault(function["name"], {}).setdefault(name, set()).add(kinds[type(value)])
        used.setdefault(function["name"], {})
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "parameters": {
                    "type": "object",
                    "properties": {argument: {"type": sorted(types)} for argument, types in arguments.items()},
                    "additionalProperties": False,
                },
            },
        }
        for name, arguments in sorted(used.items())
    ]
