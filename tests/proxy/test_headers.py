"""Headers both ways: what concerns one connection stays behind, what is ours is read and checked, the rest passes."""

from __future__ import annotations

import json
import uuid

import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import Behaviour
from tests.raw import ask, chat_request, request
from tests.running import RunningProxy

OURS = {"message", "type", "param", "code"}


def test_request_headers_pass_in_order_and_nothing_is_added_but_the_host(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    sent = [
        ("authorization", "Bearer sk-caller"),
        ("openai-organization", "org"),
        ("openai-beta", "assistants=v2"),
        ("x-stainless-retry-count", "0"),
        ("x-twice", "1"),
        ("accept", "application/json"),
        ("x-twice", "2"),
        ("x-empty", ""),
        ("cookie", "a=b"),
        ("accept-encoding", "gzip"),
        ("x-latin", "caf\xe9"),
    ]
    ask(proxy.url, request("GET", "/v1/echo", sent))

    (seen,) = upstream.seen
    lowered = [(name.lower(), value) for name, value in seen.headers]
    assert [header for header in lowered if header[0] != "host"] == sent
    assert seen.all("host") == [f"127.0.0.1:{upstream.port}"]


def test_hop_by_hop_headers_and_those_that_connection_names_stay_behind(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    hop_by_hop = [
        ("connection", "keep-alive, X-Hop"),
        ("connection", "x-other-hop"),
        ("x-hop", "1"),
        ("x-other-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("proxy-authorization", "Basic c2VjcmV0"),
        ("te", "trailers"),
        ("trailer", "x-checksum"),
    ]
    ask(proxy.url, request("GET", "/v1/echo", [*hop_by_hop, ("x-stays", "1")]))

    (seen,) = upstream.seen
    assert {name.lower() for name, _ in seen.headers} - {"connection"} == {"host", "x-stays"}
    assert "x-hop" not in (seen.header("connection") or "").lower()


def test_an_upgrade_is_not_passed_on(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    headers = [("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABk")]
    answer = ask(proxy.url, request("POST", "/v1/echo", headers, b"a body"))

    (seen,) = upstream.seen
    assert answer.status == 200
    assert (seen.header("upgrade"), seen.header("http2-settings"), seen.body) == (None, None, b"a body")


def test_answer_headers_that_connection_names_stay_behind(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    upstream.then(Behaviour(headers=(("connection", "x-hop"), ("x-hop", "1"), ("x-stays", "1"))))
    answer = ask(proxy.url, chat_request())

    assert (answer.header("x-hop"), answer.header("x-stays")) == (None, "1")


def test_the_upstreams_own_headers_reach_the_client_once_each(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    answer = ask(proxy.url, chat_request("cookies"))

    assert answer.all("set-cookie") == ["a=1; Path=/", "b=2; HttpOnly"]
    assert answer.all("date") == ["Sun, 01 Nov 2026 12:00:00 GMT"]
    assert answer.all("server") == ["scripted"]
    assert (answer.header("x-request-id") or "").startswith("req_")
    assert answer.header("x-ratelimit-remaining-requests") == "9999"
    assert answer.header("openai-processing-ms") == "7"


def test_our_own_headers_say_who_answered_and_why(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    answer = ask(proxy.url, chat_request())

    assert uuid.UUID(answer.header("x-nightschool-id")).version == 7
    assert answer.header("x-nightschool-target") == "teacher"
    assert answer.header("x-nightschool-reason") == "default"
    assert answer.header("x-nightschool-adapter") is None


def test_an_upstream_cannot_speak_in_our_name(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    upstream.then(Behaviour(headers=(("x-nightschool-id", "forged"), ("x-nightschool-target", "student"))))
    answer = ask(proxy.url, chat_request())

    assert "forged" not in answer.all("x-nightschool-id")
    assert answer.all("x-nightschool-target") == ["teacher"]


def test_our_request_headers_are_obeyed_and_not_forwarded(
    proxy: RunningProxy, upstream: ScriptedUpstream, tag: str
) -> None:
    headers = [
        ("X-Nightschool-Workload", "named-by-hand"),
        ("x-nightschool-conversation", "thread-7"),
        ("x-nightschool-tags", json.dumps({"test": tag, "team": "zürich"}, ensure_ascii=True)),
        ("x-nightschool-target", "teacher"),
        ("x-nightschool-record", "on"),
    ]
    answer = ask(proxy.url, chat_request(headers=headers))

    (record,) = proxy.records(tag, 1)
    assert (record["workload"], record["conversation"]) == ("named-by-hand", "thread-7")
    assert record["tags"]["team"] == "zürich"
    assert (record["reason"], answer.header("x-nightschool-reason")) == ("header", "header")
    assert not [name for name, _ in upstream.seen[0].headers if name.lower().startswith("x-nightschool")]


def test_who_asks_for_a_student_where_there_is_none_is_answered_by_the_teacher_and_told(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    answer = ask(proxy.url, chat_request(headers=[("x-nightschool-target", "student")]))

    assert (answer.status, answer.header("x-nightschool-target")) == (200, "teacher")
    assert answer.header("x-nightschool-reason") == "no_student"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-nightschool-tag", "{}"),
        ("x-nightschool-", "x"),
        ("x-nightschool-tags", "not json"),
        ("x-nightschool-tags", "[1]"),
        ("x-nightschool-tags", '{"a": 1}'),
        ("x-nightschool-tags", '{"a": {"b": "c"}}'),
        ("x-nightschool-tags", "null"),
        ("x-nightschool-record", "maybe"),
        ("x-nightschool-target", "headmaster"),
        ("x-nightschool-workload", "Not A Name"),
        ("x-nightschool-workload", ""),
        ("x-nightschool-conversation", ""),
        ("x-nightschool-conversation", "x" * 1000),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_invalid_header_of_ours_is_400_naming_it(
    proxy: RunningProxy, upstream: ScriptedUpstream, name: str, value: str, stream: bool
) -> None:
    answer = ask(proxy.url, chat_request(headers=[(name, value)], stream=stream))

    error = answer.json()["error"]
    assert (answer.status, set(error), error["type"]) == (400, OURS, "invalid_request_error")
    assert name in error["message"]
    assert upstream.seen == []


def test_a_header_of_ours_that_is_given_twice_is_400(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    answer = ask(proxy.url, chat_request(headers=[("x-nightschool-record", "on"), ("x-nightschool-record", "off")]))

    assert (answer.status, upstream.seen) == (400, [])
    assert "x-nightschool-record" in answer.json()["error"]["message"]


def test_a_configured_key_replaces_every_credential_of_the_caller(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    headers = [("api-key", "caller"), ("x-extra", "caller"), ("user-agent", "caller")]
    ask(proxy.url, chat_request("keyed", headers=headers))

    (seen,) = upstream.seen
    assert seen.path == "/keyed/v1/chat/completions"
    assert seen.all("authorization") == ["Bearer sk-configured"]
    assert (seen.all("api-key"), seen.all("x-extra")) == ([], ["extra-configured"])
    assert seen.all("user-agent") == ["nightschool-test"]


def test_without_a_configured_key_the_callers_passes_through(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    ask(proxy.url, chat_request())

    assert upstream.seen[0].all("authorization") == ["Bearer sk-test"]


def test_headers_beyond_any_reason_are_refused_without_harm(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    answer = ask(proxy.url, chat_request("monstrous-headers"))

    assert answer.status == 502
    assert "headers" in answer.json()["error"]["message"]
    assert ask(proxy.url, chat_request()).status == 200
