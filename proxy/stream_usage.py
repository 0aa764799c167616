"""Token usage of a streamed answer: asked of the upstream for the record, hidden again from a client that did not
ask.

An upstream that is asked (``stream_options.include_usage``) sends one more event, with empty ``choices`` and the
usage, and may put ``"usage": null`` into every other event. Without those two things the stream is byte for byte what
it would have been.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from proxy.facts import RequestFacts

USAGE_ENDPOINTS = frozenset(("/chat/completions", "/completions"))
"""Whose requests know ``stream_options``."""

MAX_HELD_BYTES = 1 << 20
"""An event that is longer is passed on unread."""

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*+"|[{}\[\]]', re.DOTALL)
_EVENT_WITH_NULL = b',"usage":null}\n\n'
_NULL_AT_END = re.compile(rb',"usage":null((?:,"obfuscation":"[^"\\]*")?\}\n\n)\Z')
_EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")


def asks_for_usage(facts: RequestFacts) -> bool:
    return facts.stream_options is not None and facts.stream_options.get("include_usage") is True


def with_usage_asked(body: bytes, stream_options: dict[str, Any] | None) -> bytes:
    """A request's body, an object that ends in its brace, with ``include_usage`` set and every other byte as it was."""
    span = member_span(body, b'"stream_options"')
    if span is None:
        return body[:-1] + b',"stream_options":{"include_usage":true}}'
    options = (stream_options or {}) | {"include_usage": True}
    start, end = span
    return body[:start] + b'"stream_options":' + msgspec.json.encode(options) + body[end:]


def member_span(document: bytes, quoted_key: bytes) -> tuple[int, int] | None:
    """Where the member ``quoted_key: value`` of the outermost object stands, comma excluded; None when it has none.

    Depth is what matters: a tool's parameters may well have a property of the same name.
    """
    if quoted_key not in document:
        return None
    depth = 0
    start: int | None = None
    for token in _TOKEN.finditer(document):
        text = token[0]
        if start is not None and depth == 1 and text not in (b"{", b"["):
            # Behind a scalar value comes the next key or the end; behind a string value too.
            return start, _value_end(document, start + len(quoted_key))
        if text in (b"{", b"["):
            depth += 1
        elif text in (b"}", b"]"):
            depth -= 1
            if start is not None and depth == 1:
                return start, token.end()
        elif depth == 1 and text == quoted_key and document[token.end() :].lstrip()[:1] == b":":
            start = token.start()
    return None


_SCALAR = re.compile(rb'\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*+"|[^\s,}\]]+)', re.DOTALL)


def _value_end(document: bytes, key_end: int) -> int:
    match = _SCALAR.match(document, key_end)
    return match.end() if match else key_end


class UsageFilter:
    """Takes what we asked for out of a stream of server-sent events, whatever pieces it comes in."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """Every event that is whole by now, filtered; an event that is not is held until the rest comes."""
        if self._held:
            chunk = self._held + chunk
            self._held = b""
        if chunk.endswith(b"\n\n"):
            # What nearly every read has: one event that ends in the null, where depth is clear, or nothing to hide.
            if (shorter := _without_null(chunk)) is not None:
                return shorter
            if b'"usage"' not in chunk:
                return chunk
            if chunk.find(b"\n") == len(chunk) - 2 and (null := _NULL_AT_END.search(chunk)) is not None:
                return chunk[: null.start()] + null[1]
        passed: list[bytes] = []
        start = 0
        for end in _EVENT_END.finditer(chunk):
            passed.append(_filtered(chunk[start : end.end()]))
            start = end.end()
        rest = chunk[start:]
        if len(rest) > MAX_HELD_BYTES:
            passed.append(rest)
        else:
            self._held = rest
        return b"".join(passed)

    def flush(self) -> bytes:
        """What is held at the end of the stream, as it came."""
        held, self._held = self._held, b""
        return held


class _Said(msgspec.Struct):
    """By an event."""

    usage: msgspec.Raw = msgspec.Raw()
    choices: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Said).decode


def _filtered(event: bytes) -> bytes:
    if b'"usage"' not in event:
        return event
    if (shorter := _without_null(event)) is not None:
        return shorter
    field = event.find(b"data:") + len(b"data:")
    document = event[field:]
    if _is_usage_alone(document):
        return b""
    span = member_span(document, b'"usage"')
    if span is None:
        return event
    start, end = span
    value = _value(document, span)
    if value.startswith(b"{"):
        choices = member_span(document, b'"choices"')
        ours = choices is not None and _value(document, choices)[1:-1].strip() == b""
        return b"" if ours else event
    if value != b"null":
        return event
    before, behind = document[:start].rstrip(), document[end:].lstrip()
    if before.endswith(b","):
        return event[:field] + before[:-1] + document[end:]
    return event[:field] + document[:start] + (behind[1:] if behind.startswith(b",") else behind)


def _without_null(event: bytes) -> bytes | None:
    """The one event, of a single line, if it ends in the null, where depth is clear."""
    if event.endswith(_EVENT_WITH_NULL) and event.find(b"\n") == len(event) - 2:
        return event[: -len(_EVENT_WITH_NULL)] + b"}\n\n"
    return None


def _is_usage_alone(document: bytes) -> bool:
    """What was asked for, in the form in which it comes; told in a moment."""
    try:
        said = _decode(document)
    except (msgspec.DecodeError, RecursionError):
        return False
    return bytes(said.choices) == b"[]" and bytes(said.usage).startswith(b"{")


def _value(document: bytes, span: tuple[int, int]) -> bytes:
    return document[span[0] : span[1]].partition(b":")[2].strip()
