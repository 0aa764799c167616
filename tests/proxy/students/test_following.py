"""The real proxy follows the registry and its replicas while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from demo.scripted_upstream import ScriptedUpstream, upstream_in_thread
from demo.upstream.behaviour import Behaviour
from nightschool.registry.change import change_students
from nightschool.registry.replicas import ReplicaStates, write_replicas
from nightschool.registry.routing import Students, registry_of
from nightschool.registry.steps import force, propose, roll_back
from nightschool.store.durable import new_file
from tests.proxy.student_replica import said
from tests.proxy.students.cast import NEXT, OLD, WORKLOAD, body, print_of, replica
from tests.raw import RawAnswer, ask, chat_request, request
from tests.running import RunningProxy, config_for, running_proxy
from tests.waiting import until

NOW = "2026-11-25T02:00:00+00:00"
MESSAGES: Any = [{"role": "system", "content": "Name it."}, {"role": "user", "content": "Of Italy?"}]
WITHIN_S = 2.0


class School:
    """A proxy whose registry the test writes."""

    def __init__(self, proxy: RunningProxy, teacher: ScriptedUpstream, student: ScriptedUpstream) -> None:
        self.proxy = proxy
        self.teacher = teacher
        self.student = student

    def promote(self, share: float = 100) -> None:
        known = (print_of(body(messages=MESSAGES)),)
        self.change(lambda before: force(before, OLD, share=share, fingerprints=known, now=NOW))

    def roll_back(self) -> None:
        self.change(lambda before: roll_back(before, now=NOW))

    def propose(self) -> None:
        self.change(lambda before: propose(before, NEXT))

    def forget(self) -> None:
        for path in registry_of(self.proxy.data).glob("r*.json"):
            path.unlink()

    def replicas(self, *urls: str) -> None:
        write_replicas(self.proxy.data, ReplicaStates(replicas=tuple(replica(url) for url in urls)))

    def damage(self, file: str) -> None:
        with new_file(registry_of(self.proxy.data) / file) as unfinished:
            unfinished.write(b"{")

    def ask(self, model: str = "gpt-4o", **fields: Any) -> RawAnswer:
        self.student.then(said("Rome"))
        return ask(self.proxy.url, chat_request(model, messages=MESSAGES, **fields))

    def reason(self, **fields: Any) -> str:
        answer = self.ask(**fields)
        return f"{answer.header('x-nightschool-target')} {answer.header('x-nightschool-reason')}"

    def models(self) -> RawAnswer:
        return ask(self.proxy.url, request("GET", "/v1/models", [], b""))

    def change(self, step: Callable[[Students], Students]) -> None:
        change_students(self.proxy.data, WORKLOAD, step, author="test", action="test", reason="test")


def configured(teacher: ScriptedUpstream, name: str = WORKLOAD) -> dict[str, Any]:
    promote = {"teacher_share": 0.0}
    return config_for(teacher.base_url, workloads={name: {"when": {"model": "gpt-4o"}, "promote": promote}})


@pytest.fixture(scope="module")
def shared(shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    with upstream_in_thread() as student:
        folder = tmp_path_factory.mktemp("following")
        with running_proxy(configured(shared_upstream), folder) as proxy:
            yield School(proxy, shared_upstream, student)


@pytest.fixture
def school(shared: School, upstream: ScriptedUpstream) -> School:
    """No student, nothing left of an earlier test."""
    shared.student.forget()
    shared.forget()
    shared.proxy.reconfigure(configured(upstream))
    until(lambda: shared.reason() == "teacher rule")
    return shared


@pytest.fixture
def taught(school: School) -> School:
    """A student has all the traffic."""
    school.replicas(school.student.url)
    school.promote()
    until(lambda: school.reason() == "student live")
    return school


@pytest.mark.alone
def test_a_change_of_the_registry_reaches_the_next_request_within_a_second(school: School) -> None:
    school.replicas(school.student.url)
    for _ in range(3):
        school.promote()
        until(lambda: school.reason() == "student live", within_s=1)
        school.roll_back()
        until(lambda: school.reason() == "teacher rule", within_s=1)


def test_what_cannot_be_read_changes_nothing_and_is_told_once(taught: School) -> None:
    refused = taught.proxy.metric("nightschool_registry_reloads_total", file="routing.json", result="refused")
    since = len(taught.proxy.log)

    taught.damage("routing.json")
    taught.proxy.wait_for_log("registry_refused", since=since)
    time.sleep(1.5)

    assert taught.reason() == "student live"
    assert taught.proxy.log[since:].count("registry_refused") == 1
    now = taught.proxy.metric("nightschool_registry_reloads_total", file="routing.json", result="refused")
    assert now == refused + 1


def test_a_student_whose_replicas_are_gone_leaves_its_conversations_to_the_teacher(taught: School) -> None:
    taught.replicas()
    until(lambda: taught.reason() == "teacher no_replica", within_s=WITHIN_S)

    taught.replicas(taught.student.url)
    until(lambda: taught.reason() == "student live", within_s=WITHIN_S)


def test_a_workload_that_is_taken_out_of_the_configuration_is_the_teachers_and_that_is_told_once(
    taught: School,
) -> None:
    since = len(taught.proxy.log)

    taught.proxy.reconfigure(configured(taught.teacher, "another"))
    until(lambda: taught.reason() == "teacher rule")
    taught.replicas()
    taught.proxy.wait_for_log("registry_taken_over", since=since)

    assert taught.proxy.log[since:].count(f"students_unnamed workload={WORKLOAD}") == 1
    named = taught.ask(headers=[("x-nightschool-workload", WORKLOAD), ("x-nightschool-target", "student")])
    assert named.header("x-nightschool-reason") == "no_student"


def test_the_record_says_what_the_client_was_told(taught: School) -> None:
    record = taught.proxy.record(taught.ask().header("x-nightschool-id"))

    told = (record["target"], record["adapter"], record["reason"], record["workload"], record["propensity"])
    assert told == ("student", OLD, "live", WORKLOAD, 1.0)
    assert record["fingerprint"] == print_of(body(messages=MESSAGES))


def test_decisions_are_counted(taught: School) -> None:
    labels = {"workload": WORKLOAD, "target": "student", "adapter": OLD, "reason": "live"}
    before = taught.proxy.metric("nightschool_decisions_total", **labels)

    taught.ask()

    assert taught.proxy.metric("nightschool_decisions_total", **labels) == before + 1


def test_a_prompt_that_is_redacted_in_the_record_is_known_by_what_the_record_has(school: School) -> None:
    redacting = configured(school.teacher) | {"record": {"redact": [{"pattern": "Name", "with": "[verb]"}]}}
    masked = [{**MESSAGES[0], "content": "[verb] it."}, MESSAGES[1]]
    school.proxy.reconfigure(redacting)
    school.replicas(school.student.url)
    school.change(
        lambda before: force(before, OLD, share=100, fingerprints=(print_of(body(messages=masked)),), now=NOW)
    )

    until(lambda: school.reason() == "student live")


def test_models_are_the_upstreams_own_bytes_while_no_student_answers(school: School) -> None:
    school.propose()
    school.replicas(school.student.url)

    assert b"nightschool" not in school.models().body


def test_models_have_the_names_of_students_behind_the_upstreams_own(taught: School) -> None:
    taught.roll_back()
    until(lambda: taught.reason() == "teacher rule")
    own = taught.models().json()["data"]
    taught.promote()
    until(lambda: taught.reason() == "student live")

    answer = taught.models()

    names = [f"nightschool/{WORKLOAD}", f"nightschool/{WORKLOAD}@{OLD}"]
    assert [each["id"] for each in answer.json()["data"]] == [*(each["id"] for each in own), *names]
    record = taught.proxy.record(answer.header("x-nightschool-id"))
    assert (record["endpoint"], record["method"], record["status"], record["complete"]) == ("/models", "GET", 200, True)
    with openai.OpenAI(base_url=taught.proxy.base_url, api_key="sk", max_retries=0, timeout=20) as client:
        assert names[0] in {model.id for model in client.models.list()}


def test_an_upstream_that_has_no_list_is_passed_on(taught: School, upstream: ScriptedUpstream) -> None:
    upstream.then(Behaviour(status=500))

    assert taught.models().status == 500


def test_a_student_is_asked_by_the_name_of_a_model(taught: School) -> None:
    taught.propose()
    seen = len(taught.student.seen)
    name = f"nightschool/{WORKLOAD}@{NEXT}"

    until(lambda: taught.ask(name).status == 200, within_s=WITHIN_S)
    answer = taught.ask(name)

    assert (answer.header("x-nightschool-adapter"), answer.header("x-nightschool-reason")) == (NEXT, "asked")
    assert answer.json()["model"] == name
    assert len(taught.student.seen) > seen


def test_a_student_that_cannot_answer_by_name_is_an_error_and_no_teacher_stands_in(
    taught: School, upstream: ScriptedUpstream
) -> None:
    upstream.forget()
    refused = [taught.ask(f"nightschool/{WORKLOAD}", n=2), taught.ask(f"nightschool/{WORKLOAD}@nobody")]
    taught.replicas()
    until(lambda: taught.reason() == "teacher no_replica", within_s=WITHIN_S)
    upstream.forget()
    refused.append(taught.ask(f"nightschool/{WORKLOAD}"))

    told = [(answer.status, answer.json()["error"]["code"]) for answer in refused]
    assert told == [(400, "capability"), (404, "model_not_found"), (503, "no_replica")]
    assert upstream.seen == []


def test_a_name_of_a_workload_without_students_is_passed_on(taught: School, upstream: ScriptedUpstream) -> None:
    upstream.forget()

    assert taught.ask("nightschool/another").status == 200
    assert len(upstream.seen) == 1
