"""The frames of one exchange -> its record.

    request frame + body ── decode ── read ────────────────────┐
                                                               ├─ Record
    end frame + body ────── decode ── reassemble, or parse ────┘

Pure: no clock, no files. It never raises, whatever the bodies hold; what is wrong is named in ``error_type``, and the
first of these wins: what the proxy said (``proxy_killed`` where it could not say anything), a request that cannot be
decoded or is not JSON, an error of the upstream, an answer that cannot be decoded or is malformed, invalid UTF-8.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nightschool.prices import price_for
from nightschool.record import Price, Record, id_text
from nightschool.store import wal
from nightschool.wire import json_text
from nightschool.wire.answer import Answer, read_answer
from nightschool.wire.fingerprint import conversation, fingerprint
from nightschool.wire.question import Question, read_question
from nightschool.wire.usage import cost_usd, usage_of


def to_record(
    request: wal.Request,
    request_body: bytes,
    end: wal.End | None,
    response_body: bytes,
    prices: Mapping[str, Price],
    student_price: Price | None = None,
) -> Record:
    """The record of one exchange; ``response_body`` is its parts and the end frame's body, joined.

    Without ``end`` the proxy died before the answer ended: what came of it is kept, and no times are known.
    """
    question = read_question(request_body, request.content_type, request.content_encoding)
    ending = end or wal.End(id=request.id, complete=False, error_type="proxy_killed")
    answer = read_answer(
        request.endpoint,
        response_body,
        status=ending.status,
        content_type=ending.content_type,
        content_encoding=end.content_encoding if end else None,
        assembled=ending.form == "assembled",
    )
    usage = usage_of(answer.document)
    chosen = request if ending.target is None else ending
    student = chosen.target == "student"
    served = _text_field(answer.document, "model")
    if student and served is not None:
        served = chosen.adapter  # the answer itself has the model's name that the application asked for
    requested = request.model or question.body.model_name
    return Record(
        id=id_text(request.id),
        time_us=request.time_us,
        workload=request.workload,
        fingerprint=request.fingerprint or fingerprint(question.body),
        conversation=request.conversation or conversation(question.body),
        target=chosen.target or "teacher",
        adapter=chosen.adapter,
        reason=ending.reason or request.reason,
        propensity=chosen.propensity,
        endpoint=request.endpoint,
        method=request.method,
        stream=question.body.stream is True or answer.streamed,
        complete=ending.complete and answer.complete,
        model_requested=requested,
        model_served=served,
        upstream=ending.upstream or request.upstream,
        status=ending.status,
        error_type=_error_type(request, question, ending, answer),
        request=question.text if request.bodies else None,
        response=answer.text if request.bodies else None,
        logprobs=_json(answer.logprobs) if request.bodies else None,
        prompt_tokens=usage.prompt,
        completion_tokens=usage.completion,
        cached_tokens=usage.cached,
        reasoning_tokens=usage.reasoning,
        cost_usd=cost_usd(usage, student_price if student else price_for(served, requested, prices)),
        latency_ms=_milliseconds(end.latency_us if end else None),
        first_token_ms=_milliseconds(ending.first_token_us),
        overhead_ms=_milliseconds(end.overhead_us if end else None),
        finish_reason=_finish_reason(answer.document),
        system_fingerprint=_text_field(answer.document, "system_fingerprint"),
        upstream_request_id=ending.upstream_request_id,
        tags={**question.body.tags, **request.tags},
        client=request.client,
        failed_adapter=request.adapter if chosen is ending and request.target == "student" else None,
    )


def _text_field(document: Any, key: str) -> str | None:
    """A string that is there and not empty."""
    found = document.get(key) if isinstance(document, dict) else None
    return json_text.mend(found) if isinstance(found, str) and found else None


def _error_type(request: wal.Request, question: Question, ending: wal.End, answer: Answer) -> str | None:
    certain = ending.error_type or request.error_type or question.error_type or answer.error_type
    invalid_utf8 = question.invalid_utf8 or answer.invalid_utf8
    return certain or ("invalid_utf8" if invalid_utf8 else None)


def _finish_reason(document: Any) -> str | None:
    """Of the first choice; of a Responses answer why it is incomplete, or else its status."""
    if not isinstance(document, dict):
        return None
    choices = document.get("choices")
    if isinstance(choices, list) and choices:
        return _text_field(choices[0], "finish_reason")
    if document.get("object") == "response":
        return _text_field(document.get("incomplete_details"), "reason") or _text_field(document, "status")
    return None


def _json(logprobs: list[Any] | None) -> str | None:
    return json_text.encode(logprobs).decode() if logprobs is not None else None


def _milliseconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1000
