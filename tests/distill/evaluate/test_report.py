"""The report: its numbers against a reckoning of their own, its texts harmless, its size bearable."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from distill.evaluate.figures import figures_of
from distill.evaluate.intervals import Interval, interval_of, mcnemar, wilson
from distill.evaluate.result import HTML, MARKDOWN, ROWS, Manifest
from nightschool.record import Label
from nightschool.store.append import append
from nightschool.store.schema import table_of
from tests.distill.dataset.traffic import asked, built, calls, file, says, tool, user
from tests.distill.evaluate.school import (
    ADAPTER,
    SETTINGS,
    SYSTEM,
    evaluated,
    examples_of,
    label_of,
    number_in,
    place,
    rows,
    sorted_mail,
)
from tests.fake_replica import FakeReplica, running_replica

EVIL = '</pre><script>alert(1)</script><img src=x onerror="alert(2)">```\n# not a heading | cell'


@pytest.fixture
def replica() -> Iterator[FakeReplica]:
    def rule(model: str, messages: list[dict[str, Any]]) -> str:
        number = number_in(messages[-1]["content"])
        return label_of(number) if model == ADAPTER and number % 6 else "other"

    with running_replica(FakeReplica(rule)) as replica:
        yield replica


def test_the_figures_are_those_of_an_independent_reckoning(replica: FakeReplica, tmp_path: Path) -> None:
    dataset = sorted_mail(tmp_path)
    for number, row in enumerate(examples_of(tmp_path, dataset)[:20]):
        message = json.dumps(says("other" if number % 3 else "refund"))
        label = Label(exchange_id=row["id"], time_us=number, message=message, author="ann")
        append(tmp_path, "labels", table_of("labels", [label]))
    built(tmp_path, SETTINGS)
    manifest = evaluated(tmp_path, replica.url)

    figures = figures_of(place(tmp_path, manifest) / ROWS)

    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows(tmp_path, manifest):
        scores[row["system"]][row["group"]].append(row["score"])
    means = {name: {group: sum(own) / len(own) for group, own in of.items()} for name, of in scores.items()}
    for system in figures.systems:
        mine, theirs = means[system.name], means["teacher"]
        assert system.score is not None
        assert system.score.mean == pytest.approx(sum(mine.values()) / len(mine))
        assert (system.groups, system.interval) == (len(mine), "Wilson")
        assert system.score.low == pytest.approx(_wilson_low(sum(mine.values()), len(mine)))
        if system.name != "teacher":
            between = [mine[group] - theirs[group] for group in mine]
            assert system.difference is not None
            assert system.difference.mean == pytest.approx(sum(between) / len(between))
            assert system.better == sum(value > 0 for value in between)
            assert system.worse == sum(value < 0 for value in between)
    assert _told(manifest, tmp_path, "student") == f"{sum(means['student'].values()) / len(means['student']):.3f}"


def _wilson_low(right: float, count: int) -> float:
    """By the quadratic equation that Wilson's interval solves: (p - x)^2 = z^2 x (1 - x) / n."""
    share, z2 = right / count, 1.959963984540054**2
    a, b, c = 1 + z2 / count, -(2 * share + z2 / count), share**2
    return (-b - math.sqrt(b * b - 4 * a * c)) / (2 * a)


def _told(manifest: Manifest, folder: Path, system: str) -> str:
    text = (place(folder, manifest) / MARKDOWN).read_text()
    found = re.search(rf"^\| {system} \| ([0-9.]+) \|", text, re.MULTILINE)
    assert found
    return found[1]


def test_slices_are_figures_of_their_rows(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)
    manifest = evaluated(tmp_path, replica.url)

    figures = figures_of(place(tmp_path, manifest) / ROWS)

    refunds = next(part for part in figures.slices if part.name == "label:refund")
    mine = [row["score"] for row in rows(tmp_path, manifest, "student") if "label:refund" in row["slices"]]
    assert refunds.groups == len(mine)
    assert refunds.system == pytest.approx(sum(mine) / len(mine))
    assert {part.name.split(":")[0] for part in figures.slices} >= {"label", "length", "newest days"}


def test_conversations_count_once(replica: FakeReplica, tmp_path: Path) -> None:
    records = []
    for number in range(120):
        turns = [user(f"mail {number}")]
        for turn in range(3):
            answer = says(label_of(number))
            records.append(asked(number * 3 + turn, SYSTEM, *turns, answer=answer, conversation=f"c{number}"))
            turns = [*turns, answer, user(f"again, mail {number}")]
    file(tmp_path, records)
    built(tmp_path, SETTINGS)

    manifest = evaluated(tmp_path, replica.url, few_shot=0)

    figures = figures_of(place(tmp_path, manifest) / ROWS)
    student = next(system for system in figures.systems if system.name == "student")
    assert student.rows == 3 * student.groups
    assert manifest.taken == student.rows


