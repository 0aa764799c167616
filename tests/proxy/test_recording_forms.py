"""What reaches the log in each form: whole and in parts, redacted, without text, or nothing at all."""

from __future__ import annotations

import errno
import gzip
import json
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from nightschool.config import RecordConfig
from nightschool.record import Record
from nightschool.store import wal
from nightschool.store.log import LogReader, list_logs
from proxy.journal import SLOW_WRITE_S, Journal, JournalSettings
from proxy.log_file import DiskLog
from proxy.recording import SPILL_BYTES, NoRecording, Recording, RecordingPolicy
from tests.proxy.journaling import until

ID = bytes(16)
CHAT = "/chat/completions"
SECRET = "sk-1234"
REDACT = [{"pattern": r"sk-\d+", "with": "[key]"}]
STREAM = b"".join(
    b"data: %b\n\n" % json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode()
    for choice in (
        {"index": 0, "delta": {"role": "assistant", "content": "the key is sk-"}},
        {"index": 0, "delta": {"content": "12"}},
        {"index": 0, "delta": {"content": "34."}},
        {"index": 0, "delta": {}, "finish_reason": "stop"},
    )
)
DONE = b"data: [DONE]\n\n"


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = Journal(tmp_path, wal.Header, JournalSettings(fsync="off"))
    journal.start()
    yield journal
    await journal.close()


def recording_of(journal: Journal, **config: Any) -> Recording:
    return RecordingPolicy(RecordConfig.model_validate(config), journal).recording(True)


def request(**given: Any) -> wal.Request:
    return wal.Request(id=ID, time_us=1, endpoint=CHAT, content_type="application/json", **given)


def answer(content_type: str = "application/json", **given: Any) -> wal.End:
    return wal.End(id=ID, status=200, content_type=content_type, **given)


def frames(folder: Path) -> list[wal.Frame]:
    """What has been written of the exchange."""
    kept = (wal.REQUEST, wal.PART, wal.END)
    return [frame for path in folder.glob("*.wal") for frame in wal.read_frames(path) if frame.kind in kept]


def request_in(folder: Path) -> tuple[wal.Request, bytes]:
    frame = frames(folder)[0]
    return wal.decode_request(frame.meta), frame.body


def end_in(folder: Path) -> tuple[wal.End, bytes]:
    frame = frames(folder)[-1]
    return wal.decode_end(frame.meta), frame.body


# -- whole


async def test_a_short_answer_is_one_end_with_its_bytes_as_they_came(journal: Journal, tmp_path: Path) -> None:
    recording = recording_of(journal)
    recording.begin(request(), b'{ "model": "m" }\n')
    recording.feed(b"data: 1\n")
    recording.feed(b"\ndata: \xff\n\n")
    recording.end(answer())
    journal.turn.end()

    assert [(frame.kind, frame.body) for frame in frames(tmp_path)] == [
        (wal.REQUEST, b'{ "model": "m" }\n'),
        (wal.END, b"data: 1\n\ndata: \xff\n\n"),
    ]


async def test_a_long_answer_goes_to_the_log_in_parts_while_it_passes(journal: Journal, tmp_path: Path) -> None:
    recording = recording_of(journal)
    recording.begin(request(), b"{}")
    chunk = bytes(range(256)) * 64
    for _ in range(20):
        recording.feed(chunk)
    on_the_way = frames(tmp_path)
    recording.end(answer())
    journal.turn.end()

    _, *parts, end = frames(tmp_path)
    assert {frame.kind for frame in on_the_way[1:]} == {wal.PART}
    assert sum(len(part.body) for part in parts) >= 20 * len(chunk) - SPILL_BYTES
    assert max(len(frame.body) for frame in (*parts, end)) <= SPILL_BYTES + len(chunk)
    assert b"".join(frame.body for frame in (*parts, end)) == chunk * 20


