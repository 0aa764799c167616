"""Streams of an upstream: however damaged, and however cut on the wire, they pass and become a record."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from nightschool.wire import json_text
from nightschool.wire.reassemble import reassemble
from nightschool.wire.redact import Redactor
from proxy.stream_end import StreamEnd
from tests.security.fuzz.damage import damaged

STREAMS = Path(__file__).parents[2] / "data" / "streams"
CAPTURES = [path.read_bytes()[:6_000] for path in sorted(STREAMS.glob("*.sse"))]
PIECES = (
    *(
        b"\n\n",
        b"\r\n",
        b"\r",
        b"data: ",
        b"data: [DONE]\n\n",
        b"event: response.completed\n",
        b": ping\n\n",
        b"\xef\xbb\xbf",
    ),
    *(b'{"choices":[{"index":-1,"delta":{}}]}', b'{"choices":[{"index":1e999,"delta":{"content":1}}]}', b"[" * 300),
    *(
        b'"\\ud83d',
        b"\xf0\x9f\xa6",
        b'{"a":1,"a":2}',
        b"9" * 5_000,
        b"NaN",
        b"\0",
        b'{"choices":{"0":1}}',
        b'"usage":[]',
    ),
)
ENDPOINTS = st.sampled_from(["/chat/completions", "/completions", "/responses", "/other"])
streams = st.sampled_from(CAPTURES).flatmap(lambda capture: damaged(capture, PIECES))
unhurried = settings(deadline=None)


@unhurried
@given(stream=streams, endpoint=ENDPOINTS)
def test_a_damaged_stream_becomes_one_document_that_says_what_is_wrong(stream: bytes, endpoint: str) -> None:
    whole = reassemble(endpoint, stream)

    whole.body().decode()
    assert whole.message is None or json.loads(whole.body())
    assert whole.error_type is None or len(whole.error_type) < 200


@unhurried
@given(stream=streams, cuts=st.lists(st.integers(0, 6_000), max_size=6))
def test_the_end_of_a_stream_is_seen_wherever_it_is_cut(stream: bytes, cuts: list[int]) -> None:
    whole, cut = StreamEnd(), StreamEnd()
    begins = sorted({0, *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[begin:end] for begin, end in zip(begins, [*begins[1:], len(stream)], strict=True)]

    assert any([cut.is_in(piece) for piece in pieces]) == whole.is_in(stream)


SECRET = "sk-abcdefgh"


def stream_with(parts: list[str]) -> bytes:
    """A chat completion whose text comes in these parts."""
    deltas = [{"choices": [{"index": 0, "delta": {"content": part}}]} for part in parts]
    return b"".join(b"data: %b\n\n" % json.dumps(delta).encode() for delta in deltas) + b"data: [DONE]\n\n"


@unhurried
@given(cuts=st.sets(st.integers(1, len(SECRET) - 1)), data=st.data())
def test_a_secret_is_taken_out_of_a_stream_however_it_was_split_and_damaged(
    cuts: set[int], data: st.DataObject
) -> None:
    begins = [0, *sorted(cuts)]
    parts = [SECRET[begin:end] for begin, end in zip(begins, [*begins[1:], len(SECRET)], strict=True)]
    stream = data.draw(damaged(stream_with(["look: ", *parts, " there"]), PIECES))
    redactor = Redactor([(re.compile(SECRET), "[key]")])
    recorded = redactor.json(reassemble("/chat/completions", stream).body()).decode()

    assert SECRET not in recorded
    if json_text.is_valid(recorded.encode()):
        assert SECRET not in str(json_text.decode(recorded.encode()))
