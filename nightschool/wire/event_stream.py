"""What all streams of JSON events have in common: reading an event, ``[DONE]``, errors, and events that are no JSON."""

from __future__ import annotations

from typing import Any

from nightschool.wire import json_text

DONE = b"[DONE]"


class EventStream:
    """Events in, one document out. Fed anything at all it does not raise; it counts what it could not read.

    Subclasses say what an event adds (``_take``), what came of it (``message``) and when it is whole (``finished``).
    """

    def __init__(self) -> None:
        self.recognised = False
        """Whether any event was of the kind that this stream is made of."""
        self.done = False
        """Whether ``[DONE]`` came."""
        self.error: Any = None
        """What an error event said."""
        self.events = 0
        """Events that were looked at in full."""
        self.bad_events = 0
        """Events that were no JSON object."""
        self.invalid_utf8 = False

    def feed(self, event_data: bytes) -> None:
        """Take the data of one event."""
        data = event_data.strip()
        self.events += 1
        if data == DONE:
            self.done = True
        elif data:
            self._read(data)

    @property
    def finished(self) -> bool:
        """Whether the upstream said that the answer is whole."""
        return self.done

    def message(self) -> dict[str, Any]:
        """The document that the events so far add up to, in the shape of an answer that was not streamed."""
        raise NotImplementedError

    def logprobs(self) -> list[Any] | None:
        """The log probabilities of each choice, which ``message`` leaves out; None where there are none."""
        return None

    def _read(self, data: bytes) -> None:
        self.invalid_utf8 |= not json_text.is_utf8(data)
        try:
            event = json_text.decode(data)
        except ValueError:
            self.bad_events += 1
            return
        if not isinstance(event, dict):
            self.bad_events += 1
            return
        if event.get("error"):
            self.error = event["error"]
            self.recognised |= self.events == 1
        self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        raise NotImplementedError
