"""The request headers that speak to nightschool itself: read, checked, and never forwarded."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field

import msgspec

PREFIX = b"x-nightschool-"
_KNOWN = ("workload", "conversation", "tags", "record", "target")
_WORKLOAD = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_CONVERSATION = re.compile(r"[\x21-\x7e]{1,200}")
_decode_tags = msgspec.json.Decoder(dict[str, str]).decode


class BadControlHeader(ValueError):
    """An ``x-nightschool-*`` header says something that cannot be done; the client is told with a 400."""

    def __init__(self, header: str, problem: str) -> None:
        self.header = header
        super().__init__(f"request header {header}: {problem}")


@dataclass(frozen=True, slots=True)
class Control:
    workload: str | None = None
    conversation: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    record: bool = True
    target: str | None = None


NOTHING_SAID = Control()


def read_control(headers: list[tuple[bytes, bytes]]) -> Control:
    """What the caller wants of nightschool; ``headers`` have lower-case names, as ASGI gives them."""
    said: dict[str, str] = {}
    for name, value in headers:
        if name.startswith(PREFIX):
            key = name[len(PREFIX) :].decode("latin-1")
            if key in said:
                raise BadControlHeader(name.decode("latin-1"), "given twice")
            said[key] = value.decode("latin-1")
    return _checked(said) if said else NOTHING_SAID


def _checked(said: dict[str, str]) -> Control:
    for key in said:
        if key not in _KNOWN:
            near = difflib.get_close_matches(key, _KNOWN, n=1)
            hint = f"did you mean x-nightschool-{near[0]}?" if near else f"known are {', '.join(_KNOWN)}"
            raise BadControlHeader(f"x-nightschool-{key}", f"not known; {hint}")
    return Control(
        workload=_matching(said, "workload", _WORKLOAD, "a name of lower-case letters, digits, '.', '_' and '-'"),
        conversation=_matching(said, "conversation", _CONVERSATION, "1 to 200 printable ASCII characters"),
        tags=_tags(said.get("tags")),
        record=_one_of(said, "record", ("on", "off")) != "off",
        target=_one_of(said, "target", ("teacher", "student")),
    )


def _matching(said: dict[str, str], key: str, pattern: re.Pattern[str], expected: str) -> str | None:
    value = said.get(key)
    if value is not None and pattern.fullmatch(value) is None:
        raise BadControlHeader(f"x-nightschool-{key}", f"{value!r} is not {expected}")
    return value


def _one_of(said: dict[str, str], key: str, allowed: tuple[str, ...]) -> str | None:
    value = said.get(key)
    if value is not None and value not in allowed:
        raise BadControlHeader(f"x-nightschool-{key}", f"{value!r} is neither {' nor '.join(allowed)}")
    return value


def _tags(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    try:
        return _decode_tags(text.encode("latin-1"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadControlHeader("x-nightschool-tags", f"not a JSON object of strings ({error})") from None
