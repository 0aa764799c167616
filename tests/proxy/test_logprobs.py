"""Log probabilities are asked for and recorded, and a client that did not ask for them cannot tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import Behaviour, Fault
from tests.proxy.asking import MESSAGES, tagged, tools
from tests.raw import RawAnswer, ask, chat_request, request
from tests.running import Row, RunningProxy, config_for, running_proxy
from tests.waiting import until

DELTAS = Behaviour().deltas
LONG = Behaviour(deltas=("x" * 300_000,) * 5)


def config(upstream: ScriptedUpstream, **record: Any) -> dict[str, Any]:
    return config_for(upstream.base_url, record={"segment_s": 1.0, **record})


@pytest.fixture(scope="module")
def asking(shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    """A proxy that asks for two alternatives to each token."""
    with running_proxy(config(shared_upstream, logprobs=2), tmp_path_factory.mktemp("asking")) as proxy:
        yield proxy


def both(proxy: RunningProxy, upstream: ScriptedUpstream, data: bytes) -> tuple[RawAnswer, RawAnswer]:
    """The answer of the upstream to the client itself, and the one through the proxy."""
    return ask(upstream.url, data), ask(proxy.url, data)


def tokens(record: Row, choice: int = 0) -> list[str]:
    return [token["token"] for token in json.loads(record["logprobs"])[choice]["content"]]


ODDITIES = (
    "plain",
    "spaced",
    "ascii",
    "every-byte",
    "one-write",
    "gzip",
    "chunked",
    "until-close",
    "trailers",
    "close",
)
STREAM_ODDITIES = ("crlf", "obfuscated", "no-done", "invalid-utf8", "error-event")


@pytest.mark.parametrize(
    ("name", "stream"), [*((name, False) for name in ODDITIES), *((name, True) for name in ODDITIES + STREAM_ODDITIES)]
)
def test_an_answer_looks_as_if_nobody_had_asked_and_the_record_has_the_tokens(
    asking: RunningProxy, upstream: ScriptedUpstream, name: str, stream: bool
) -> None:
    direct, through = both(asking, upstream, chat_request(headers=[("x-scripted", name)], stream=stream, n=2))

    record = asking.record(through.header("x-nightschool-id"))
    assert through.whole
    assert through.body == direct.body
    assert through.header("content-length") == direct.header("content-length")
    assert upstream.seen[1].json()["top_logprobs"] == 2
    if name != "error-event":
        assert tokens(record, 1) == list(DELTAS)
        assert len(json.loads(record["logprobs"])[0]["content"][0]["top_logprobs"]) == 2
        assert '"token"' not in record["response"]
        assert record["completion_tokens"] == 2 * len(DELTAS)
    assert "logprobs" not in record["request"]


def test_the_official_client_sees_none_and_its_stream_neither(asking: RunningProxy, upstream: ScriptedUpstream) -> None:
    with openai.OpenAI(base_url=asking.base_url, api_key="k", max_retries=0, timeout=30) as client:
        whole = client.chat.completions.create(model="plain", messages=MESSAGES)
        events = list(client.chat.completions.create(model="plain", messages=MESSAGES, stream=True))

    assert whole.choices[0].logprobs is None
    assert [event.choices[0].logprobs for event in events] == [None] * len(events)
    assert "".join(event.choices[0].delta.content or "" for event in events) == whole.choices[0].message.content


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "fields",
    [
        {"logprobs": True},
        {"logprobs": True, "top_logprobs": 5},
        {"logprobs": False},
        {"top_logprobs": None},
    ],
)
def test_a_client_that_speaks_of_them_itself_is_left_alone(
    asking: RunningProxy, upstream: ScriptedUpstream, stream: bool, fields: dict[str, Any]
) -> None:
    usage: Any = {"stream_options": {"include_usage": True}} if stream else {}
    direct, through = both(asking, upstream, chat_request(stream=stream, **usage, **fields))

    record = asking.record(through.header("x-nightschool-id"))
    assert through.body == direct.body
    assert upstream.seen[0].body == upstream.seen[1].body
    assert (record["logprobs"] is not None) is bool(fields.get("logprobs"))
    assert '"token"' not in record["response"]


def test_the_official_client_that_asks_gets_them(asking: RunningProxy, upstream: ScriptedUpstream) -> None:
    with openai.OpenAI(base_url=asking.base_url, api_key="k", max_retries=0, timeout=30) as client:
        answer = client.chat.completions.create(model="plain", messages=MESSAGES, logprobs=True, top_logprobs=3)

    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert [token.token for token in logprobs.content or []] == list(DELTAS)
    assert len((logprobs.content or [])[0].top_logprobs) == 3


@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls_have_none(asking: RunningProxy, upstream: ScriptedUpstream, stream: bool) -> None:
    direct, through = both(asking, upstream, chat_request(stream=stream, tools=tools("weather")))

    assert through.body == direct.body
    assert asking.record(through.header("x-nightschool-id"))["logprobs"] is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"plain","messages":[],"tools":[{"logprobs":1}]}',
        b'{ "model" : "plain", "messages":[]\n}\n',
        b'{"model":"plain","messages":[],"stream":true,"stream_options" : {"include_usage":false} , "n":1}',
        b'{"messages":[],"seed":12345678901234567890123,"temperature":1.0e0,"note":"\\u00e9\xc3\xa9"}',
        b"{}",
    ],
)
def test_asking_changes_nothing_else_in_the_body(asking: RunningProxy, upstream: ScriptedUpstream, body: bytes) -> None:
    ask(asking.url, request("POST", "/v1/chat/completions", [("content-type", "application/json")], body))

    sent = upstream.seen[0].json()
    usage = {"stream_options": {"include_usage": True}} if "stream" in sent else {}
    assert sent == {**json.loads(body), "logprobs": True, "top_logprobs": 2, **usage}
    for literal in (b"12345678901234567890123", b"1.0e0", b'"\\u00e9\xc3\xa9"'):
        assert (literal in upstream.seen[0].body) == (literal in body)


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/v1/completions", []),
        ("/v1/responses", []),
        ("/v1/chat/completions", [("x-nightschool-record", "off")]),
        ("/v1/chat/completions", [("content-encoding", "identity")]),
    ],
)
def test_what_has_none_or_is_not_recorded_is_sent_as_it_came(
    asking: RunningProxy, upstream: ScriptedUpstream, target: str, headers: list[tuple[str, str]]
) -> None:
    ask(asking.url, chat_request(target=target, headers=headers, input="x"))

    assert "logprobs" not in upstream.seen[0].json()


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_refuses_them_is_asked_without_once_for_all(
    asking: RunningProxy, upstream: ScriptedUpstream, tag: str, stream: bool
) -> None:
    data = chat_request(f"reasoning-{tag}", stream=stream)
    refusing = Behaviour(refuses=("top_logprobs", "logprobs"))
    upstream.then(refusing, refusing, refusing)
    refused = asking.metric("nightschool_inquiries_refused_total", about="logprobs")

    answers = [ask(asking.url, data) for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 200]
    assert ["logprobs" in seen.json() for seen in upstream.seen] == [True, False, False]
    assert ["stream_options" in seen.json() for seen in upstream.seen] == [stream] * 3
    assert answers[1].body == ask(upstream.url, data).body
    assert asking.record(answers[0].header("x-nightschool-id"))["status"] == 200
    until(lambda: asking.metric("nightschool_inquiries_refused_total", about="logprobs") == refused + 1)


def test_a_refusal_of_usage_leaves_the_question_for_log_probabilities(
    asking: RunningProxy, upstream: ScriptedUpstream, tag: str
) -> None:
    upstream.then(Behaviour(refuses=("stream_options",)), Behaviour(refuses=("stream_options",)))
    through = ask(asking.url, chat_request(f"old-{tag}", stream=True))

    assert [sorted({"logprobs", "stream_options"} & set(seen.json())) for seen in upstream.seen] == [
        ["logprobs", "stream_options"],
        ["logprobs"],
    ]
    assert b'"token"' not in through.body
    assert tokens(asking.record(through.header("x-nightschool-id"))) == list(DELTAS)


def test_questions_that_are_refused_one_by_one_are_dropped_one_by_one(
    asking: RunningProxy, upstream: ScriptedUpstream
) -> None:
    direct, through = both(asking, upstream, chat_request("refuses-both", stream=True))

    assert through.body == direct.body
    assert len(upstream.seen) == 4
    assert upstream.seen[3].body == upstream.seen[0].body


@pytest.mark.parametrize(
    ("status", "message"),
    [(403, "You are not allowed to request logprobs from this model"), (422, "Logprobs is not enabled")],
)
def test_a_refusal_is_known_by_its_words(
    asking: RunningProxy, upstream: ScriptedUpstream, tag: str, status: int, message: str
) -> None:
    upstream.then(Behaviour(status=status, body=json.dumps({"error": {"message": message}}).encode()))

    assert ask(asking.url, chat_request(f"m-{tag}")).status == 200
    assert len(upstream.seen) == 2


def test_a_refusal_for_another_reason_reaches_the_client(asking: RunningProxy, upstream: ScriptedUpstream) -> None:
    direct, through = both(asking, upstream, chat_request("status-400"))

    assert (through.status, through.body, len(upstream.seen)) == (400, direct.body, 2)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_is_long_without_them_passes_in_chunks(
    asking: RunningProxy, upstream: ScriptedUpstream, stream: bool
) -> None:
    upstream.then(LONG, LONG)
    direct, through = both(asking, upstream, chat_request(stream=stream))

    assert through.whole
    assert through.body == direct.body
    assert through.header("transfer-encoding") == "chunked"


@pytest.mark.parametrize("behaviour", [Behaviour(), LONG], ids=["short", "long"])
def test_a_client_that_knows_no_chunks_gets_all_of_it(
    asking: RunningProxy, upstream: ScriptedUpstream, behaviour: Behaviour
) -> None:
    upstream.then(behaviour, behaviour)
    direct, through = both(asking, upstream, chat_request().replace(b"HTTP/1.1", b"HTTP/1.0"))

    assert (through.body, through.header("transfer-encoding")) == (direct.body, None)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_breaks_off_is_cut_for_the_client_too(
    asking: RunningProxy, upstream: ScriptedUpstream, stream: bool
) -> None:
    upstream.then(Behaviour(fault=Fault.CLOSE, after=2))
    through = ask(asking.url, chat_request(stream=stream))

    record = asking.record(through.header("x-nightschool-id"))
    assert (through.status, through.whole, record["complete"]) == (200, stream, False)
    assert b'"token"' not in through.body
    assert through.body.startswith(b'data: {"id"' if stream else b'{"id"')


def test_an_answer_compressed_against_our_wish_passes_and_is_not_asked_for_again(
    asking: RunningProxy, upstream: ScriptedUpstream, tag: str
) -> None:
    upstream.then(Behaviour(headers=(("content-encoding", "br"),)))
    first = ask(asking.url, chat_request(f"br-{tag}"))
    ask(asking.url, chat_request(f"br-{tag}"))

    assert first.whole
    assert b'"token"' in first.body
    assert ["logprobs" in seen.json() for seen in upstream.seen] == [True, False]


def test_an_event_with_more_than_a_mebibyte_of_them_is_hidden_too(
    asking: RunningProxy, upstream: ScriptedUpstream
) -> None:
    many = ",".join([json.dumps({"token": "x", "logprob": -1, "bytes": [1], "top_logprobs": []})] * 30_000)
    event = '{"choices":[{"index":0,"delta":{"content":"x"},"logprobs":{"content":[' + many + ']}}],"usage":null}'
    final = '{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":30000}}'
    upstream.then(Behaviour(events=(event.encode(), final.encode(), b"[DONE]")))

    body = ask(asking.url, chat_request(stream=True)).body

    assert body == b'data: {"choices":[{"index":0,"delta":{"content":"x"},"logprobs":null}]}\n\ndata: [DONE]\n\n'


def test_the_setting_is_live_and_rules_of_redaction_forbid_it(
    shared_upstream: ScriptedUpstream, upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def alternatives() -> int | None:
        ask(proxy.url, chat_request())
        found: int | None = upstream.seen[-1].json().get("top_logprobs")
        return found

    with running_proxy(config(upstream), tmp_path_factory.mktemp("live")) as proxy:
        assert alternatives() is None
        proxy.reconfigure(config(upstream, logprobs=3))
        until(lambda: alternatives() == 3)
        proxy.reconfigure(config(upstream, logprobs=3, bodies="metadata"))
        until(lambda: alternatives() is None)
        proxy.reconfigure(config(upstream, logprobs=4))
        until(lambda: alternatives() == 4)
        proxy.reconfigure(config(upstream, logprobs=5, fsync="always"))
        until(lambda: alternatives() == 5)
        for stream in (False, True):
            direct, through = both(proxy, upstream, chat_request(stream=stream))
            assert through.body == direct.body
            assert through.header("content-length") == direct.header("content-length")
        proxy.reconfigure(config(upstream, logprobs=4, redact=[{"pattern": "zebra", "with": "[animal]"}]))
        until(lambda: alternatives() is None)
        proxy.wait_for_log("config_caution record.logprobs")
        for stream in (False, True):
            answer = ask(proxy.url, chat_request(logprobs=True, stream=stream, headers=list(tagged("x").items())))
            record = proxy.record(answer.header("x-nightschool-id"))
            assert b'"token"' in answer.body
            assert record["logprobs"] is None
            assert '"token"' not in record["response"]
