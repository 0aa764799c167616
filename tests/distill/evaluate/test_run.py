"""Evaluations against a small server that speaks what vLLM speaks."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distill.dataset.prompts import prompt_of
from distill.dataset.settings import Settings
from distill.evaluate.agreement import agreement_in
from distill.evaluate.run import evaluate
from distill.gate.criteria import GuardLimits
from distill.gate.guards import judge_guards
from distill.gate.pairs import newest_evaluation
from nightschool.config import Evaluate
from nightschool.engine.replica import ReplicaError
from nightschool.errors import StoreBusy
from nightschool.record import Label
from nightschool.store.append import append
from nightschool.store.schema import table_of
from tests.distill.dataset.traffic import asked, built, file, says, user
from tests.distill.evaluate.school import (
    ADAPTER,
    SETTINGS,
    SYSTEM,
    evaluated,
    examples_of,
    label_of,
    number_in,
    order,
    place,
    rows,
    sorted_mail,
    text,
)
from tests.distill.judge.scripted_judge import Reply, ScriptedJudge, running_judge
from tests.fake_replica import BASE, FakeReplica, running_replica
from tests.waiting import until


def answers(model: str, messages: list[dict[str, Any]]) -> str:
    """The student errs on every fifth mail; the base only knows one label, or with examples two."""
    number = number_in(messages[-1]["content"])
    if model == ADAPTER:
        return "spam" if number % 5 == 0 else label_of(number)
    return "billing" if len(messages) == 2 or number % 2 == 0 else label_of(number)


@pytest.fixture
def replica() -> Iterator[FakeReplica]:
    with running_replica(FakeReplica(answers)) as replica:
        yield replica


def test_every_system_answers_the_same_questions(replica: FakeReplica, tmp_path: Path) -> None:
    dataset = sorted_mail(tmp_path)

    manifest = evaluated(tmp_path, replica.url)

    names = [row["id"] for row in examples_of(tmp_path, dataset)]
    assert [system.name for system in manifest.systems] == ["student", "few_shot", "base", "teacher"]
    for system in manifest.systems:
        assert [row["example"] for row in rows(tmp_path, manifest, system.name)] == names
    assert (manifest.taken, manifest.cases, manifest.scorer.name) == (len(names), len(names), "label")
    assert manifest.truths == {"teacher": len(names)}
    assert manifest.adapter == ADAPTER
    assert replica.adapters == {ADAPTER: str(tmp_path / "adapters" / ADAPTER)}


def test_the_scores_are_those_of_the_answers(replica: FakeReplica, tmp_path: Path) -> None:
    dataset = sorted_mail(tmp_path)
    manifest = evaluated(tmp_path, replica.url)

    questions = {row["id"]: number_in(_question(row)) for row in examples_of(tmp_path, dataset)}
    for row in rows(tmp_path, manifest):
        number = questions[row["example"]]
        wanted = {"student": number % 5 != 0, "teacher": True}
        if row["system"] in wanted:
            assert row["score"] == float(wanted[row["system"]])
            assert text(row["answer"]) == ("spam" if not wanted[row["system"]] else label_of(number))


def _question(row: dict[str, Any]) -> str:
    import json

    return str(json.loads(row["messages"])[-2]["content"])


def test_the_engine_is_asked_as_in_production(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)
    evaluated(tmp_path, replica.url)

    student = next(body for body in replica.chats if body["model"] == ADAPTER)
    assert [message["role"] for message in student["messages"]] == ["system", "user"]
    assert (student["temperature"], student["stop_token_ids"]) == (0, [2])
    assert 64 <= student["max_tokens"] <= 100
    few = [body for body in replica.chats if body["model"] == BASE and len(body["messages"]) > 2]
    assert {len(body["messages"]) for body in few} == {8}
    assert len({str(body["messages"][:-1]) for body in few}) == 1
    shown = [message["content"] for message in few[0]["messages"] if message["role"] == "assistant"]
    assert len(set(shown)) == 3


def test_examples_that_are_shown_come_from_the_training_side(replica: FakeReplica, tmp_path: Path) -> None:
    dataset = sorted_mail(tmp_path)
    manifest = evaluated(tmp_path, replica.url)

    shots = next(system.shots for system in manifest.systems if system.name == "few_shot")
    assert len(shots) == 3
    assert not {*shots} & {row["id"] for row in examples_of(tmp_path, dataset)}


def test_the_same_again_is_not_done_again(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)
    first = evaluated(tmp_path, replica.url)
    asked = len(replica.chats)

    assert evaluated(tmp_path, replica.url) == first
    assert len(replica.chats) == asked
    again = evaluate(order(tmp_path, replica.url), again=True)
    assert again.id != first.id
    assert len(replica.chats) == 2 * asked


def test_a_limit_takes_the_same_few_every_time(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)

    few = evaluated(tmp_path, replica.url, limit=10)
    more = evaluated(tmp_path, replica.url, limit=20)

    assert few.taken == 10
    chosen = [{row["example"] for row in rows(tmp_path, manifest, "base")} for manifest in (few, more)]
    assert chosen[0] < chosen[1]
    assert any("Only 10 of" in warning for warning in few.warnings)


def test_prompts_with_too_few_examples_neither_hide_nor_excuse_what_a_student_does(
    replica: FakeReplica, tmp_path: Path
) -> None:
    """It would never be asked with them: of the rest alone it is judged, and of that its guards and its bar are."""
    common = [asked(n, SYSTEM, user(f"please sort mail {n}"), answer=says(label_of(n))) for n in range(150)]
    names = ["".join("abcdefghij"[int(digit)] for digit in str(n)) for n in range(150, 300)]
    rare = [
        asked(n, {"role": "system", "content": f"You sort mail for {name}."}, user(f"mail {n}"), answer=says("billing"))
        for n, name in zip(range(150, 300), names, strict=True)
    ]
    file(tmp_path, [*common, *rare])
    dataset = built(tmp_path, SETTINGS)
    replica.rule = lambda model, messages: "spam" if messages[0] == SYSTEM else "billing"

    manifest = evaluated(tmp_path, replica.url, few_shot=0)

    examples = examples_of(tmp_path, dataset)
    tested = {row["id"] for row in examples if prompt_of(row) == common[0].fingerprint}
    assert {row["example"] for row in rows(tmp_path, manifest)} == tested
    assert (manifest.taken, manifest.elsewhere) == (len(tested), len(examples) - len(tested))
    assert manifest.prompts == [common[0].fingerprint]
    assert {row.student for row in newest_evaluation(tmp_path, "w").evidence.rows} == {0.0}
    assert agreement_in(tmp_path, manifest, Evaluate()).value == 0.0
    assert f"{manifest.elsewhere} of {manifest.cases} test answers are to prompts with too few" in manifest.warnings[-2]


def test_where_no_prompt_has_enough_examples_all_are_evaluated(replica: FakeReplica, tmp_path: Path) -> None:
    for_one = [{"role": "system", "content": f"You sort mail for {'x' * n}."} for n in range(100)]
    file(tmp_path, [asked(n, system, user(f"mail {n}"), answer=says("ok")) for n, system in enumerate(for_one)])
    built(tmp_path, SETTINGS)
    replica.rule = lambda model, messages: "ok"

    manifest = evaluated(tmp_path, replica.url, few_shot=0)

    assert manifest.taken == manifest.cases > 10
    assert (manifest.prompts, manifest.elsewhere) == ([], 0)


def test_a_student_that_declines_in_words_breaks_the_guard_as_one_with_a_field_would(
    replica: FakeReplica, tmp_path: Path
) -> None:
    sorted_mail(tmp_path)
    replica.rule = lambda model, messages: (
        "I'm sorry, but I can't help with that." if number_in(messages[-1]["content"]) % 4 == 0 else "billing"
    )

    evaluated(tmp_path, replica.url, few_shot=0)

    evidence = newest_evaluation(tmp_path, "w").evidence
    (guard,) = [
        each for each in judge_guards(evidence.student, evidence.teacher, GuardLimits()) if each.name == "refusals"
    ]
    assert guard.holds is False
    assert guard.teacher == 0.0
    assert guard.student == pytest.approx(0.25, abs=0.15)


def test_the_bar_of_the_audit_counts_a_conversation_once(replica: FakeReplica, tmp_path: Path) -> None:
    turns: list[dict[str, Any]] = []
    records = []
    for number in range(12):  # one long conversation, of which the student gets every turn wrong
        turns += [user(f"please sort mail {5 * number}")]
        records.append(asked(number, SYSTEM, *turns, answer=says("billing"), conversation="long"))
        turns += [says("billing")]
    records += [
        asked(100 + n, SYSTEM, user(f"please sort mail {5 * n + 1}"), answer=says(label_of(5 * n + 1)))
        for n in range(100)
    ]
    file(tmp_path, records)
    built(tmp_path, Settings(min_examples=1, test_share=0.5))
    replica.rule = lambda model, messages: answers(model, messages)

    manifest = evaluated(tmp_path, replica.url, few_shot=0)

    groups: dict[str, list[float]] = {}
    for row in rows(tmp_path, manifest, "student"):
        groups.setdefault(row["group"], []).append(row["score"])
    means = [sum(of) / len(of) for of in groups.values()]
    assert max(map(len, groups.values())) > 1
    agreed = agreement_in(tmp_path, manifest, Evaluate())
    assert agreed.value == pytest.approx(sum(means) / len(means))
    assert sum(means) / len(means) > sum(map(sum, groups.values())) / sum(map(len, groups.values()))


def test_a_base_model_can_be_evaluated_before_there_is_an_adapter(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)

    manifest = evaluated(tmp_path, replica.url, student=False, few_shot=0)

    assert [system.name for system in manifest.systems] == ["base", "teacher"]
    assert manifest.adapter is None


def test_the_gate_reads_what_was_measured(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)
    manifest = evaluated(tmp_path, replica.url)

    evaluation = newest_evaluation(tmp_path, "w")

    assert len(evaluation.evidence.rows) == manifest.taken
    assert {row.truth for row in evaluation.evidence.rows} == {"teacher"}
    assert evaluation.evidence.student.schema_validity == 1.0
    assert evaluation.evidence.student.cost_per_1000_usd == pytest.approx((20 * 0.1 + 5 * 0.2) / 1000)
    assert evaluation.evidence.teacher.cost_per_1000_usd == pytest.approx(2.0)
    assert {"newest days", "length:1 of 4"} <= {name for row in evaluation.evidence.rows for name in row.slices}


def test_labels_go_before_what_the_teacher_said(replica: FakeReplica, tmp_path: Path) -> None:
    dataset = sorted_mail(tmp_path)
    wrong = examples_of(tmp_path, dataset)[:5]
    labels = [
        Label(exchange_id=row["id"], time_us=1, message='{"role":"assistant","content":"spam"}', author="ann")
        for row in wrong
    ]
    append(tmp_path, "labels", table_of("labels", labels))
    built(tmp_path, SETTINGS)

    manifest = evaluated(tmp_path, replica.url)

    assert manifest.truths["label"] == 5
    teacher = {row["example"]: row for row in rows(tmp_path, manifest, "teacher")}
    assert all(teacher[row["id"]]["score"] == 0.0 and teacher[row["id"]]["truth"] == "label" for row in wrong)


def test_a_judge_decides_where_there_is_no_label(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)
    with running_judge(ScriptedJudge()) as judge:
        manifest = evaluated(tmp_path, replica.url, judge=judge.base_url, few_shot=0)

    assert manifest.truths == {"judge": manifest.taken}
    assert {row["score"] for row in rows(tmp_path, manifest, "teacher")} == {0.5}
    for row in rows(tmp_path, manifest, "student"):
        if text(row["answer"]) == "spam":  # it is shorter than every label, and this judge likes what is long
            assert row["score"] == 0.0
            assert row["reason"]
        else:
            assert row["score"] == 0.5
    assert manifest.judge is not None
    assert manifest.judge.counts.asked == len(judge.requests)


def test_many_labels_show_what_the_judge_is_worth(replica: FakeReplica, tmp_path: Path) -> None:
    dataset = sorted_mail(tmp_path, 600)
    labels = [
        Label(exchange_id=row["id"], time_us=1, message=_answer(row), author="ann")
        for row in examples_of(tmp_path, dataset)[:80]
    ]
    append(tmp_path, "labels", table_of("labels", labels))
    built(tmp_path, SETTINGS)

    with running_judge(ScriptedJudge()) as judge:
        manifest = evaluated(tmp_path, replica.url, judge=judge.base_url, few_shot=0)

    assert manifest.judge is not None
    calibration = manifest.judge.calibration
    assert calibration is not None
    assert calibration.labelled == 80
    assert calibration.agreement == 1.0
    blind = [row for row in rows(tmp_path, manifest, "student") if row["judge"] is not None]
    assert len(blind) == 80


def _answer(row: dict[str, Any]) -> str:
    import json

    return json.dumps(json.loads(row["messages"])[-1])


@pytest.mark.parametrize("system", ["student", "base"])
def test_an_answer_that_cannot_be_read_is_counted_and_scores_nothing(
    replica: FakeReplica, tmp_path: Path, system: str
) -> None:
    sorted_mail(tmp_path)
    replica.rule = lambda model, messages: (
        "<tool_call>\n{broken" if (model == ADAPTER) == (system == "student") else "x"
    )

    manifest = evaluated(tmp_path, replica.url, few_shot=0)

    assert manifest.problems[system] == {"invalid_answer": manifest.taken}
    row = rows(tmp_path, manifest, system)[0]
    assert (row["score"], row["valid"], row["answer"]) == (0.0, False, "<tool_call>\n{broken")


def test_a_prompt_that_is_too_long_has_no_score(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)
    replica.refuse = lambda body: (
        "maximum context length is 2048 tokens" if number_in(body["messages"][-1]["content"]) % 7 == 0 else None
    )

    manifest = evaluated(tmp_path, replica.url, few_shot=0)

    refused = [row for row in rows(tmp_path, manifest, "student") if row["score"] is None]
    assert refused
    assert {row["problem"] for row in refused} == {"refused_by_engine: maximum context length is 2048 tokens"}
    agreed = agreement_in(tmp_path, manifest, Evaluate())
    assert agreed is not None
    scores = [row["score"] for row in rows(tmp_path, manifest, "student") if row["score"] is not None]
    assert agreed.value == pytest.approx(sum(scores) / len(scores))
    tried = [body for body in replica.chats if "max_tokens" not in body]
    assert len(tried) == 2 * len(refused)  # once more with what room there is, for both systems
    assert any("have no score" in warning for warning in manifest.warnings)


def test_an_engine_that_refuses_everything_is_explained(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)
    replica.refuse = lambda body: '"auto" tool choice requires --enable-auto-tool-choice'

    with pytest.raises(ReplicaError, match=r"refuses every prompt(.|\n)*--tool-call-parser"):
        evaluated(tmp_path, replica.url)


def test_one_bad_moment_of_the_engine_is_waited_for(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)
    replica.fail_next = 2

    manifest = evaluated(tmp_path, replica.url, few_shot=0, concurrency=1)

    assert manifest.problems["student"] == {}


def test_an_engine_that_dies_ends_the_run_which_then_goes_on(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)
    replica.rule = lambda model, messages: _dies_after(replica, 40) or answers(model, messages)
    with pytest.raises(ReplicaError, match="status 500"):
        evaluated(tmp_path, replica.url, concurrency=2)
    kept = len(replica.asked)
    replica.fail_next, replica.rule = 0, answers

    manifest = evaluated(tmp_path, replica.url, concurrency=2)

    assert kept >= 40
    assert sum(count > 1 for count in replica.asked.values()) <= 2
    assert len(rows(tmp_path, manifest)) == 4 * manifest.taken


def _dies_after(replica: FakeReplica, count: int) -> str:
    if len(replica.chats) >= count:  # two are asked at once: the exact count may never be seen
        replica.fail_next = 1_000
    return ""


def test_a_run_that_is_killed_goes_on_and_asks_nothing_twice(replica: FakeReplica, tmp_path: Path) -> None:
    dataset = sorted_mail(tmp_path)
    killed = threading.Event()

    def stands_still(model: str, messages: list[dict[str, Any]]) -> str:
        """So that the run is in the middle when it is killed, however late that is."""
        if len(replica.chats) > 60:
            killed.wait(20)
        return answers(model, messages)

    replica.rule = stands_still
    program = (
        "import sys; from pathlib import Path; from tests.distill.evaluate.school import evaluated;"
        "evaluated(Path(sys.argv[1]), sys.argv[2], concurrency=2)"
    )
    run = subprocess.Popen([sys.executable, "-c", program, str(tmp_path), replica.url])
    until(lambda: len(replica.chats) > 60, within_s=60)
    run.kill()
    run.wait()
    killed.set()
    before = len(replica.chats)

    manifest = evaluated(tmp_path, replica.url, concurrency=2)

    assert before < 3 * manifest.taken
    assert sum(count > 1 for count in replica.asked.values()) <= 2  # those that were under way
    assert len(rows(tmp_path, manifest)) == 4 * len(examples_of(tmp_path, dataset))
    assert not list((place(tmp_path, manifest).parent / ".unfinished").iterdir())


def test_two_runs_of_a_workload_at_once_are_refused(replica: FakeReplica, tmp_path: Path) -> None:
    from distill.evaluate.result import evaluations_of, only_run

    sorted_mail(tmp_path)

    with only_run(evaluations_of(tmp_path, "w")), pytest.raises(StoreBusy, match="another evaluation"):
        evaluated(tmp_path, replica.url)


def test_no_more_answers_are_asked_for_at_once_than_allowed(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)
    replica.delay_s = 0.02

    evaluated(tmp_path, replica.url, few_shot=0, concurrency=5)

    assert 3 <= replica.most_at_once <= 5


@pytest.mark.parametrize(("function", "truth"), [("is_known", "verifier"), ("is_equal", "teacher")])
def test_a_function_that_needs_no_reference_is_a_verifier(
    replica: FakeReplica, tmp_path: Path, function: str, truth: str
) -> None:
    sorted_mail(tmp_path)

    manifest = evaluated(tmp_path, replica.url, few_shot=0, scorer=f"tests.distill.evaluate.own_scorers:{function}")

    assert manifest.truths == {truth: manifest.taken}
    for row in rows(tmp_path, manifest, "teacher"):
        assert row["score"] == (1.0 if truth == "teacher" else float(text(row["answer"]) in ("billing", "refund")))


def test_a_function_that_raises_gives_no_score_and_is_counted(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)

    manifest = evaluated(tmp_path, replica.url, few_shot=0, scorer="tests.distill.evaluate.own_scorers:raises")

    failed = [row for row in rows(tmp_path, manifest, "student") if row["score"] is None]
    assert failed
    assert manifest.problems["student"] == {"scorer_failed": len(failed)}
    assert {row["problem"] for row in failed} == {"scorer_failed: RuntimeError: no spam here"}


def test_where_nothing_can_be_scored_the_report_says_so(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)

    manifest = evaluated(tmp_path, replica.url, few_shot=0, scorer="tests.distill.evaluate.own_scorers:not_a_number")

    assert {row["score"] for row in rows(tmp_path, manifest)} == {None}
    report = (place(tmp_path, manifest) / "report.md").read_text()
    assert "There is too little to compare the student with the teacher" in report
    assert manifest.problems["student"] == {"not_a_number": manifest.taken}


def test_free_text_without_a_judge_is_warned_of(tmp_path: Path) -> None:
    file(tmp_path, [asked(n, user(f"question {n}"), answer=says(f"a whole text about {n}")) for n in range(150)])
    built(tmp_path, SETTINGS)

    with running_replica(FakeReplica()) as replica:
        manifest = evaluated(tmp_path, replica.url)

    assert manifest.scorer.name == "judge"
    assert "no judge is named" in manifest.warnings[0]


def test_a_judge_of_the_teachers_family_is_warned_of(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)

    with running_judge(ScriptedJudge()) as judge:
        manifest = evaluated(
            tmp_path, replica.url, few_shot=0, judge=judge.base_url, models={"model": "teacher-model-2"}
        )

    assert manifest.judge is not None
    assert manifest.judge.relatives == ["teacher-model"]
    assert any("of one family with teacher-model" in warning for warning in manifest.warnings)


def test_a_budget_that_ends_leaves_rows_without_a_score(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)

    with running_judge(ScriptedJudge()) as judge:
        manifest = evaluated(tmp_path, replica.url, few_shot=0, judge=judge.base_url, models={"max_calls": 4})

    assert len(judge.requests) == 4
    assert manifest.problems["base"]["judge_budget"] > 0
    assert any("limit on the judge was reached" in warning for warning in manifest.warnings)


def test_a_limit_that_was_raised_has_the_judge_asked_what_is_missing_and_nothing_else(
    replica: FakeReplica, tmp_path: Path
) -> None:
    sorted_mail(tmp_path)

    with running_judge(ScriptedJudge()) as judge:
        told: dict[str, Any] = {"few_shot": 0, "judge": judge.base_url}
        short = evaluated(tmp_path, replica.url, models={"max_calls": 5}, **told)
        chats = len(replica.chats)
        whole = evaluated(tmp_path, replica.url, **told)
        again = evaluated(tmp_path, replica.url, **told)

    assert whole.id != short.id
    assert whole.problems["base"] == whole.problems["student"] == {}
    assert len(replica.chats) == chats  # the students have said what they say
    assert set(judge.questions.values()) == {1}
    assert again == whole
    assert not list((place(tmp_path, whole).parent / ".unfinished").iterdir())


def test_the_gate_counts_a_row_once_however_often_the_judge_went_on(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)

    with running_judge(ScriptedJudge()) as judge:
        for calls in (1, 2, 5_000):
            manifest = evaluated(
                tmp_path, replica.url, few_shot=0, judge=judge.base_url, models={"max_calls": calls, "concurrency": 1}
            )

    rows = newest_evaluation(tmp_path, "w").evidence.rows
    assert len(rows) == len({row.group for row in rows}) == manifest.taken
    assert all(row.student is not None for row in rows)


def test_a_judge_that_had_failed_for_a_while_is_asked_again(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)

    with running_judge(ScriptedJudge()) as judge:
        told: dict[str, Any] = {"few_shot": 0, "judge": judge.base_url, "models": {"concurrency": 1}}
        judge.script.extend([Reply(status=400, text="not now")] * 4)  # one for every way of asking
        first = evaluated(tmp_path, replica.url, **told)
        second = evaluated(tmp_path, replica.url, **told)

    assert first.problems["student"]["judge_failed"] == 1
    assert second.problems["student"] == {}


def test_anew_means_answers_too_where_the_judge_had_not_said_all(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)

    with running_judge(ScriptedJudge()) as judge:
        told: dict[str, Any] = {"few_shot": 0, "judge": judge.base_url}
        evaluated(tmp_path, replica.url, models={"max_calls": 5}, **told)
        chats = len(replica.chats)
        evaluate(order(tmp_path, replica.url, **told), again=True)

    assert len(replica.chats) == 2 * chats


def test_another_upstream_of_the_judge_is_another_evaluation(replica: FakeReplica, tmp_path: Path) -> None:
    sorted_mail(tmp_path)

    with running_judge(ScriptedJudge()) as judge:
        told: dict[str, Any] = {"few_shot": 0, "judge": judge.base_url}
        first = evaluated(tmp_path, replica.url, **told)
        second = evaluated(tmp_path, replica.url, models={"upstream": "second"}, **told)

    assert [one.judge.upstream for one in (first, second) if one.judge] == ["judge", "second"]


def test_a_function_that_was_changed_scores_anew(
    replica: FakeReplica, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sorted_mail(tmp_path)
    file = tmp_path / "a_changing_scorer.py"
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def score(value: float) -> float:
        """As a process sees it that starts with this text in the file."""
        file.write_text(f"def of(question, answer, reference):\n    return {value}\n")
        sys.modules.pop(file.stem, None)
        manifest = evaluated(tmp_path, replica.url, few_shot=0, scorer=f"{file.stem}:of")
        (found,) = {row["score"] for row in rows(tmp_path, manifest)}
        return float(found)

    assert [score(1.0), score(0.25), score(0.25)] == [1.0, 0.25, 0.25]
