"""Every error that nightschool raises on purpose.

NightschoolError
├── ConfigError          the YAML file, or a value in it
├── StoreError           the data folder: its logs, segments, manifest
│   └── StoreBusy        another process holds what only one may hold
├── RegistryError        the routing state, or what is written down of replicas
├── ImportFileError      a file of foreign exchanges cannot be read
├── FormatError          student formats
│   ├── UnknownFamily    no format is known for a base model
│   ├── Unrenderable     a message holds what a format cannot write
│   └── Unparsable       a completion is not what a format writes
└── UpstreamError        an upstream gave no answer; the proxy turns it into an HTTP error
    ├── ConnectFailed    nothing was sent: another upstream may be tried
    │   └── ConnectTimedOut
    ├── UpstreamTimeout  connect, first byte or idle time ran out
    ├── AnswerBroken     the upstream went away, or broke HTTP, in the middle of an answer
    └── StudentFailed    a student gave no answer that can be used; its teacher may be asked

Only the command line catches the base class.
"""

from __future__ import annotations

from typing import Literal

UnrenderableReason = Literal[
    "no_messages",
    "unknown_role",
    "content_part",
    "no_answer",
    "invalid_arguments",
    "function_name",
    "custom_tool_call",
    "custom_tool",
    "malformed_tool",
]


class NightschoolError(Exception):
    """Base class; the command line prints it without a traceback and exits 1."""

    def __init__(self, problem: str, *, remedy: str = "") -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}\n  try: {remedy}" if remedy else problem)


class ConfigError(NightschoolError):
    """The configuration cannot be used; the message lists every fault with its line."""


class StoreError(NightschoolError):
    """The data folder, or a file in it, cannot be used."""


class StoreBusy(StoreError):
    """Another process holds the part of the data folder that only one process may hold."""


class RegistryError(NightschoolError):
    """A file of the registry cannot be used."""


class ImportFileError(NightschoolError):
    """A file given to ``logs import`` holds nothing that can be read as exchanges."""


class FormatError(NightschoolError):
    """A conversation and a student format do not go together."""


class UnknownFamily(FormatError):
    """No format is known for this base model."""


class Unrenderable(FormatError):
    """A message, or a tool, holds what no format can write.

    ``reason`` is for counting, docs/formats.md explains each; the message says what was met.
    """

    def __init__(self, reason: UnrenderableReason, problem: str) -> None:
        self.reason = reason
        super().__init__(problem)


class Unparsable(FormatError):
    """A completion cannot be read as an assistant message: a tool call is broken off, or no call at all."""


class UpstreamError(NightschoolError):
    """An upstream gave no usable answer.

    ``upstream`` is its name in the configuration, ``cause`` a phrase for people, ``status`` what the client is told.
    """

    status = 502
    error_type = "upstream_error"

    def __init__(self, upstream: str, cause: str) -> None:
        self.upstream = upstream
        self.cause = cause
        super().__init__(f"upstream {upstream!r}: {cause}")


class ConnectFailed(UpstreamError):
    """No connection was made, so nothing can have had an effect: another upstream may be tried."""

    error_type = "upstream_unreachable"


class ConnectTimedOut(ConnectFailed):
    """No connection within ``connect_s``."""

    status = 504
    error_type = "upstream_timeout"


class UpstreamTimeout(UpstreamError):
    """The upstream was silent for longer than ``first_byte_s`` or ``idle_s``."""

    status = 504
    error_type = "upstream_timeout"


class AnswerBroken(UpstreamError):
    """The upstream closed the connection or broke HTTP before its answer was complete."""

    error_type = "upstream_broken"


class StudentFailed(UpstreamError):
    """A student gave no answer that can be used; ``reason`` is what the record says where its teacher answers instead.

    ``quoted``: words of the question or the answer, for the client alone; ``cause`` has none, so it may be logged.
    ``unwell``: the replica is to blame, not the question or the adapter.
    """

    def __init__(self, upstream: str, reason: str, cause: str, *, quoted: str = "", unwell: bool = False) -> None:
        super().__init__(upstream, cause)
        if quoted:
            self.args = (f"{self}: {quoted}",)
        self.reason = reason
        self.unwell = unwell
        self.error_type = _STUDENT_ERRORS.get(reason, "student_failed")
        self.status = 504 if reason == "fallback_timeout" else 502


_STUDENT_ERRORS = {
    "fallback_connect": "upstream_unreachable",
    "fallback_status": "upstream_refused",
    "fallback_timeout": "upstream_timeout",
    "fallback_broken": "upstream_broken",
    "fallback_invalid": "invalid_output",
}
