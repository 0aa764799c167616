"""The event by which a client knows that a stream is complete, noticed before the last of it is passed on.

The line feed in front of each tells the event from the same words inside a JSON string, where it would be escaped.
"""

from __future__ import annotations

_DONE = b"\ndata: [DONE]"
"""Of chat completions and completions; it says all there is to say."""
_RESPONSE = b"\nevent: response."
_FINAL = (_RESPONSE + b"completed", _RESPONSE + b"incomplete", _RESPONSE + b"failed")
"""Of the Responses API; the whole answer, with its usage, is in the data that follows."""
_LONGEST = max(map(len, (_DONE, *_FINAL)))
_BLANK_LINES = (b"\n\n", b"\n\r\n")


def goes_on(piece: bytes) -> bool:
    """Of a stream that was at the end of an event: ``piece`` is one more event, of a single line, and not the last."""
    return piece.startswith(b"data: {") and piece.find(b"\n") == len(piece) - 2 and piece.endswith(b"\n\n")


class StreamEnd:
    """Looks at a stream as it comes, in whatever pieces."""

    __slots__ = ("_in_final_event", "_window")

    def __init__(self) -> None:
        self._window = b"\n"
        self._in_final_event = False

    def is_in(self, data: bytes) -> bool:
        """With ``data``, the next piece, the client would have everything."""
        window = self._window + data
        if not self._in_final_event:
            if _DONE in window:
                return True
            begins = max(window.rfind(event) for event in _FINAL) if _RESPONSE in window else -1
            if begins < 0:
                self._window = window[-_LONGEST:]
                return False
            self._in_final_event = True
            window = window[begins + 1 :]
        self._window = window[-2:]
        return any(line in window for line in _BLANK_LINES)
