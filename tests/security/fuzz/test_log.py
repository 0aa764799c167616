"""The write-ahead log: whatever a disk makes of it, what is whole before the damage is read, and nothing raises."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightschool.record import Feedback, Record
from nightschool.store import wal
from nightschool.store.log import LogReader
from tests.security.fuzz.damage import damaged

QUESTION = b'{"model": "m", "messages": [{"role": "user", "content": "hello"}]}'
ANSWER = b'{"choices": [{"message": {"role": "assistant", "content": "hi"}}], "usage": {"prompt_tokens": 3}}'
TIME_US = 1_790_000_000_000_000
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def exchange(number: int) -> list[bytes]:
    """Its frames."""
    identity = number.to_bytes(16, "big")
    frames = [
        wal.encode(wal.REQUEST, wal.Request(id=identity, time_us=TIME_US, endpoint="/chat/completions"), [QUESTION]),
        wal.encode(wal.PART, wal.Part(id=identity), [ANSWER[:20]]),
        wal.encode(wal.END, wal.End(id=identity, status=200, content_type="application/json"), [ANSWER[20:]]),
    ]
    return [b"".join(frame) for frame in frames]


def whole_log() -> list[bytes]:
    """The frames of a log that its worker has closed."""
    feedback = Feedback(exchange_id="x", time_us=TIME_US, score=1.0)
    return [
        b"".join(wal.encode(wal.HEADER, wal.Header(worker="w"))),
        *(frame for number in range(1, 4) for frame in exchange(number)),
        b"".join(wal.encode(wal.FEEDBACK, feedback)),
        b"".join(wal.encode(wal.FINISHED, None)),
    ]


FRAMES = whole_log()
LOG = b"".join(FRAMES)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "fuzzed.wal"


def read(file: Path, content: bytes) -> list[Record | Feedback]:
    """All rows, as recorder and readers get them."""
    file.write_bytes(content)
    return list(LogReader(file, finished=True))


def whole_in(data: bytes) -> list[bytes]:
    """The frames in front of the first byte that is not as it was written."""
    same = next((at for at, (now, then) in enumerate(zip(data, LOG, strict=False)) if now != then), len(data))
    ends = [sum(map(len, FRAMES[: number + 1])) for number in range(len(FRAMES))]
    return FRAMES[: sum(end <= same for end in ends)]


@unhurried
@given(data=damaged(LOG, tuple(FRAMES)))
def test_what_is_whole_in_front_of_the_damage_is_read_and_nothing_with_a_wrong_checksum(
    file: Path, data: bytes
) -> None:
    file.write_bytes(data)
    begin, frames = 0, list(wal.read_frames(file))
    for frame in frames:
        length, crc = struct.unpack_from("<II", data, begin)
        assert zlib.crc32(data[begin + 8 : begin + 8 + length]) == crc
        assert frame.end_offset == begin + 8 + length
        begin = frame.end_offset
    whole = whole_in(data)

    assert len(frames) >= len(whole)
    assert data.startswith(b"".join(whole))


@unhurried
@given(data=damaged(LOG, tuple(FRAMES)))
def test_no_damage_makes_the_reader_raise_or_lose_an_exchange_that_was_whole_before_it(file: Path, data: bytes) -> None:
    rows = read(file, data)
    whole = sum(number * 3 + 4 <= len(whole_in(data)) for number in range(3))

    assert [row.response for row in rows if isinstance(row, Record)][:whole] == [ANSWER.decode()] * whole


@unhurried
@given(
    frames=st.lists(
        st.tuples(st.integers(0, 255), st.integers(0, 2**32 - 1) | st.none(), st.binary(max_size=40)), max_size=4
    )
)
def test_frames_of_nonsense_with_a_right_checksum_are_named_and_passed_over(
    file: Path, frames: Sequence[tuple[int, int | None, bytes]]
) -> None:
    log = b""
    for kind, meta_bytes, payload in frames:
        checked = struct.pack("<BI", kind, len(payload) if meta_bytes is None else meta_bytes) + payload
        log += struct.pack("<II", len(checked), zlib.crc32(checked)) + checked
    rows = read(file, log + b"".join(exchange(1)))

    assert [row.response for row in rows if isinstance(row, Record)][-1] == ANSWER.decode()


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=16),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
KINDS = st.sampled_from([wal.HEADER, wal.REQUEST, wal.PART, wal.END, wal.FEEDBACK, wal.FINISHED])


@unhurried
@given(kind=KINDS, meta=ANYTHING, body=st.binary(max_size=60))
def test_any_value_where_meta_should_be_is_named_and_passed_over(
    file: Path, kind: int, meta: object, body: bytes
) -> None:
    packed = msgspec.msgpack.encode(meta)
    checked = struct.pack("<BI", kind, len(packed)) + packed + body
    log = struct.pack("<II", len(checked), zlib.crc32(checked)) + checked
    rows = read(file, log + b"".join(exchange(1)))

    assert [row.response for row in rows if isinstance(row, Record)][-1] == ANSWER.decode()


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "method": st.text(max_size=8),
        "endpoint": st.sampled_from(["/chat/completions", "/responses", "/completions", ""]) | st.text(max_size=8),
        "content_type": st.text(max_size=12),
        "content_encoding": st.sampled_from(["", "gzip", "br", "zstd", "deflate", "gzip, br"]) | st.text(max_size=8),
        "model": st.none() | st.text(max_size=8),
        "tags": st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
    },
)


@unhurried
@given(
    fields=FIELDS,
    encoding=st.sampled_from(["", "gzip", "br", "zstd", "deflate"]),
    question=st.binary(max_size=80) | damaged(QUESTION),
    answer=st.binary(max_size=80) | damaged(ANSWER),
)
def test_any_exchange_becomes_a_record(
    file: Path, fields: dict[str, object], encoding: str, question: bytes, answer: bytes
) -> None:
    identity = b"0123456789abcdef"
    request = msgspec.structs.replace(wal.Request(id=identity, time_us=TIME_US), **fields)
    end = wal.End(id=identity, status=200, content_encoding=encoding)
    file.write_bytes(b"".join([*wal.encode(wal.REQUEST, request, [question]), *wal.encode(wal.END, end, [answer])]))
    reader = LogReader(file, finished=True)

    assert [type(row) for row in reader] == [Record], reader.told_damage()
