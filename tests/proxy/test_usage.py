"""The usage of every stream is recorded, and a client that did not ask for it cannot tell."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import Behaviour, Fault
from tests.proxy.asking import tagged, tools
from tests.raw import ask, chat_request, request
from tests.running import RunningProxy

ODDITIES = (
    "plain",
    "every-byte",
    "one-write",
    "crlf",
    "spaced",
    "ascii",
    "obfuscated",
    "no-done",
    "until-close",
    "trailers",
    "invalid-utf8",
    "error-event",
)
DECODE: dict[str | None, Callable[[bytes], bytes]] = {None: bytes, "gzip": gzip.decompress, "deflate": zlib.decompress}


def stream_request(name: str = "plain", *, tag: str = "", **fields: Any) -> bytes:
    headers = [("x-scripted", name), ("accept-encoding", "gzip, deflate"), *tagged(tag).items()]
    return chat_request(headers=headers, stream=True, **fields)


@pytest.mark.parametrize("name", [*ODDITIES, "gzip", "deflate"])
@pytest.mark.parametrize("fields", [{}, {"tools": tools("weather"), "n": 2}], ids=["text", "tools"])
def test_a_stream_without_usage_looks_as_if_nobody_had_asked(
    proxy: RunningProxy, upstream: ScriptedUpstream, tag: str, name: str, fields: dict[str, Any]
) -> None:
    direct = ask(upstream.url, stream_request(name, tag=tag, **fields).replace(b"x-nightschool-tags", b"x-tags"))
    through = ask(proxy.url, stream_request(name, tag=tag, **fields))

    record = proxy.records(tag, 1)[0]
    assert through.whole
    assert DECODE[through.header("content-encoding")](through.body) == DECODE[direct.header("content-encoding")](
        direct.body
    )
    assert upstream.seen[1].json()["stream_options"] == {"include_usage": True}
    if name != "error-event":
        assert record["prompt_tokens"] == 2
        assert record["completion_tokens"] > 0


def test_comments_between_the_events_pass(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    """The upstream writes one more, before the event that is hidden: nobody can tell whose it is."""
    direct, through = ask(upstream.url, stream_request("comments")), ask(proxy.url, stream_request("comments"))

    ping = b": ping\n\n"
    assert through.body.replace(ping, b"") == direct.body.replace(ping, b"")
    assert through.body.count(ping) >= direct.body.count(ping)


def test_an_event_too_large_to_be_held_passes_and_the_usage_behind_it_is_hidden(
    proxy: RunningProxy, upstream: ScriptedUpstream, tag: str
) -> None:
    direct = ask(upstream.url, stream_request("large-events"))
    through = ask(proxy.url, stream_request("large-events", tag=tag))

    assert through.body.replace(b',"usage":null', b"") == direct.body
    assert b"prompt_tokens" not in through.body
    assert proxy.records(tag, 1)[0]["completion_tokens"] == 3


def test_a_client_that_asks_sees_the_usage_untouched(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    asked = stream_request(stream_options={"include_usage": True})
    direct, through = ask(upstream.url, asked), ask(proxy.url, asked)

    assert b'"usage":null' in through.body
    assert b'"usage":{"prompt_tokens":2' in through.body
    assert through.body == direct.body
    assert upstream.seen[0].body == upstream.seen[1].body


@pytest.mark.parametrize("options", [{"include_usage": False}, {"include_obfuscation": False}, None, {}])
def test_other_stream_options_are_kept(proxy: RunningProxy, upstream: ScriptedUpstream, options: Any) -> None:
    asked = stream_request(stream_options=options)
    direct, through = ask(upstream.url, asked), ask(proxy.url, asked)

    assert through.body == direct.body
    assert upstream.seen[1].json()["stream_options"] == {**(options or {}), "include_usage": True}


@pytest.mark.parametrize(
    "body",
    [
        b'{"stream":true,"model":"plain","messages":[],"tools":[{"stream_options":1}]}',
        b'{ "stream" : true , "messages":[], "model":"plain"\n}\n',
        b'{"stream_options" : {"include_usage":false} , "stream":true,"messages":[{"content":"}\\""}]}',
        b'{"stream":true,"seed":12345678901234567890123,"temperature":1.0e0,"note":"\\u00e9\xc3\xa9"}',
    ],
)
def test_asking_for_usage_changes_nothing_else_in_the_body(
    proxy: RunningProxy, upstream: ScriptedUpstream, body: bytes
) -> None:
    ask(proxy.url, request("POST", "/v1/chat/completions", [("content-type", "application/json")], body))

    sent = upstream.seen[0].body
    assert json.loads(sent) == {**json.loads(body), "stream_options": {"include_usage": True}}
    for literal in (b"12345678901234567890123", b"1.0e0", b'"\\u00e9\xc3\xa9"'):
        assert (literal in sent) == (literal in body)


def test_a_usage_inside_of_an_answer_is_not_ours_to_hide(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    events = (
        b'{"choices":[{"index":0,"delta":{"content":"say \\"usage\\":null, twice: \\",\\"usage\\":null\\""}}]}',
        b'{"choices":[{"index":0,"delta":{"content":"x","extra":{"usage":null}}}]}',
        b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}',
        b"not json at all",
        b'["usage"]',
    )
    upstream.then(Behaviour(events=events), Behaviour(events=events))

    assert ask(proxy.url, stream_request()).body == ask(upstream.url, stream_request()).body


@pytest.mark.parametrize(
    ("with_null", "without"),
    [
        (b'{"usage":null,"choices":[]}', b'{"choices":[]}'),
        (b'{"choices":[],"usage":null,"x":1}', b'{"choices":[],"x":1}'),
        (b'{"choices":[], "usage": null}', b'{"choices":[]}'),
        (b'{"choices":[{"usage":null}],"usage":null}', b'{"choices":[{"usage":null}]}'),
        (b'{"usage" : null}', b"{}"),
    ],
)
def test_null_usage_is_taken_out_wherever_it_stands(
    proxy: RunningProxy, upstream: ScriptedUpstream, with_null: bytes, without: bytes
) -> None:
    upstream.then(Behaviour(events=(with_null, b"[DONE]")))

    assert ask(proxy.url, stream_request()).body == b"data: " + without + b"\n\ndata: [DONE]\n\n"


def test_an_upstream_that_does_not_know_the_option_is_asked_without_it(
    proxy: RunningProxy, upstream: ScriptedUpstream, tag: str
) -> None:
    refusal = b'{"error":{"message":"Unrecognized request argument: stream_options","type":"invalid_request_error"}}'
    upstream.then(Behaviour(status=400, body=refusal))
    model = f"without-options-{tag}"
    answers = [ask(proxy.url, chat_request(model, stream=True)) for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 200]
    assert ["stream_options" in seen.json() for seen in upstream.seen] == [True, False, False]


@pytest.mark.parametrize(
    "quoting", [b"Unknown parameter: 'stream_options.bogus'", b'{"stream_options":{"include_usage":true}}']
)
def test_a_refusal_that_quotes_the_request_turns_no_usage_off(
    proxy: RunningProxy, upstream: ScriptedUpstream, tag: str, quoting: bytes
) -> None:
    refused = Behaviour(status=400, body=b'{"error":{"message":"%b"}}' % quoting.replace(b'"', b"'"))
    upstream.then(refused, refused)
    model = f"quoting-{tag}"

    answer = ask(proxy.url, chat_request(model, stream=True, stream_options={"bogus": 1}))
    after = ask(proxy.url, chat_request(model, stream=True))

    assert (answer.status, answer.body) == (400, refused.body)
    assert ["include_usage" in str(seen.json()) for seen in upstream.seen] == [True, False, True]
    assert proxy.record(after.header("x-nightschool-id"))["prompt_tokens"] is not None


def test_an_end_without_its_blank_line_reaches_the_client_though_the_upstream_breaks_off(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    stream = b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\ndata: [DONE]\n'
    kind = "text/event-stream"
    upstream.then(Behaviour(body=stream, content_type=kind, framing="chunked", fault=Fault.CLOSE, after=4))

    assert ask(proxy.url, stream_request()).body == stream


def test_a_refusal_for_another_reason_reaches_the_client_and_is_not_repeated(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    answer = ask(proxy.url, chat_request("status-400", stream=True))

    assert (answer.status, len(upstream.seen)) == (400, 1)
    assert answer.body == ask(upstream.url, chat_request("status-400", stream=True)).body


def test_a_plain_request_and_other_endpoints_are_sent_as_they_came(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    body = b'{"model":"plain","input":"x","messages":[],"stream":true}'
    headers = [("content-type", "application/json")]
    ask(proxy.url, request("POST", "/v1/responses", headers, body))
    ask(proxy.url, request("POST", "/v1/chat/completions", headers, body.replace(b"true", b"false")))

    assert [seen.body for seen in upstream.seen] == [body, body.replace(b"true", b"false")]
