"""The keys of serving, nights, audits and notifications refuse what makes no sense, and say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightschool.config import load_config, warnings
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
