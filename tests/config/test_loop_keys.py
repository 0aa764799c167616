"""The keys of serving, nights, audits and notifications refuse what makes no sense, and say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightschool.config import load_config, warnings
from nightschool.config.evaluation import SCORERS
from tests.config.files import UPSTREAM, faults, write

WORKLOAD = UPSTREAM + "workloads: {triage: {when: {path: '*'}, %s}}\n"
STUDENT = UPSTREAM + "student: {base_model: org/model, %s}\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            WORKLOAD % "distill: {schedule: at night}",
            "2: workloads.triage.distill.schedule: must be the five fields of a crontab, such as "
            "\"0 2 * * *\" for two at night, but is 'at night': 2 fields and not five",
        ),
        (
            WORKLOAD % "distill: {schedule: '0 2 31 2 *'}",
            "2: workloads.triage.distill.schedule: must be the five fields of a crontab, such as "
            "\"0 2 * * *\" for two at night, but is '0 2 31 2 *': "
            "it never comes, since no month that it names has a day 31",
        ),
        (
            WORKLOAD % "evaluate: {scorer: exat}",
            "2: workloads.triage.evaluate.scorer: unknown scorer 'exat'; did you mean 'exact'?",
        ),
        (
            WORKLOAD % "evaluate: {scorer: bleu}",
            "2: workloads.triage.evaluate.scorer: unknown scorer 'bleu'; known here: tool_call, json_fields, label, "
            "exact, spans, judge, or package.module:function",
        ),
        (
            WORKLOAD % "evaluate: {scorer: 'my.scorers:'}",
            "2: workloads.triage.evaluate.scorer: must be package.module:function for a function of your own, "
            "but is 'my.scorers:'",
        ),
        (
            WORKLOAD % "promote: {ramp: [100, 25, 5]}",
            "2: workloads.triage.promote.ramp: must rise from share to share, such as [5, 25, 100], "
            "but is [100, 25, 5]",
        ),
        (
            WORKLOAD % "promote: {ramp: [5, 5.0]}",
            "2: workloads.triage.promote.ramp: must rise from share to share, such as [5, 25, 100], but is [5, 5]",
        ),
        (
            WORKLOAD % "promote: {ramp: []}",
            "2: workloads.triage.promote.ramp: is empty; write shares such as [5, 25, 100]",
        ),
        (
            WORKLOAD % "promote: {ramp: [0]}",
            "2: workloads.triage.promote.ramp[0]: must be more than 0, but is 0",
        ),
        (
            WORKLOAD % "promote: {ramp: [5, 101]}",
            "2: workloads.triage.promote.ramp[1]: must be 100 or less, but is 101",
        ),
        (
            STUDENT % "engine: {arguments: [--port, '1']}",
            "2: student.engine.arguments: has --port, which nightschool sets itself; leave it out",
        ),
        (
            STUDENT % "engine: {arguments: ['--chat_template=x']}",
            "2: student.engine.arguments: has --chat_template=x, which nightschool sets itself; leave it out",
        ),
        (
            UPSTREAM + "student: {engine: {}}\n",
            "2: student.base_model: is missing: the engine must be told which model it serves",
        ),
        (
            UPSTREAM + "notify: {webhook: 'https://hooks.example.com/secret'}\n",
            "2: notify.webhook: must not stand in the file: put it into an environment variable and write ${NAME}",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    assert faults(tmp_path, text) == [fault]


def test_servers_are_the_replicas_and_the_engine_once_each(tmp_path: Path) -> None:
    file = write(tmp_path, STUDENT % "replicas: ['http://gpu-1:8000/v1', 'http://127.0.0.1:8001'], engine: {}")

    assert load_config(file, {}).student.servers == ("http://gpu-1:8000", "http://127.0.0.1:8001")


def test_an_audit_that_has_no_key_is_warned_of_and_one_that_is_off_is_not(tmp_path: Path) -> None:
    config = STUDENT % "engine: {}" + "workloads: {triage: {when: {path: '*'}, promote: {audit: %d}}}\n"

    asked, off = (warnings(load_config(write(tmp_path, config % share), {})) for share in (3, 0))

    assert [text for text in asked if text.startswith("workloads.triage.promote.audit: openai has no api_key")]
    assert not [text for text in off if "audit" in text]


@pytest.mark.parametrize("scorer", [*SCORERS, "my_package.scorers:f1", "scorers:Near.same"])
def test_a_scorer_is_one_of_ours_or_a_function(tmp_path: Path, scorer: str) -> None:
    assert load_config(write(tmp_path, WORKLOAD % f"evaluate: {{scorer: '{scorer}'}}"), {})


LOOP = "workloads: {triage: {when: {path: '*'}, %s}}\n"
RANK = "student: {base_model: org/model, %s}\nworkloads: {triage: {when: {path: '*'}, distill: {rank: 64}}}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            LOOP % "promote: {ramp: [0.05, 0.25, 1]}",
            "workloads.triage.promote.ramp: [0.05, 0.25, 1] is in per cent, and after 1 % a student has 100 %; "
            "if these are parts of 1, write [5, 25, 100]",
        ),
        (
            LOOP % "promote: {ramp: [5, 25]}",
            "workloads.triage.promote.ramp: it does not end there: after 25 % a student has 100 %; add 100, and "
            "`nightschool hold` keeps a student where it is",
        ),
        (LOOP % "promote: {ramp: [1, 100]}", None),
        (
            LOOP % "distill: {schedule: '0 2 * * *'}",
            "workloads.triage.distill.schedule: every night fails, since there is no student.base_model; set it",
        ),
        (
            RANK % "engine: {max_rank: 32}",
            "workloads.triage.distill.rank: 64 is above student.engine.max_rank, 32, so the engine cannot load what is "
            "trained; make them equal",
        ),
        (RANK % "engine: {max_rank: 64}", None),
        (RANK % "replicas: ['http://gpu:8000']", None),
        (
            LOOP % "evaluate: {scorer: judge}",
            "workloads.triage.evaluate.scorer: nobody is asked, only equality counts; name one in evaluate.judge",
        ),
        (
            "listen: 127.0.0.1:9\nconsole: {listen: 127.0.0.1:9}\n",
            "console.listen: the proxy listens on port 9 too, so only one of the two can; take another",
        ),
        ("listen: 127.0.0.1:0\nconsole: {listen: 127.0.0.1:0}\n", None),
        ("listen: 127.0.0.1:9\nconsole: {listen: 127.0.0.2:9}\n", None),
    ],
)
def test_what_surprises_later_is_warned_of(tmp_path: Path, text: str, said: str | None) -> None:
    found = [each for each in warnings(load_config(write(tmp_path, UPSTREAM + text), {})) if "audit" not in each]

    assert found == ([] if said is None else [said])
