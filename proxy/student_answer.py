"""What a replica streams -> what the client is given: the answer as OpenAI would have given it, once it is known good.

    event of the replica ── feed ──> bytes for the client, as soon as they can be let go
    its end ──────────────── end ──> the last of them, or why the answer is none

Plain text flows from its first token on. Tool calls wait until every one of them is whole and fits the tools on offer;
JSON waits for its first character; a client that did not ask for a stream gets one body at the end. Only what OpenAI's
API knows is passed on: what vLLM adds to it (``reasoning``, ``stop_reason``, ``token_ids``, ``prompt_logprobs``,
``kv_transfer_params`` and the like) stays behind.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from nightschool.errors import StudentFailed
from nightschool.formats import unguarded
from nightschool.wire import json_text
from nightschool.wire.chat_stream import ChatStream
from nightschool.wire.event_stream import DONE
from nightschool.wire.upstream_error import error_type
from nightschool.wire.usage import usage_of
from proxy.call_ids import call_id
from proxy.student_check import arguments_of, fault_of, may_begin
from proxy.student_question import StudentQuestion

Json = dict[str, Any]

_LT, _JOINER = "<", "\u2060"
_DONE_EVENT = b"data: " + DONE + b"\n\n"


class Last(NamedTuple):
    """The end of an answer."""

    client: bytes
    record: bytes
    """The same, with the usage that the client may not have asked for."""


class StudentAnswer:
    """One answer on its way; ``alive`` once the replica has computed something."""

    def __init__(
        self, question: StudentQuestion, *, replica: str, adapter: str, model: str | None, holds: bool = False
    ) -> None:
        """``holds``: nothing is let go before the end."""
        self.alive = False
        self._question = question
        self._replica = replica
        self._adapter = adapter
        self._model = model or adapter
        self._holds = holds or not question.streams or question.demands.needs_call
        self._whole = ChatStream()
        self._head: Json = {}
        self._plain = _Plain()
        self._begun = ""
        """The text so far, until it is known that an answer may begin so."""
        self._held: list[Json] = []
        """Deltas that wait, each with its log probabilities."""
        self._begins_well = False
        self._flows = False

    @property
    def done(self) -> bool:
        """The replica has said that there will be no more."""
        return self._whole.done

    def feed(self, data: bytes) -> bytes:
        """Take the data of one event. Raises StudentFailed as soon as it is clear that this becomes no answer."""
        self._whole.feed(data)
        if self._whole.error:
            kind = error_type(self._whole.error) or "an error"
            raise self._failed("fallback_broken", f"sent {kind} in its stream", unwell=True)
        choice = self._choice(data)
        if choice is None:
            return b""
        self.alive = True
        delta = choice.get("delta")
        text = delta.get("content") if isinstance(delta, dict) else None
        if not isinstance(text, str) or not text:
            return b""
        self._held.append({"delta": {"content": self._plain.feed(text)}, "logprobs": choice.get("logprobs")})
        if not self._begins_well:
            self._look_at_beginning(text)
        return self._let_go() if self._begins_well and not self._holds else b""

    def end(self) -> Last:
        """There will be no more. Raises StudentFailed where it is no whole answer, or not one that was asked for."""
        if not self._whole.finished or self._whole.bad_events:
            raise self._failed("fallback_broken", "ended in the middle of its answer", unwell=True)
        whole = self._whole.message()
        choice = whole["choices"][0] if whole["choices"] else {"message": {}, "finish_reason": None}
        tokens = usage_of(whole).completion
        if fault := fault_of(choice["message"], choice["finish_reason"], tokens, self._question.demands):
            cause = f"gave an answer that cannot be used: {fault.what}"
            raise self._failed("fallback_invalid", cause, quoted=fault.quoted)
        calls = self._calls(choice["message"].get("tool_calls") or [])
        reason = choice["finish_reason"]
        if calls:
            reason = "function_call" if self._question.demands.legacy else "tool_calls"
        if self._question.streams:
            return self._last_events(calls, reason, whole.get("usage"))
        body = self._body(choice["message"], calls, reason, whole.get("usage"))
        return Last(body, body)

    # -- what comes in

    def _choice(self, data: bytes) -> Json | None:
        """The choice in an event that has one; the first event also says what all of the client's have in common."""
        if data.strip() == DONE:
            return None
        try:
            event = json_text.decode(data)
        except ValueError:
            return None  # counted by the stream
        choices = event.get("choices") if isinstance(event, dict) else None
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return None
        if not self._head:
            self._head = {"id": event.get("id"), "created": event.get("created"), "model": self._model}
        choice: Json = choices[0]
        return choice

    def _look_at_beginning(self, text: str) -> None:
        self._begun += text
        verdict = may_begin(self._begun, self._question.demands)
        if verdict is False:
            begun = repr(self._begun.strip()[:40])
            raise self._failed("fallback_invalid", "began an answer that cannot be used", quoted=begun)
        self._begins_well = verdict is True

    def _failed(self, reason: str, cause: str, *, quoted: str = "", unwell: bool = False) -> StudentFailed:
        return StudentFailed(self._replica, reason, cause, quoted=quoted, unwell=unwell)

    # -- what goes out

    def _let_go(self) -> bytes:
        """Everything that waits, behind the event with which a stream begins."""
        held, self._held = self._held, []
        first = {"role": "assistant", "content": "" if held else None, "refusal": None}
        events = [] if self._flows else [self._event(first)]
        self._flows = True
        events += [self._event(each["delta"], logprobs=each["logprobs"]) for each in held]
        return b"".join(events)

    def _last_events(self, calls: list[Json], reason: str, usage: Any) -> Last:
        events = self._let_go()
        for position, call in enumerate(calls):
            events += self._call_events(position, call)
        events += self._event({}, finish_reason=reason)
        counted = events
        if usage is not None:
            counted += _framed({**self._top("chat.completion.chunk"), "choices": [], "usage": usage})
        record = counted + _DONE_EVENT
        return Last(record if self._question.wants_usage else events + _DONE_EVENT, record)

    def _call_events(self, position: int, call: Json) -> bytes:
        """Name first, arguments behind it, as OpenAI streams a call."""
        inner = call["function"]
        name, arguments = {"name": inner["name"], "arguments": ""}, {"arguments": inner["arguments"]}
        if self._question.demands.legacy:
            return self._event({"function_call": name}) + self._event({"function_call": arguments})
        head = {"index": position, "id": call["id"], "type": "function", "function": name}
        return self._event({"tool_calls": [head]}) + self._event(
            {"tool_calls": [{"index": position, "function": arguments}]}
        )

    def _event(self, delta: Json, *, finish_reason: str | None = None, logprobs: Any = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        chunk: Json = {**self._top("chat.completion.chunk"), "choices": [choice]}
        if self._question.wants_usage:
            chunk["usage"] = None
        return _framed(chunk)

    def _body(self, said: Json, calls: list[Json], reason: str, usage: Any) -> bytes:
        text = unguarded(said.get("content") or "")
        message: Json = {"role": "assistant", "content": text if text or not calls else None, "refusal": None}
        if calls and self._question.demands.legacy:
            message["function_call"] = calls[0]["function"]
        elif calls:
            message["tool_calls"] = calls
        logprobs = self._whole.logprobs()
        choice = {"index": 0, "message": message, "logprobs": (logprobs or [None])[0], "finish_reason": reason}
        return json_text.encode({**self._top("chat.completion"), "choices": [choice], "usage": usage})

    def _top(self, kind: str) -> Json:
        return {"id": self._head.get("id"), "object": kind, **self._head}

    def _calls(self, calls: list[Json]) -> list[Json]:
        answer = str(self._head.get("id"))
        return [
            {
                "id": call_id(self._adapter, answer, position),
                "type": "function",
                "function": {"name": call["function"]["name"], "arguments": arguments_of(call)},
            }
            for position, call in enumerate(calls)
        ]


class _Plain:
    """``unguarded``, piece by piece."""

    def __init__(self) -> None:
        self._behind_lt = False

    def feed(self, text: str) -> str:
        drops = self._behind_lt and text.startswith(_JOINER)
        self._behind_lt = text.endswith(_LT)
        return unguarded(text.removeprefix(_JOINER) if drops else text)


def _framed(document: Json) -> bytes:
    return b"data: " + json_text.encode(document) + b"\n\n"
