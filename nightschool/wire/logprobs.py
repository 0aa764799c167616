"""JSON text -> the same bytes with ``null`` for the ``logprobs`` of every choice, whatever pieces it comes in.

Null is what an upstream sends that was not asked for them. Nothing is parsed, and nothing held but a key that is cut:
with alternatives for each token an answer can be far too long to be held. Where the text is no JSON, strings and
brackets are counted all the same; each event of a stream is counted anew, so that a broken one spoils no other.
"""

from __future__ import annotations

import re

_STRING_REST = rb'[^"\\\r\n]*+(?:\\[^\r\n][^"\\\r\n]*+)*+(?:(?P<closed>")|(?P<cut>\\?)\Z)?'
"""From behind the opening quote. Neither ``closed`` nor ``cut``: a line ends in it, which JSON forbids."""
_FLAT_OBJECT = rb'\{(?:[^{}\[\]"\r\n]++|"[^"\\\r\n]*+(?:\\[^\r\n][^"\\\r\n]*+)*+"|\[[^{}\[\]"\r\n]*+\])*+\}'
_BLANK_LINE = rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)"

_REST = re.compile(_STRING_REST)
_TOKEN = re.compile(rb'"%b|[{}\[\]]|%b' % (_STRING_REST, _BLANK_LINE))
_HIDDEN_TOKEN = re.compile(rb'%b|"%b|[{}\[\]]|%b' % (_FLAT_OBJECT, _STRING_REST, _BLANK_LINE))
"""Most of what is hidden are alternatives, each a flat object: one step for each."""
_SOMETHING_TO_HIDE = re.compile(rb'"logprobs"\s*+:\s*+[{\[]')

_IN_ANSWER, _IN_CHOICE = 1, 3
"""Depths of ``{`` and of ``{"choices":[{``."""


def without_logprobs(body: bytes) -> bytes:
    """A whole body; the same object where there is nothing to hide."""
    if _SOMETHING_TO_HIDE.search(body) is None:
        return body
    logprobs = LogprobsFilter(events=False)
    return logprobs.feed(body) + logprobs.flush()


class LogprobsFilter:
    """Takes the log probabilities out of one answer: a body, or with ``events`` a stream of server-sent events."""

    def __init__(self, *, events: bool) -> None:
        self._events = events
        self._held = b""
        """The beginning of what has to be seen whole: a key, a line end, an escape."""
        self._passed: list[bytes] = []
        self._from = 0
        """Up to where the present text is passed or left out."""
        self._begin()

    def _begin(self) -> None:
        self._fresh = self._events
        """An event begins."""
        self._depth = 0
        self._in_choices = False
        self._hiding = False
        self._in_string = False
        """In one that was too long for a key when it was cut."""
        self._key: re.Match[bytes] | None = None
        """The latest string, if it is one of the two keys in its place."""

    def feed(self, chunk: bytes) -> bytes:
        """What there is to pass on by now."""
        if self._fresh and not self._held and chunk.endswith(b"\n\n") and _SOMETHING_TO_HIDE.search(chunk) is None:
            return chunk
        text, self._held = self._held + chunk, b""
        self._passed, self._from = [], 0
        at = self._end_of_string(text) if self._in_string else 0
        while (token := (_HIDDEN_TOKEN if self._hiding else _TOKEN).search(text, at)) is not None:
            at = token.end()
            self._take(token)
        self._fresh = self._fresh and at == len(text)
        self._hold(text)
        if not self._hiding:
            self._passed.append(text[self._from : len(text) - len(self._held)])
        return b"".join(self._passed)

    def flush(self) -> bytes:
        """What is held at the end of the answer, as it came."""
        held, self._held = b"" if self._hiding else self._held, b""
        self._begin()
        return held

    def _end_of_string(self, text: bytes) -> int:
        rest = _REST.match(text)
        assert rest is not None  # it matches the empty text
        self._in_string = not rest["closed"] and rest.end() == len(text)
        self._held = rest["cut"] or b""
        return rest.end()

    def _take(self, token: re.Match[bytes]) -> None:
        found = token[0]
        self._fresh = False
        if found[:1] == b'"':
            self._take_string(token)
        elif found in (b"{", b"["):
            self._open(token)
        elif found in (b"}", b"]"):
            self._close(token.end())
        elif found[:1] != b"{" and self._events:
            if self._hiding:
                self._from = token.start()
            self._begin()

    def _take_string(self, token: re.Match[bytes]) -> None:
        self._key = None
        if token["closed"]:
            if self._depth == _IN_ANSWER:
                self._key = token if token[0] == b'"choices"' else None
            elif self._depth == _IN_CHOICE and self._in_choices:
                self._key = token if token[0] == b'"logprobs"' else None
        elif token.end() == len(token.string):
            could_be_key = not self._hiding and len(token[0]) < len(b'"logprobs"')
            self._in_string = not could_be_key
            self._held = token[0] if could_be_key else token["cut"] or b""

    def _open(self, token: re.Match[bytes]) -> None:
        key, self._key = self._key, None
        if key is not None and token.string[key.end() : token.start()].strip() == b":":
            if self._depth == _IN_ANSWER:
                self._in_choices = token[0] == b"["
            else:
                self._hiding = True
                self._passed += (token.string[self._from : token.start()], b"null")
        self._depth += 1

    def _close(self, end: int) -> None:
        self._key = None
        self._depth = max(0, self._depth - 1)
        if self._hiding and self._depth == _IN_CHOICE:
            self._hiding = False
            self._from = end
        elif self._depth == _IN_ANSWER:
            self._in_choices = False

    def _hold(self, text: bytes) -> None:
        """Hold a key whose value is still to come, and a line end that may be the first half of a blank line."""
        key, self._key = self._key, None
        if key is not None and text[key.end() :].strip() in (b"", b":"):
            self._held = text[key.start() :]
        elif self._events and not self._fresh and text.endswith((b"\n", b"\r")):
            self._held = text[len(text.rstrip(b"\r\n")) :]
