"""What is imported, without what no disk is to have: as if it had come through a proxy."""

from __future__ import annotations

import msgspec

from nightschool.record import Record
from nightschool.store.imports.candidate import Candidate
from nightschool.wire import json_text
from nightschool.wire.logprobs import without_logprobs
from nightschool.wire.redact import Redactor


def redacted_candidate(candidate: Candidate, redactor: Redactor) -> Candidate:
    """Redact it before its record is made: conversation and fingerprint are those of the redacted text.

    Log probabilities go: a text could be put together from their tokens, of which a rule sees one at a time.
    """
    return msgspec.structs.replace(
        candidate,
        request=json_text.decode(redactor.json(json_text.encode(candidate.request))),
        response=json_text.decode(redactor.json(without_logprobs(json_text.encode(candidate.response)))),
        tags=_redacted_tags(candidate.tags, redactor),
    )


def redacted_record(record: Record, redactor: Redactor) -> Record:
    """One that was exported; it keeps its conversation and its fingerprint."""
    return msgspec.structs.replace(
        record,
        request=_redacted(record.request, redactor),
        response=_redacted(record.response, redactor),
        logprobs=None,
        tags=_redacted_tags(record.tags, redactor),
    )


def _redacted(body: str | None, redactor: Redactor) -> str | None:
    return body and redactor.json(body.encode()).decode()


def _redacted_tags(tags: dict[str, str], redactor: Redactor) -> dict[str, str]:
    return {redactor.text(name): redactor.text(value) for name, value in tags.items()}
