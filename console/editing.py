"""An answer as the fields of a form, and back: text, and a name with arguments for every tool call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from starlette.datastructures import FormData

from console.readable import pretty
from distill.labels.answer import written_answer
from distill.score.contract import fault_of_call, fault_of_json, must_be_json, toolbox_of
from distill.score.message import calls_of, text_of, value_of
from distill.score.scorer import Question
from nightschool.store.imports.item import Unreadable
from nightschool.wire import json_text

_MOST_CALLS = 64


class CallFields(NamedTuple):
    """A tool call."""

    name: str = ""
    arguments: str = ""
    """JSON as it was typed."""
    id: str = ""


class Fields(NamedTuple):
    """What the editor holds."""

    text: str
    calls: list[CallFields]


def fields_of(message: Mapping[str, Any] | None) -> Fields:
    """Of an assistant message; empty fields where there is none."""
    if message is None:
        return Fields("", [])
    calls = message.get("tool_calls")
    ids = [str(call.get("id") or "") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    named = [
        CallFields(call.name, _typed(call.arguments), identity)
        for call, identity in zip(calls_of(dict(message)), [*ids, *[""] * _MOST_CALLS], strict=False)
    ]
    return Fields(text_of(dict(message)), named)


def fields_given(form: FormData) -> Fields:
    """As they were sent, without calls that were taken out."""
    sent = zip(form.getlist("call_name"), form.getlist("call_arguments"), form.getlist("call_id"), strict=False)
    calls = [CallFields(*(str(part) for part in call)) for call in sent]
    if str(form.get("do", "")).startswith("remove "):
        gone = str(form["do"]).removeprefix("remove ")
        calls = [call for number, call in enumerate(calls) if str(number) != gone]
    if form.get("do") == "add":
        calls.append(CallFields())
    return Fields(str(form.get("text", "")).replace("\r\n", "\n"), calls[:_MOST_CALLS])


def message_of(fields: Fields, question: Question) -> tuple[dict[str, Any], list[str]]:
    """The message on the wire, and what is wrong with it; the message is empty where it cannot be one."""
    faults: list[str] = []
    calls = []
    for call in fields.calls:
        arguments = value_of(call.arguments.strip() or "{}")
        if not isinstance(arguments, dict):
            faults.append(f"{call.name or 'a call without a name'}: the arguments are not a JSON object")
        calls.append(
            {
                "type": "function",
                "function": {"name": call.name, "arguments": arguments if isinstance(arguments, dict) else {}},
                **({"id": call.id} if call.id else {}),
            }
        )
    if faults:
        return {}, faults
    told: dict[str, Any] = {"role": "assistant", "content": fields.text or None}
    try:
        message = written_answer({**told, "tool_calls": calls} if calls else told)
    except Unreadable as fault:
        return {}, [f"The answer {fault}."]
    return message, [*_broken(message, question)]


def _broken(message: dict[str, Any], question: Question) -> Iterable[str]:
    """What the request demands and this does not keep to: a dataset would leave such a label out."""
    tools = toolbox_of(question)
    for call in calls_of(message):
        if fault := fault_of_call(call, tools):
            yield fault
    if must_be_json(message, question) and (fault := fault_of_json(value_of(text_of(message)), question)):
        yield f"The request asks for JSON: {fault}"


def _typed(arguments: Any) -> str:
    if isinstance(arguments, dict | list):
        return pretty(json_text.encode(arguments).decode())
    return str(getattr(arguments, "text", arguments))