@pytest.mark.parametrize("queued", [False, True])
async def test_an_answer_of_which_the_disk_refused_a_part_is_read_as_torn(queued: bool, tmp_path: Path) -> None:
    class FullOnce(DiskLog):
        def write(self, buffers: Sequence[bytes]) -> None:
            if queued:
                time.sleep(1.5 * SLOW_WRITE_S)  # what comes after this write goes through the queue
            if any(b"lost" in buffer for buffer in buffers):
                raise OSError(errno.ENOSPC, "No space left on device")
            super().write(buffers)

    journal = Journal(tmp_path / "wal", wal.Header, JournalSettings(fsync="off"), open_file=FullOnce)
    journal.start()
    recording = recording_of(journal)
    recording.begin(request(), b"{}")
    recording.feed(b"begin" * SPILL_BYTES)
    assert journal.state.behind is queued
    recording.feed(b"lost" * SPILL_BYTES)
    await until(lambda: journal.state.lost == 1)
    recording.feed(b"kept")
    recording.end(answer("text/plain"))
    journal.turn.end()
    await journal.close()

    (log,) = list_logs(tmp_path)
    (row,) = LogReader(log, finished=True)
    assert isinstance(row, Record)
    assert (row.complete, row.error_type, journal.state.lost) == (False, "record_torn", 1)
    assert row.response == "begin" * SPILL_BYTES + "kept"


# -- redacted


async def test_a_secret_is_in_neither_request_nor_answer_nor_tags(journal: Journal, tmp_path: Path) -> None:
    recording = recording_of(journal, redact=REDACT)
    recording.begin(request(tags={"key": SECRET}), json.dumps({"user": f"my {SECRET}"}).encode())
    body = json.dumps({"choices": [{"message": {"content": f"your {SECRET}"}}]}).encode()
    recording.feed(body[:40])
    recording.feed(body[40:])
    recording.end(answer())
    journal.turn.end()

    meta, sent = request_in(tmp_path)
    assert (json.loads(sent), meta.tags) == ({"user": "my [key]"}, {"key": "[key]"})
    assert json.loads(end_in(tmp_path)[1]) == {"choices": [{"message": {"content": "your [key]"}}]}
    assert not any(SECRET.encode() in path.read_bytes() for path in tmp_path.glob("*.wal"))


@pytest.mark.parametrize("cut", [1, 7, 100, 10_000])
async def test_a_secret_that_a_stream_spreads_over_its_deltas_is_found(
    journal: Journal, tmp_path: Path, cut: int
) -> None:
    recording = recording_of(journal, redact=REDACT)
    recording.begin(request(), b"{}")
    stream = STREAM + DONE
    for start in range(0, len(stream), cut):
        recording.feed(stream[start : start + cut])
    recording.end(answer("text/event-stream"))
    journal.turn.end()

    end, body = end_in(tmp_path)
    assert (end.form, end.complete) == ("assembled", True)
    assert json.loads(body)["choices"][0]["message"]["content"] == "the key is [key]."


async def test_of_a_stream_that_nobody_can_put_together_no_text_is_kept(journal: Journal, tmp_path: Path) -> None:
    recording = recording_of(journal, redact=REDACT)
    meta = request()
    meta.endpoint = "/messages"
    recording.begin(meta, b"{}")
    recording.feed(b'data: {"delta": {"text": "the key is s"}}\n\ndata: {"delta": {"text": "k-1"}}\n\n')
    recording.end(answer("text/event-stream"))
    journal.turn.end()

    end, body = end_in(tmp_path)
    assert (end.error_type, end.status, body) == ("unknown_stream", 200, b"")


async def test_a_stream_that_was_cut_is_redacted_and_not_complete(journal: Journal, tmp_path: Path) -> None:
    recording = recording_of(journal, redact=REDACT)
    recording.begin(request(), b"{}")
    recording.feed(STREAM[: STREAM.index(b"finish_reason")])
    recording.end(answer("text/event-stream", complete=False, error_type="upstream_broken"))
    journal.turn.end()

    end, body = end_in(tmp_path)
    assert (end.complete, end.error_type) == (False, "upstream_broken")
    assert SECRET.encode() not in body
    assert b"[key]" in body


async def test_compressed_bodies_are_opened_before_they_are_redacted(journal: Journal, tmp_path: Path) -> None:
    recording = recording_of(journal, redact=REDACT)
    recording.begin(request(content_encoding="gzip"), gzip.compress(b'{"a": "sk-1"}'))
    recording.feed(gzip.compress(b'{"b": "sk-2"}'))
    recording.end(answer(content_encoding="gzip"))
    journal.turn.end()

    (meta, sent), (end, got) = request_in(tmp_path), end_in(tmp_path)
    assert (json.loads(sent), json.loads(got)) == ({"a": "[key]"}, {"b": "[key]"})
    assert (meta.content_encoding, end.content_encoding) == ("", "")


