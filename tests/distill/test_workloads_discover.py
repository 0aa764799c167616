"""What is found in a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.workloads.discover import discover
from distill.workloads.known import NAME
from nightschool.errors import StoreError
from nightschool.store.imports.importer import import_files
from nightschool.store.reader import EVERYTHING, Window
from tests.distill.recorded import DAY_US, NOON_US, Exchange, call, chat, record

EPISODES = Path(__file__).parents[2].parent / "shared" / "data" / "tau-airline" / "gpt-4o-airline.json"
SORT = "You sort messages from customers of an online bookshop. Answer with the name of a department."


def test_exchanges_without_a_name_are_grouped_and_those_with_one_are_listed_beside_them(tmp_path: Path) -> None:
    record(
        tmp_path,
        [
            *(Exchange(chat(SORT, f"message {n}"), "sales" if n % 2 else "support") for n in range(30)),
            *(Exchange(chat("Redact.", f"text {n}", tools=["redact"]), call("redact", "{}")) for n in range(10)),
            *(Exchange(chat("Be kind.", f"q {n}"), f"answer {n}", workload="kindness") for n in range(20)),
        ],
    )

    found = discover(tmp_path, EVERYTHING).workloads

    assert [(line.named, line.exchanges, line.share, line.kind) for line in found] == [
        (False, 30, 0.5, "label"),
        (True, 20, 20 / 60, "text"),
        (False, 10, 10 / 60, "tool_call"),
    ]
    assert found[1].id == "kindness"
    assert found[1].rule is None
    assert found[2].tools == ("redact",)
    assert found[2].example is not None
    assert (found[2].example.question, found[2].example.answer) == ("text 9", '["redact",{}]')


def test_spend_and_tokens_are_summed_and_spend_is_null_where_no_price_is_known(tmp_path: Path) -> None:
    record(tmp_path, [Exchange(chat("One.")), Exchange(chat("One."))])
    unpriced = record(tmp_path / "other", [Exchange({"messages": [{"role": "user", "content": "hi"}]}, status=500)])

    (line,) = discover(tmp_path, EVERYTHING).workloads
    (other,) = discover(unpriced, EVERYTHING).workloads

    assert line.spend_usd == pytest.approx(2 * (100 * 10 + 50 * 20) / 1e6)
    assert (line.priced, line.prompt_tokens, line.completion_tokens) == (2, 200, 100)
    assert other.exchanges == 1
    assert other.kind == "unknown"


def test_only_exchanges_of_the_span_of_time_count(tmp_path: Path) -> None:
    record(tmp_path, [Exchange(chat(SORT), time_us=NOON_US + day * DAY_US) for day in range(10)])

    (line,) = discover(tmp_path, Window(since_us=NOON_US + 7 * DAY_US)).workloads

    assert line.exchanges == 3
    assert line.first_seen == "2026-03-17T12:00:00+00:00"
    assert line.last_seen == "2026-03-19T12:00:00+00:00"


def test_a_template_that_widens_keeps_its_id_and_so_does_one_whose_first_prompts_are_out_of_sight(
    tmp_path: Path,
) -> None:
    text = "You are the assistant of {}. You read mail and write a short answer in the tone of its reader."
    names = ["Ada", "Bo Bell", "Cy", "Di Doe"]
    record(tmp_path, [Exchange(chat(text.format(names[0])))])
    (first,) = discover(tmp_path, EVERYTHING).workloads

    late = NOON_US + DAY_US
    record(tmp_path, [Exchange(chat(text.format(name)), time_us=late + n) for n, name in enumerate(names[1:])])
    (all_of_it,) = discover(tmp_path, EVERYTHING).workloads
    (only_late,) = discover(tmp_path, Window(since_us=late)).workloads

    assert first.id == all_of_it.id == only_late.id
    assert (first.prompts, all_of_it.prompts, only_late.prompts) == (1, 4, 3)


def test_the_kept_file_holds_no_text(tmp_path: Path) -> None:
    record(tmp_path, [Exchange(chat("The patient Mergatroyd has a secret."))])

    discover(tmp_path, EVERYTHING)

    kept = (tmp_path / NAME).read_text()
    assert not [word for word in ("patient", "Mergatroyd", "secret") if word in kept]


def test_a_damaged_file_of_ids_is_named_with_what_to_do(tmp_path: Path) -> None:
    record(tmp_path, [Exchange(chat(SORT))])
    (tmp_path / NAME).write_text('{"templates": [7]}')

    with pytest.raises(StoreError, match=r"workloads\.json is damaged") as raised:
        discover(tmp_path, EVERYTHING)

    assert "remove it" in raised.value.remedy


def test_a_file_of_ids_from_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    record(tmp_path, [Exchange(chat(SORT))])
    (tmp_path / NAME).write_text('{"templates": [], "format_version": 2}')

    with pytest.raises(StoreError, match="version 2"):
        discover(tmp_path, EVERYTHING)


def test_prompts_without_any_system_message_are_one_group(tmp_path: Path) -> None:
    record(tmp_path, [Exchange(chat(None, question)) for question in ("Who?", "What on earth?", "Tell me all.")])

    (line,) = discover(tmp_path, EVERYTHING).workloads

    assert (line.exchanges, line.prompts) == (3, 1)
    assert line.rule is not None
    assert "system_prompt: ^\\s*$" in line.rule


def test_exchanges_that_ask_nothing_are_counted_apart(tmp_path: Path) -> None:
    record(tmp_path, [Exchange(chat(SORT)), Exchange({}, endpoint="/models")])

    found = discover(tmp_path, EVERYTHING)

    assert len(found.workloads) == 1
    assert found.without_prompt == 1


def test_an_empty_store_has_no_workloads(tmp_path: Path) -> None:
    record(tmp_path, [])

    assert discover(tmp_path, EVERYTHING).workloads == ()


def test_the_airline_agent_is_one_group_of_tool_calls(tmp_path: Path) -> None:
    if not EPISODES.is_file():
        pytest.skip("the logged episodes of tau-airline are not there (../shared/data)")
    imported = import_files(tmp_path, [EPISODES], prices={})

    found = discover(tmp_path, EVERYTHING)

    (line,) = found.workloads
    assert [line.id] == [again.id for again in discover(tmp_path, EVERYTHING).workloads]
    assert line.exchanges == imported.exchanges
    assert line.kind == "tool_call"
    assert line.spend_usd is None
    assert line.rule is not None
    assert "^# Airline Agent Policy" in line.rule
