"""What the proxy asks of an upstream for the record, beside what the client asks.

    request, upstream -> inquiry -> body ──► upstream
                       client ◄── hiding ◄── answer, or a refusal: what it names is not asked again

Each question adds its members to the body and leaves every other byte; what the answer has because of it is hidden
from the client again (proxy/hiding.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from proxy.connection import Connection
from proxy.facts import RequestFacts
from proxy.stream_usage import USAGE_ENDPOINTS, asks_for_usage, with_usage_asked


class Question(NamedTuple):
    """Something that an upstream may refuse to answer; another number of alternatives is another question."""

    about: str
    """``usage`` or ``logprobs``."""
    alternatives: int = 0
    """To each token, of ``logprobs``."""

    def is_named_in(self, refusal: bytes) -> bool:
        """An upstream refuses what the client never sent. ``refusal`` is in lower case."""
        return any(name in refusal for name in _NAMES[self.about])


Inquiry = tuple[Question, ...]

USAGE = Question("usage")
MAX_REFUSAL_BYTES = 64 * 1024
_NAMES = {"usage": (b"stream_options", b"include_usage"), "logprobs": (b"logprobs",)}


def inquiry(
    facts: RequestFacts,
    *,
    alternatives: int,
    refuses: Callable[[Question, str | None], bool],
    but_not: Iterable[Question],
) -> Inquiry:
    """What is to be asked with this request, where the upstream does not refuse it; mostly nothing.

    ``alternatives``: to each token, 0 where log probabilities are not wanted for the record.
    """
    endpoint = facts.endpoint
    if endpoint not in USAGE_ENDPOINTS:
        return ()
    wanted: list[Question] = []
    if alternatives and endpoint == "/chat/completions" and not facts.speaks_of_logprobs:
        wanted.append(Question("logprobs", alternatives))
    if facts.streams and not asks_for_usage(facts):
        wanted.append(USAGE)
    if not wanted or not facts.body.rstrip().endswith(b"}"):
        return ()
    return tuple(question for question in wanted if question not in but_not and not refuses(question, facts.model))


def body_with(asked: Inquiry, facts: RequestFacts) -> bytes:
    """The request's body with the questions in it."""
    body = facts.body.rstrip()
    for question in asked:
        if question == USAGE:
            body = with_usage_asked(body, facts.stream_options)
        else:
            comma = b"" if body[:-1].rstrip() == b"{" else b","
            body = b'%b%b"logprobs":true,"top_logprobs":%d}' % (body[:-1], comma, question.alternatives)
    return body


async def named_in_refusal(asked: Inquiry, connection: Connection) -> Inquiry:
    """Of the questions those that an upstream refuses; the refusal of none can be read from the connection again."""
    refusal = b""
    while not connection.ended and len(refusal) < MAX_REFUSAL_BYTES:
        refusal += await connection.read()
    text = refusal.lower()
    named = tuple(question for question in asked if question.is_named_in(text))
    if not named:
        connection.unread(refusal)
    return named