def test_whatever_was_recorded_is_harmless_in_the_page(tmp_path: Path) -> None:
    with running_replica(FakeReplica(lambda model, messages: EVIL[::-1] if "<" in model else EVIL)) as replica:
        records = [
            asked(number, SYSTEM, user(f"{EVIL} {number}"), answer=says(f"{EVIL} answer {number % 3}"))
            for number in range(60)
        ]
        file(tmp_path, records)
        built(tmp_path, SETTINGS)
        manifest = evaluated(tmp_path, replica.url, scorer="exact")

    page = Page()
    page.feed((place(tmp_path, manifest) / HTML).read_text())
    assert page.seen & {"script", "img", "iframe", "link", "object", "form", "base"} == set()
    assert page.handlers == []
    assert page.addresses == []
    assert EVIL in page.text
    assert page.policy == "default-src 'none'; style-src 'unsafe-inline'"


class Page(HTMLParser):
    """What a browser would find."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.handlers: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.policy: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.addresses += [str(value) for name, value in attrs if name in ("href", "src", "srcset", "action")]
        told = dict(attrs)
        if told.get("http-equiv") == "Content-Security-Policy":
            self.policy = told.get("content")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_recorded_text_ends_no_block_of_the_markdown(tmp_path: Path) -> None:
    with running_replica(FakeReplica(lambda model, messages: "x")) as replica:
        records = [asked(n, SYSTEM, user(f"{EVIL} {n}"), answer=says(f"right {n % 3}")) for n in range(60)]
        file(tmp_path, records)
        built(tmp_path, SETTINGS)
        manifest = evaluated(tmp_path, replica.url, scorer="exact")

    text = (place(tmp_path, manifest) / MARKDOWN).read_text()
    outside = re.sub(r"^(`{3,})text\n.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert EVIL.splitlines()[0] in text
    assert "script" not in outside
    assert "# not a heading" not in outside


def test_tool_calls_are_shown_and_sliced_by_tool(tmp_path: Path) -> None:
    tools = [tool("move", room="string"), tool("stop")]
    answers = [calls("move", '{"room": "hall"}'), calls("stop", "{}")]
    records = [
        asked(n, user(f"do {n}"), answer=answers[n % 2], body={"tools": tools, "tool_choice": "required"})
        for n in range(120)
    ]
    file(tmp_path, records)
    built(tmp_path, SETTINGS)

    def rule(model: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
        return {"content": None, "tool_calls": calls("move", '{"room":"hall"}')["tool_calls"]}

    with running_replica(FakeReplica(rule)) as replica:
        manifest = evaluated(tmp_path, replica.url)
        assert {body["tool_choice"] for body in replica.chats} == {"auto"}

    figures = figures_of(place(tmp_path, manifest) / ROWS)
    slices = {part.name: part.system for part in figures.slices}
    assert manifest.scorer.name == "tool_call"
    assert slices["tool:move"] == 1.0
    assert slices["tool:stop"] == 0.0
    assert 'move({"room":"hall"})' in (place(tmp_path, manifest) / MARKDOWN).read_text()


def test_a_page_about_two_thousand_rows_is_small(tmp_path: Path) -> None:
    records = [
        asked(
            n,
            SYSTEM,
            user(f"{'a long mail ' * 400} {n}"),
            answer=says(label_of(n)),
        )
        for n in range(4_100)
    ]
    with running_replica(
        FakeReplica(lambda model, messages: label_of(number_in(messages[-1]["content"]) // 3))
    ) as replica:
        file(tmp_path, records)
        built(tmp_path, SETTINGS.__class__(min_examples=1, test_share=0.5))
        manifest = evaluated(tmp_path, replica.url, few_shot=0)

    assert manifest.taken > 1_800
    assert (place(tmp_path, manifest) / HTML).stat().st_size < 300_000


@pytest.mark.parametrize("right", [0, 1, 50, 99, 100])
def test_wilson_holds_the_share(right: int) -> None:
    low, high = wilson(right, 100)

    assert 0 <= low <= right / 100 <= high <= 1


def test_parity_is_all_that_the_teachers_own_answers_can_show(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)

    manifest = evaluated(tmp_path, replica.url)

    text = (place(tmp_path, manifest) / HTML).read_text()
    assert "parity at best, never that a student beats the teacher" in text
    assert "by definition</span>" in text
    assert any("parity at best" in warning for warning in manifest.warnings)


def test_mcnemar_is_the_binomial_test() -> None:
    assert mcnemar(0, 0) is None
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(1, 9) == pytest.approx(2 * (1 + 10) / 2**10)


def test_equal_values_are_no_proof_that_all_are_equal() -> None:
    assert interval_of([0.0] * 300) == Interval(0.0, -0.01, 0.01)
    assert interval_of([0.5] * 6, least=0.0) == Interval(0.5, 0.25, 0.75)
    assert interval_of([0.2]) == Interval(0.2, -1.0, 1.0)
    assert interval_of([]) is None
