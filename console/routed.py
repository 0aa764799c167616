"""Why somebody answered, in words: what the column ``reason`` means (docs/routing.md)."""

from __future__ import annotations

_TEACHER = {
    "rule": "a rule of the configuration matched, and no student answers for the workload",
    "header": "the caller named the workload, and no student answers for it",
    "default": "no rule matched: the default upstream answered",
    "no_student": "the caller asked for a student, and none answers",
    "asked": "the caller asked for the teacher",
    "ramp": "the shares leave this conversation to the teacher",
    "teacher_sample": "this conversation is one of those that stay the teacher's",
    "tool_loop": "it goes on with the teacher's tool calls, or those of a student that was withdrawn",
    "capability": "a student cannot answer this as the teacher would",
    "unqualified_prompt": "the student was not qualified on this prompt",
    "no_replica": "no replica that holds the adapter was ready",
    "training": "the replicas were paused for a training run",
    "fallback": "another upstream stood in for one that could not be reached",
    "fallback_connect": "the student could not be reached",
    "fallback_status": "the student's server refused",
    "fallback_timeout": "the student was too slow",
    "fallback_broken": "the student's answer broke off",
    "fallback_invalid": "the student's answer was invalid",
    "audit": "we asked it ourselves, to compare a student's answer with",
    "import": "it was imported",
}
_STUDENT = {
    "canary": "the conversation fell to the student on its way up",
    "live": "the conversation fell to the live student",
    "tool_loop": "it goes on with this student's tool calls",
    "asked": "the caller asked for the student",
}


def in_words(target: str, reason: str) -> str:
    """Empty for a reason that is not known here."""
    return (_STUDENT if target == "student" else _TEACHER).get(reason, "")
