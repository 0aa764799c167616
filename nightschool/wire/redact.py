"""Rules that take secrets out of a body before it reaches a disk.

A rule is a pattern and the text that stands in for what it matches, taken literally. In JSON every string is looked at
as the application will read it, so that ``\\u0073k-…`` hides nothing; a string that holds JSON itself (tool arguments)
is looked at inside first. Keys are redacted like values; numbers are not.

Of a key that an object has twice, only the last value is kept: no reader sees the others, so none may stay unseen here.
Where anything was found, copies of the same text token by token (log probabilities, token ids) are dropped, because a
secret could be put together from them. A stream has to be reassembled first, for the same reason.

Python's ``re`` cannot be given a time limit: a pattern with nested repeats can hang a worker on the wrong text. A body
that is not JSON (a form, a log, a truncated object) is searched as it stands, escapes and all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from nightschool.wire import json_text

_TOKEN_COPIES = frozenset({"logprobs", "prompt_logprobs", "token_ids", "prompt_token_ids"})
_MAX_DEPTH = 100
_MAX_NESTED_TEXTS = 4
"""How many times JSON is looked for in a string in JSON in a string."""


class Redactor:
    """Applies rules, in order, to bodies and texts."""

    def __init__(self, rules: Iterable[tuple[re.Pattern[str], str]]) -> None:
        self._rules = tuple((pattern, _literally(replacement)) for pattern, replacement in rules)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def text(self, text: str) -> str:
        """``text`` with every match replaced."""
        for pattern, replacement in self._rules:
            text = pattern.sub(replacement, text)
        return text

    def json(self, body: bytes) -> bytes:
        """The redacted body: the very same object if nothing matched, else compact JSON, or text if it was no JSON."""
        if not self._rules or not body:
            return body
        try:
            return self._document(body, _MAX_NESTED_TEXTS)
        except ValueError:
            return self._plain(body)

    def _document(self, text: bytes, texts: int) -> bytes:
        """Redacted JSON, or the same object; ``ValueError`` if it is no JSON."""
        value = json_text.decode(text)
        redacted = self._value(value, _MAX_DEPTH, texts)
        if redacted is not value:
            return json_text.encode(_without_token_copies(redacted, _MAX_DEPTH))
        may_hide = b"\\" in text or self._plain(text) is not text
        return json_text.encode(value) if may_hide and _repeats_a_key(text) else text

    def _plain(self, body: bytes) -> bytes:
        text = body.decode("utf-8", "surrogateescape")
        redacted = self.text(text)
        return body if redacted == text else redacted.encode("utf-8", "surrogateescape")

    def _value(self, value: Any, depth: int, texts: int) -> Any:
        """The redacted value, or the same object."""
        if isinstance(value, str):
            return self._string(value, texts)
        if not isinstance(value, (dict, list)):
            return value
        if not depth:
            text = json_text.encode(value).decode()
            redacted = self.text(text)
            return value if redacted == text else redacted
        if isinstance(value, list):
            entries = [self._value(entry, depth - 1, texts) for entry in value]
            return entries if any(new is not old for new, old in zip(entries, value, strict=True)) else value
        fields = {self._string(key, 0): self._value(entry, depth - 1, texts) for key, entry in value.items()}
        same = len(fields) == len(value) and all(fields.get(key, _MISSING) is value[key] for key in value)
        return value if same else fields

    def _string(self, text: str, texts: int) -> str:
        redacted = self._nested(text, texts) if texts and text[:1] in ("{", "[") else text
        redacted = self.text(redacted)
        return text if redacted == text else redacted

    def _nested(self, text: str, texts: int) -> str:
        source = text.encode("utf-8", "surrogatepass")
        try:
            redacted = self._document(source, texts - 1)
        except ValueError:
            return text
        return text if redacted is source else redacted.decode()


_MISSING = object()


NO_RULES = Redactor(())
"""It finds nothing."""


def _literally(replacement: str) -> Callable[[re.Match[str]], str]:
    return lambda _: replacement


def _repeats_a_key(text: bytes) -> bool:
    """Whether an object has a key twice: the parser passes over all values but the last, and so does the walk."""
    repeated = False

    def note(pairs: list[tuple[str, Any]]) -> None:
        nonlocal repeated
        repeated = repeated or len({key for key, _ in pairs}) < len(pairs)

    try:
        json.loads(text.decode("utf-8", "replace"), object_pairs_hook=note)
    except (ValueError, RecursionError):
        return True
    return repeated


def _without_token_copies(value: Any, depth: int) -> Any:
    if isinstance(value, dict) and depth:
        return {
            key: None
            if key in _TOKEN_COPIES and isinstance(entry, (dict, list))
            else _without_token_copies(entry, depth - 1)
            for key, entry in value.items()
        }
    if isinstance(value, list) and depth:
        return [_without_token_copies(entry, depth - 1) for entry in value]
    return value
