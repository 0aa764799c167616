"""The scripted upstream does what its behaviours say: seen by the official client, and byte by byte."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import BEFORE_HEAD, NAMED, TEXT, Behaviour, Fault
from tests.raw import RawConnection, ask, chat_request, request
from tests.waiting import until

TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("weather", "time")
]


@pytest.fixture
def client(upstream: ScriptedUpstream) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=upstream.base_url, api_key="sk-test", max_retries=0, timeout=20) as client:
        yield client


def events(body: bytes, newline: bytes = b"\n") -> list[bytes]:
    parts = body.split(newline + newline)
    assert parts.pop() == b""
    return parts


def test_the_official_client_reads_a_plain_answer(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="any", messages=[{"role": "user", "content": "one two three"}])

    assert answer.choices[0].message.content == TEXT
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 3
    assert answer._request_id is not None


def test_a_stream_tells_the_same_text_with_usage_only_for_whoever_asks(client: openai.OpenAI) -> None:
    def stream(**options: Any) -> tuple[str, list[Any]]:
        chunks = list(
            client.chat.completions.create(
                model="any", messages=[{"role": "user", "content": "one two"}], stream=True, **options
            )
        )
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        return text, [chunk.usage for chunk in chunks if "usage" in chunk.model_fields_set]

    text, usages = stream()
    asked_text, asked_usages = stream(stream_options={"include_usage": True})

    assert (text, usages) == (TEXT, [])
    assert asked_text == TEXT
    assert asked_usages[:-1] == [None] * (len(Behaviour().deltas) + 2)
    assert asked_usages[-1].prompt_tokens == 2


@pytest.mark.parametrize("streamed", [False, True])
def test_parallel_tool_calls_are_the_same_streamed_and_whole(client: openai.OpenAI, streamed: bool) -> None:
    asked: Any = {"model": "parallel", "messages": [{"role": "user", "content": "weather?"}], "tools": TOOLS}
    if streamed:
        with client.chat.completions.stream(**asked) as stream:
            calls = stream.get_final_completion().choices[0].message.tool_calls
    else:
        calls = client.chat.completions.create(**asked).choices[0].message.tool_calls

    assert calls is not None
    assert [call.function.name for call in calls] == ["weather", "time", "weather"]
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Zürich", "unit": "°C"}] * 3
    assert len({call.id for call in calls}) == 3


def test_several_choices_interleave_in_a_stream(client: openai.OpenAI) -> None:
    chunks = client.chat.completions.create(model="any", messages=[], n=2, stream=True)

    indexes = [chunk.choices[0].index for chunk in chunks]

    assert indexes[:6] == [0, 1, 0, 1, 0, 1]


def test_every_other_endpoint_speaks_to_the_official_client(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["a", "b"]
    assert client.embeddings.create(model="e", input=["x", "y"]).data[1].embedding == [0.25, -0.5, 1.0]
    assert client.completions.create(model="i", prompt="x").choices[0].text == TEXT
    assert client.responses.create(model="r", input="x").output_text == TEXT
    with client.responses.stream(model="r", input="x") as stream:
        assert stream.get_final_response().output_text == TEXT
    assert len(client.audio.speech.create(model="tts", voice="alloy", input="x").content) == 100_000


def test_an_upload_is_counted_and_hashed_not_kept(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    client.files.create(file=("train.jsonl", b"x" * 5_000_000), purpose="fine-tune")

    (seen,) = upstream.seen
    assert seen.body_bytes > 5_000_000
    assert len(seen.body) == 1 << 20
    assert seen.body_complete


def test_what_it_does_not_know_it_echoes(upstream: ScriptedUpstream) -> None:
    answer = ask(upstream.url, request("PATCH", "/v1/a%2Fb?q=%20", [("X-Twice", "1"), ("x-twice", "2")], b"body"))

    echo = answer.json()
    assert (echo["method"], echo["target"]) == ("PATCH", "/v1/a%2Fb?q=%20")
    assert echo["headers"][1:3] == [["X-Twice", "1"], ["x-twice", "2"]]
    assert echo["body_sha256"] == hashlib.sha256(b"body").hexdigest()


def test_azure_deployments_answer_and_name_the_behaviour(upstream: ScriptedUpstream) -> None:
    with (
        openai.AzureOpenAI(azure_endpoint=upstream.url, api_key="k", api_version="2026-05-01", max_retries=0) as azure,
        pytest.raises(openai.AuthenticationError),
    ):
        azure.chat.completions.create(model="status-401", messages=[])

    (seen,) = upstream.seen
    assert seen.target == "/openai/deployments/status-401/chat/completions?api-version=2026-05-01"


def test_head_and_204_have_no_body(upstream: ScriptedUpstream) -> None:
    with RawConnection(upstream.url) as connection:
        connection.send(request("HEAD", "/v1/models"))
        head = connection.answer(head_only=True)
        upstream.then(Behaviour(status=204))
        connection.send(request("DELETE", "/v1/files/1"))
        deleted = connection.answer()

    assert int(head.header("content-length") or 0) > 0
    assert (deleted.status, deleted.header("content-length")) == (204, None)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 503])
def test_errors_come_as_openai_error_objects(upstream: ScriptedUpstream, status: int) -> None:
    answer = ask(upstream.url, chat_request(f"status-{status}"))

    assert answer.status == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_a_script_comes_first_then_the_header_then_the_model(upstream: ScriptedUpstream) -> None:
    upstream.then(Behaviour(status=500))
    statuses = [
        ask(upstream.url, chat_request("status-401", headers=[("x-scripted", "status-403")])).status,
        ask(upstream.url, chat_request("status-401", headers=[("x-scripted", "status-403")])).status,
        ask(upstream.url, chat_request("status-401")).status,
        ask(upstream.url, chat_request()).status,
    ]

    assert statuses == [500, 403, 401, 200]


@pytest.mark.parametrize("name", ["every-byte", "one-write", "gzip", "deflate", "until-close", "trailers", "chunked"])
@pytest.mark.parametrize("stream", [False, True])
def test_framing_and_encoding_do_not_change_the_body(upstream: ScriptedUpstream, name: str, stream: bool) -> None:
    plain = ask(upstream.url, chat_request(stream=stream)).body
    # The model's name is in the body, so the behaviour is chosen by header.
    headers = [("x-scripted", name), ("accept-encoding", "gzip, deflate")]
    answer = ask(upstream.url, chat_request(stream=stream, headers=headers))
    decoders: dict[str | None, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "deflate": zlib.decompress}
    decode = decoders.get(answer.header("content-encoding"), bytes)

    assert answer.whole
    assert decode(answer.body) == plain
    assert answer.trailers == ([("x-checksum", "abc123")] if name == "trailers" else [])


def test_stream_oddities_are_written_as_asked(upstream: ScriptedUpstream) -> None:
    def body(name: str) -> bytes:
        return ask(upstream.url, chat_request(name, stream=True)).body

    assert len(events(body("crlf"), b"\r\n")) == len(Behaviour().deltas) + 3
    assert body("comments").count(b": ping\n\n") == len(Behaviour().deltas) + 2
    assert b'": "' in body("spaced")
    assert b"\\u65e5" in body("ascii")
    assert b'"obfuscation":"x7' in body("obfuscated")
    assert b"[DONE]" not in body("no-done")
    assert max(map(len, events(body("large-events")))) > 1_500_000


def test_interim_answers_large_heads_and_doubled_headers_are_sent(upstream: ScriptedUpstream) -> None:
    assert ask(upstream.url, chat_request("early-hints")).interim == [103]
    assert len(ask(upstream.url, chat_request("interim-spam")).interim) == 500
    assert len(ask(upstream.url, chat_request("large-headers")).header("x-large") or "") == 30_000
    assert ask(upstream.url, chat_request("cookies")).all("set-cookie") == ["a=1; Path=/", "b=2; HttpOnly"]
    assert ask(upstream.url, chat_request("slow-head")).status == 200


@pytest.mark.parametrize(
    ("name", "part"),
    [("reset", 3), ("no-last-chunk", 3), ("truncated-chunk", 3), ("wrong-chunk-size", 3), ("reset-after-head", 0)],
)
def test_a_broken_stream_has_its_head_and_no_end(upstream: ScriptedUpstream, name: str, part: int) -> None:
    healthy = events(ask(upstream.url, chat_request(stream=True)).body)
    answer = ask(upstream.url, chat_request(stream=True, headers=[("x-scripted", name)]))

    assert answer.status == 200
    assert not answer.whole
    assert answer.body.startswith(b"\n\n".join(healthy[:part]))
    assert b"[DONE]" not in answer.body


@pytest.mark.parametrize("name", ["reset-before-head", "close-before-head", "garbage"])
def test_without_a_head_there_is_no_answer(upstream: ScriptedUpstream, name: str) -> None:
    with pytest.raises(ConnectionError):
        ask(upstream.url, chat_request(name))


def test_an_error_event_ends_the_stream_and_raises_in_the_client(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model="error-event", messages=[], stream=True)

    with pytest.raises(openai.APIError, match="failed as it was told"):
        list(stream)


def test_invalid_utf8_is_sent_within_a_stream_that_goes_on(upstream: ScriptedUpstream) -> None:
    body = ask(upstream.url, chat_request("invalid-utf8", stream=True)).body

    with pytest.raises(UnicodeDecodeError):
        body.decode()
    assert body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("after", [BEFORE_HEAD, 0, 3])
def test_a_hang_lasts_until_it_is_released(upstream: ScriptedUpstream, after: int) -> None:
    upstream.then(Behaviour(fault=Fault.HANG, after=after))
    with RawConnection(upstream.url) as connection:
        connection.send(chat_request(stream=True))
        until(lambda: upstream.open_answers == 1)
        sent = upstream.seen[0].sent_bytes
        upstream.release()

        assert connection.answer().whole
        assert (sent > 0) == (after >= 0) or after == 0


def test_a_client_that_leaves_is_noticed_with_the_time(upstream: ScriptedUpstream) -> None:
    with RawConnection(upstream.url) as connection:
        connection.send(chat_request("hang", stream=True))
        until(lambda: upstream.open_answers == 1)
        left = time.monotonic()

    until(lambda: upstream.open_answers == 0)
    assert upstream.seen[0].cancelled is not None
    assert upstream.seen[0].cancelled >= left


def test_an_early_answer_comes_before_the_body(upstream: ScriptedUpstream) -> None:
    with RawConnection(upstream.url) as connection:
        connection.send(request("POST", "/v1/files", [("content-length", "1000000"), ("x-scripted", "too-large")]))

        answer = connection.answer()

        assert (answer.status, answer.header("connection")) == (413, "close")
        assert connection.rest() == b""


def test_it_asks_for_a_body_that_waits_for_100_continue(upstream: ScriptedUpstream) -> None:
    head = request("POST", "/v1/files", [("content-length", "3"), ("expect", "100-continue")])
    with RawConnection(upstream.url) as connection:
        connection.send(head)
        status_line, _ = connection.head()
        connection.send(b"abc")

        assert status_line == "HTTP/1.1 100 Continue"
        assert connection.answer().json()["body_bytes"] == 3


def test_it_can_leave_a_body_unread(upstream: ScriptedUpstream) -> None:
    with RawConnection(upstream.url) as connection:
        connection.socket.settimeout(1)
        connection.send(request("POST", "/v1/files", [("content-length", "50000000"), ("x-scripted", "stop-reading")]))
        until(lambda: len(upstream.seen) == 1)
        with pytest.raises(TimeoutError):
            connection.send(bytes(50_000_000))

    assert upstream.seen[0].body_bytes < 10_000_000


def test_connections_are_kept_unless_told_otherwise(upstream: ScriptedUpstream) -> None:
    with RawConnection(upstream.url) as connection:
        for name in ("plain", "plain", "close-idle"):
            connection.send(chat_request(name))
            answer = connection.answer()
            assert answer.header("connection") is None
        assert connection.rest() == b""
    with RawConnection(upstream.url) as connection:
        for _ in range(2):
            connection.send(chat_request("drop-reused"))
        assert connection.answer().status == 200
        assert connection.rest() == b""


def test_one_read_holds_pipelined_requests_and_each_is_answered(upstream: ScriptedUpstream) -> None:
    with RawConnection(upstream.url) as connection:
        connection.send(chat_request("status-401") + chat_request())

        assert [connection.answer().status, connection.answer().status] == [401, 200]


async def test_it_runs_inside_the_event_loop_of_a_test() -> None:
    async with ScriptedUpstream() as upstream, openai.AsyncOpenAI(base_url=upstream.base_url, api_key="k") as client:
        answers = await asyncio.gather(*(client.chat.completions.create(model="m", messages=[]) for _ in range(5)))

    assert [answer.choices[0].message.content for answer in answers] == [TEXT] * 5
    assert len(upstream.seen) == 5


def test_it_runs_as_a_program_that_prints_its_address() -> None:
    command = [sys.executable, "-m", "demo.scripted_upstream", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        base_url = program.stdout.readline().strip()
        try:
            assert ask(base_url, chat_request("status-418")).status == 418
        finally:
            program.terminate()


def test_every_named_behaviour_is_a_whole_behaviour() -> None:
    assert all(isinstance(behaviour, Behaviour) for behaviour in NAMED.values())