async def test_what_cannot_be_opened_is_not_recorded_and_says_why(journal: Journal, tmp_path: Path) -> None:
    recording = recording_of(journal, redact=REDACT)
    recording.begin(request(content_encoding="rot13"), b"fx-1")
    recording.feed(b"not gzip")
    recording.end(answer(content_encoding="gzip"))
    journal.turn.end()

    (meta, sent), (end, got) = request_in(tmp_path), end_in(tmp_path)
    assert (sent, got) == (b"", b"")
    assert (meta.error_type, end.error_type) == ("undecodable_encoding_rot13", "corrupt_encoding_gzip")


async def test_a_body_nested_beyond_reason_breaks_nothing(journal: Journal, tmp_path: Path) -> None:
    deep = b'{"a":' + b"[" * 100_000 + b'"sk-1"' + b"]" * 100_000 + b"}"
    for config in ({"redact": REDACT}, {"bodies": "metadata"}):
        recording = recording_of(journal, **config)
        recording.begin(request(), deep)
        recording.feed(deep)
        recording.end(answer())
        journal.turn.end()

    assert all(b"sk-1" not in frame.body for frame in frames(tmp_path))
    assert len(frames(tmp_path)) == 4


# -- without text


async def test_metadata_only_keeps_the_columns_and_no_text(journal: Journal, tmp_path: Path) -> None:
    recording = recording_of(journal, bodies="metadata")
    messages = [{"role": "user", "content": "told in confidence"}]
    recording.begin(request(), json.dumps({"model": "m", "messages": messages, "stream": False}).encode())
    said = {"index": 0, "message": {"content": "in confidence too"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    recording.feed(json.dumps({"id": "c", "model": "m-1", "choices": [said], "usage": usage}).encode())
    recording.end(answer())
    journal.turn.end()

    (meta, sent), (_, got) = request_in(tmp_path), end_in(tmp_path)
    assert json.loads(sent) == {"model": "m", "stream": False}
    reduced = json.loads(got)
    assert (reduced["model"], reduced["usage"], reduced["choices"][0]["finish_reason"]) == ("m-1", usage, "stop")
    assert meta.bodies is False
    assert meta.fingerprint
    assert meta.conversation
    assert not any(b"confidence" in path.read_bytes() for path in tmp_path.glob("*.wal"))


async def test_metadata_only_keeps_no_text_of_a_stream_or_an_error(journal: Journal, tmp_path: Path) -> None:
    streamed = recording_of(journal, bodies="metadata")
    streamed.begin(request(), b'{"model": "m", "stream": true}')
    streamed.feed(STREAM + DONE)
    streamed.end(answer("text/event-stream"))
    journal.turn.end()
    assert json.loads(end_in(tmp_path)[1])["choices"][0]["finish_reason"] == "stop"

    failed = recording_of(journal, bodies="metadata")
    failed.begin(request(), b"not json: in confidence")
    failed.feed(json.dumps({"error": {"message": "in confidence", "type": "t", "code": "c"}}).encode())
    failed.end(answer())
    journal.turn.end()
    assert json.loads(end_in(tmp_path)[1])["error"] == {"type": "t", "code": "c"}

    assert not any(word in path.read_bytes() for path in tmp_path.glob("*.wal") for word in (b"key is", b"confidence"))


# -- nothing


@pytest.mark.parametrize(("config", "wanted"), [({}, False), ({"bodies": "off"}, True), ({"redact": REDACT}, False)])
async def test_who_is_not_to_be_recorded_leaves_not_even_a_file(
    journal: Journal, tmp_path: Path, config: dict[str, Any], wanted: bool
) -> None:
    recording = RecordingPolicy(RecordConfig.model_validate(config), journal).recording(wanted)
    recording.begin(request(), b"{}")
    recording.feed(b"x" * (2 * SPILL_BYTES))
    recording.end(answer())
    journal.turn.end()

    assert isinstance(recording, NoRecording)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("config", [{}, {"redact": REDACT}, {"bodies": "metadata"}])
async def test_an_end_is_written_once_and_only_behind_a_begin(
    journal: Journal, tmp_path: Path, config: dict[str, Any]
) -> None:
    never_begun = recording_of(journal, **config)
    never_begun.end(answer())
    journal.turn.end()
    recording = recording_of(journal, **config)
    recording.begin(request(), b"{}")
    recording.end(answer())
    recording.end(answer())
    journal.turn.end()

    assert [frame.kind for frame in frames(tmp_path)] == [wal.REQUEST, wal.END]
