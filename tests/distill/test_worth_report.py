"""The report over a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distill.selection import Selection, UnknownWorkload
from distill.workloads.discover import discover
from distill.worth.answers import Answers, input_key
from distill.worth.figures import Figures
from distill.worth.markdown import markdown
from distill.worth.report import measure
from distill.worth.verdict import judge
from nightschool.store.imports.importer import import_files
from nightschool.store.reader import EVERYTHING, Window
from tests.distill.recorded import DAY_US, NOON_US, Exchange, call, chat, record

EPISODES = Path(__file__).parents[2].parent / "shared" / "data" / "tau-airline" / "gpt-4o-airline.json"
SORT = "You sort messages of customers. Answer with the name of a department."


def sorting(number: int, department: str, *, day: float = 0.0, **told: Any) -> Exchange:
    time_us = NOON_US + int(day * DAY_US) + number
    return Exchange(chat(SORT, f"message {number}"), department, time_us, "sort")._replace(**told)


def test_every_exchange_is_counted_and_the_unusable_by_reason(tmp_path: Path) -> None:
    record(
        tmp_path,
        [
            *(sorting(n, "sales", day=n) for n in range(5)),
            sorting(11, "sa", finish_reason="length"),
            sorting(12, "", finish_reason="content_filter"),
            sorting(13, "sales", status=500),
            sorting(14, "sales", target="student"),
            sorting(15, "sales", endpoint="/completions"),
            sorting(16, "sales", bodies=False),
            sorting(17, "other")._replace(workload="another"),
        ],
    )

    figures = measure(tmp_path, Selection("sort")).figures

    assert (figures.rows, figures.usable, figures.groups) == (11, 5, 5)
    assert figures.unusable == {
        "not_a_chat": 1,
        "student_served": 1,
        "failed": 1,
        "truncated": 1,
        "filtered": 1,
        "no_text": 1,
    }
    assert figures.days == pytest.approx(4.0, abs=1e-6)
    assert figures.spend_usd == pytest.approx(figures.priced * (100 * 10 + 50 * 20) / 1e6)
    assert figures.prompt_tokens == (100.0, 100.0)


def test_the_newest_week_is_held_against_the_one_before(tmp_path: Path) -> None:
    days = [0, 1, 5, 8, 9, 10, 10.5, 11, 12, 14.5]
    record(tmp_path, [sorting(n, "sales", day=day) for n, day in enumerate(days)])

    figures = measure(tmp_path, Selection("sort")).figures

    assert (figures.newest_week, figures.week_before) == (7, 2)


def test_labels_are_found_and_listed(tmp_path: Path) -> None:
    record(tmp_path, [sorting(n, ("sales", "support", "sales")[n % 3]) for n in range(60)])

    found = measure(tmp_path, Selection("sort"))

    assert found.answers.kind == "label"
    assert found.answers.labels == {"sales": 40, "support": 20}
    assert found.verdict.looks == "good"
    assert found.verdict.reasons[0].startswith("2 labels from a closed set")
    assert "| `sales` | 40 |" in markdown(found)


def test_a_teacher_that_contradicts_itself_is_noticed(tmp_path: Path) -> None:
    asked = [Exchange(chat(SORT, f"message {n % 10}"), ("a", "b")[n // 10 % 2], workload="sort") for n in range(40)]
    record(tmp_path, asked)

    found = measure(tmp_path, Selection("sort"))

    assert found.answers.repeated_inputs == 10
    assert found.answers.pairs == 60
    assert found.answers.agreement == pytest.approx(20 / 60)
    assert found.verdict.looks == "fair"
    assert "asked the same again, the teacher gives the same answer in 33% of 60 pairs only" in found.verdict.reasons[1]


def test_sampling_parameters_do_not_make_another_input() -> None:
    one = '{"messages": [{"role": "user", "content": "x"}], "temperature": 0, "model": "a"}'
    other = '{"model": "b", "messages": [{"content": "x", "role": "user"}]}'

    assert input_key(one) == input_key(other)
    assert input_key(one) != input_key(one.replace('"x"', '"y"'))
    assert input_key(None) == input_key(None) != input_key("not JSON")


def test_a_group_without_a_name_is_measured_by_its_id_and_so_is_one_of_its_prompts(tmp_path: Path) -> None:
    text = "You translate from English to {}. Answer with the translation and nothing else, keep all names."
    french = [Exchange(chat(text.format("French"), f"t {n}"), f"a {n}") for n in range(25)]
    german = [Exchange(chat(text.format("German"), f"t {n}"), f"a {n}") for n in range(20)]
    record(tmp_path, [*french, *german, *(Exchange(chat("Else."), call("f", "{}")) for _ in range(9))])
    (group, _) = discover(tmp_path, EVERYTHING).workloads

    whole = measure(tmp_path, Selection(group.id))
    parts = [measure(tmp_path, Selection(variant.id)) for variant in group.variants]

    assert whole.figures.rows == 45
    assert [part.figures.rows for part in parts] == [25, 20]
    assert whole.answers.kind == "text"


def test_exchanges_can_be_picked_by_fingerprint_or_condition(tmp_path: Path) -> None:
    record(tmp_path, [sorting(n, "sales") for n in range(3)])
    fingerprint = "fingerprint:"

    by_condition = measure(tmp_path, Selection("any-name", where="workload = 'sort' and status = 200"))

    assert by_condition.figures.rows == 3
    assert by_condition.workload == "any-name"
    with pytest.raises(UnknownWorkload, match="nothing is recorded for 'fingerprint:0000'"):
        measure(tmp_path, Selection(f"{fingerprint}0000"))


@pytest.mark.parametrize("name", ["nobody", "chat-00000000", "chat.00000000.ab"])
def test_a_name_under_which_nothing_is_recorded_says_what_to_do(tmp_path: Path, name: str) -> None:
    record(tmp_path, [sorting(1, "sales")])

    with pytest.raises(UnknownWorkload) as raised:
        measure(tmp_path, Selection(name))

    assert "`nightschool workloads` lists what there is" in raised.value.remedy


def test_only_exchanges_of_the_span_of_time_count(tmp_path: Path) -> None:
    record(tmp_path, [sorting(n, "sales", day=n) for n in range(10)])

    found = measure(tmp_path, Selection("sort", window=Window(since_us=NOON_US + 8 * DAY_US)))

    assert found.figures.rows == 2


def test_little_is_said_of_few_answers(tmp_path: Path) -> None:
    record(tmp_path, [sorting(n, "sales") for n in range(5)])

    found = measure(tmp_path, Selection("sort"))

    assert found.verdict.looks == "unknown"
    assert found.verdict.reasons == ("only 5 answers: at least 20 are needed to say anything",)


def answers(**told: object) -> Answers:
    empty = Answers(
        read=100,
        kind="text",
        distinct=100,
        refusals=0,
        labels=None,
        label_count=None,
        repeated_inputs=0,
        pairs=0,
        agreement=None,
    )
    return Answers(**{**{name: getattr(empty, name) for name in empty.__struct_fields__}, **told})


def figures(tokens: float) -> Figures:
    return Figures(
        rows=100,
        usable=100,
        unusable={},
        groups=100,
        first_seen="",
        last_seen="",
        days=1.0,
        is_a_moment=False,
        spend_usd=None,
        priced=0,
        prompt_tokens=(tokens / 2, tokens),
        completion_tokens=None,
        newest_week=0,
        week_before=None,
    )


@pytest.mark.parametrize(
    ("found", "tokens", "looks"),
    [
        (answers(kind="tool_call"), 500.0, "good"),
        (answers(kind="json"), 9_000.0, "fair"),
        (answers(kind="text"), 500.0, "fair"),
        (answers(kind="text", refusals=6), 500.0, "poor"),
        (answers(kind="text", refusals=6, agreement=0.5, pairs=50), 9_000.0, "poor"),
        (answers(kind="label", agreement=0.5, pairs=19), 500.0, "good"),
        (answers(kind="unknown", read=0), 500.0, "unknown"),
    ],
)
def test_what_makes_a_task_harder_takes_a_step_off(found: Answers, tokens: float, looks: str) -> None:
    assert judge(figures(tokens), found).looks == looks


def test_the_report_of_an_unpriced_workload_says_what_is_missing(tmp_path: Path) -> None:
    request = {**chat(SORT, "x"), "model": "unheard-of"}
    record(tmp_path, [Exchange(request, status=500, workload="sort", time_us=NOON_US)])

    text = markdown(measure(tmp_path, Selection("sort", window=EVERYTHING)))

    assert text.startswith("# Is sort worth teaching?\n")
    assert "0 answers can be learned from, 353 more are needed to begin" in text


def test_the_airline_agent_is_a_task_of_tool_calls_with_rows_still_needed(tmp_path: Path) -> None:
    if not EPISODES.is_file():
        pytest.skip("the logged episodes of tau-airline are not there (../shared/data)")
    imported = import_files(tmp_path, [EPISODES], prices={}, workload="airline")

    found = measure(tmp_path, Selection("airline"))

    assert found.figures.rows == found.figures.usable == imported.exchanges
    assert found.figures.groups == len(imported.conversations)
    assert found.answers.kind == "tool_call"
    assert found.money.spend is None
    assert [bool(need.missing_rows) for need in found.needs] == [False, False, True, True, True]
    assert [need.days for need in found.needs] == [0.0, 0.0, None, None, None]
    assert "give the model a price under `prices:`" in markdown(found)
