"""One request put to a student: replica after replica, until one answers or it is clear that the teacher has to.

    question ──► replica ──► StudentAnswer ──► client       what is passed on is known good
                    └─ StudentFailed: the exchange asks the teacher, if the client has seen nothing yet

Another replica is only tried where no connection to the one before could be made: a request that has reached one may
have cost its time already, and the client waits.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from nightschool.errors import StudentFailed, Unrenderable
from nightschool.record import id_text
from proxy.body import RequestBody
from proxy.client import Client
from proxy.entry import Entry
from proxy.facts import RequestFacts
from proxy.route import ReplicaChoice, Route
from proxy.student_conversation import Conversation
from proxy.student_question import StudentQuestion, student_question

if TYPE_CHECKING:
    from proxy.runtime import Runtime

_ESCALATED_AS = {"fallback_invalid": "invalid_output", "fallback_timeout": "timeout"}
_NEVER_ASKED = frozenset({"capability", "no_replica"})

log = logging.getLogger("nightschool.student")


class StudentAttempt:
    """Lives as long as the student has a chance."""

    def __init__(
        self,
        runtime: Runtime,
        entry: Entry,
        *,
        client: Client,
        facts: RequestFacts,
        body: RequestBody,
        route: Route,
        received: float,
    ) -> None:
        self._runtime = runtime
        self._entry = entry
        self._client = client
        self._facts = facts
        self._body = body
        self._route = route
        self._adapter = route.adapter or ""
        self._escalate = runtime.config.escalate_of(route.workload)
        self._received = received
        self._conversation: Conversation | None = None
        client.on_cut = self._cut

    async def run(self) -> StudentFailed | None:
        """None once the client has its answer, else why the teacher is to give it.

        Raises the failure where the client has a part of the answer, or is to be told of the failure; or ClientLeft.
        """
        failure = await self._ask_replicas()
        if failure is not None and (self._client.started or not self._escalates(failure)):
            raise failure
        return failure

    async def _ask_replicas(self) -> StudentFailed | None:
        try:
            greedy = self._runtime.config.decodes_greedily(self._route.workload)
            question = student_question(self._facts.body, greedy=greedy)
        except Unrenderable as error:
            return StudentFailed(self._adapter, "capability", str(error))
        failure = StudentFailed(self._adapter, "no_replica", "no replica is ready for it")
        for replica in self._route.replicas:
            try:
                await self._ask(replica, question)
            except StudentFailed as error:
                failure = error.with_traceback(None)  # else a frame that it holds would hold it
                if failure.reason != "fallback_connect":
                    break
            else:
                return None
        return failure

    async def _ask(self, replica: ReplicaChoice, question: StudentQuestion) -> None:
        breakers, url = self._runtime.breakers, replica.url
        self._entry.asked(replica.name)
        self._conversation = Conversation(
            self._runtime,
            self._entry,
            client=self._client,
            pool=self._runtime.replica_pools[url],
            replica=replica,
            answer_to=question,
            adapter=self._adapter,
            model=self._facts.model,
            holds=self._escalate.streams == "hold",
        )
        self._entry.spend(time.perf_counter() - self._received)
        breakers.began(url)
        try:
            await self._conversation.run(lambda: self._entry.begin(self._facts, self._body, method=b"POST"))
        except StudentFailed as error:
            self._note(replica, error)
            if error.unwell:
                breakers.failed(url, error.reason)
            else:
                breakers.succeeded(url)
            raise
        else:
            breakers.succeeded(url)
        finally:
            breakers.ended(url)
            self._received = time.perf_counter()

    def _cut(self, why: Exception) -> None:
        if self._conversation is not None:
            self._conversation.fail(why)

    def _escalates(self, failure: StudentFailed) -> bool:
        if failure.reason in _NEVER_ASKED:
            return True
        return _ESCALATED_AS.get(failure.reason, "error") in self._escalate.on

    def _note(self, replica: ReplicaChoice, error: StudentFailed) -> None:
        """What the student said is kept nowhere, in no log either; that it failed is counted."""
        workload = self._runtime.workload_label(self._route.workload)
        self._runtime.metrics.count("nightschool_student_failures", workload, replica.name, error.reason)
        log.warning(
            "student_failed replica=%s adapter=%s reason=%s cause=%r id=%s",
            replica.url,
            self._adapter,
            error.reason,
            error.cause,
            id_text(self._entry.id),
        )
