"""Nothing in a request chooses another host than the configuration does: not its target, its headers, or an answer."""

from __future__ import annotations

import contextlib

import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import Behaviour
from tests.raw import RawConnection, ask, chat_request
from tests.running import RunningProxy
from tests.security.conftest import KEY

BODY = b'{"model": "plain", "messages": []}'

TARGETS = {
    "absolute form": "http://{evil}/v1/chat/completions",
    "absolute form with a user": "http://localhost@{evil}/v1/chat/completions",
    "absolute form in capitals": "HTTP://{evil}/v1/chat/completions",
    "another scheme": "gopher://{evil}/v1/chat/completions",
    "no scheme": "//{evil}/v1/chat/completions",
    "two slashes behind the base": "/v1//{evil}/chat/completions",
    "an address behind the base": "/v1/http://{evil}/chat/completions",
    "an at sign in front": "/v1@{evil}/chat/completions",
    "an at sign behind the base": "/v1/@{evil}/chat/completions",
    "a user behind the base": "/v1/:80@{evil}/chat/completions",
    "a colon": "/v1/:80/chat/completions",
    "backslashes": "/v1/\\\\{evil}/chat/completions",
    "a fragment": "/v1/#@{evil}/chat/completions",
    "a query with an address": "/v1/chat/completions?url=http://{evil}/&base_url=http://{evil}",
    "a deployment with an address": "/openai/deployments/..%2f..%2f@{evil}/chat/completions",
    "a deployment that is an address": "/openai/deployments/http:%2f%2f{evil}/chat/completions",
    "a line break that is escaped": "/v1/%0d%0aHost:%20{evil}%0d%0a/chat/completions",
    "an asterisk": "*",
    "nothing but a host": "{evil}",
}


def place(server: ScriptedUpstream) -> str:
    return f"127.0.0.1:{server.port}"


def sent(method: str, target: str, *headers: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "content-type: application/json", f"content-length: {len(BODY)}", *headers]
    hosts = [] if any(header.lower().startswith("host:") for header in headers) else ["host: localhost"]
    return "\r\n".join([*lines, *hosts, "", ""]).encode("latin-1") + BODY


def assert_went_nowhere_else(upstream: ScriptedUpstream, evil: ScriptedUpstream) -> None:
    """What went out went to the upstream, under its own name, with a path that no server takes for another host's."""
    assert evil.connections == 0
    for seen in upstream.seen:
        assert seen.all("host") == [place(upstream)]
        assert seen.target.startswith("/")
        assert seen.all("authorization") == [f"Bearer {KEY}"]


@pytest.mark.parametrize("name", TARGETS)
def test_no_request_target_leads_to_another_host(
    proxy: RunningProxy, upstream: ScriptedUpstream, evil: ScriptedUpstream, name: str
) -> None:
    with contextlib.suppress(ConnectionError):
        ask(proxy.url, sent("POST", TARGETS[name].format(evil=place(evil))))

    assert_went_nowhere_else(upstream, evil)


@pytest.mark.parametrize("name", ["another scheme", "no scheme", "an at sign in front", "an asterisk"])
def test_a_target_that_is_not_under_the_api_is_not_forwarded_at_all(
    proxy: RunningProxy, upstream: ScriptedUpstream, evil: ScriptedUpstream, name: str
) -> None:
    answer = ask(proxy.url, sent("POST", TARGETS[name].format(evil=place(evil))))

    assert (answer.status in (400, 404, 405), upstream.seen) == (True, [])


@pytest.mark.parametrize(
    "header",
    [
        *("host: {evil}", "x-forwarded-host: {evil}", "forwarded: host={evil}", "x-original-url: http://{evil}/"),
        *("x-rewrite-url: http://{evil}/", "x-http-host-override: {evil}", "base-url: http://{evil}"),
        *("x-nightschool-target: student", "proxy-connection: keep-alive", "openai-organization: {evil}"),
    ],
)
def test_no_header_leads_to_another_host(
    proxy: RunningProxy, upstream: ScriptedUpstream, evil: ScriptedUpstream, header: str
) -> None:
    ask(proxy.url, sent("POST", "/v1/chat/completions", header.format(evil=place(evil))))

    assert len(upstream.seen) == 1
    assert_went_nowhere_else(upstream, evil)


def test_it_is_no_tunnel(proxy: RunningProxy, upstream: ScriptedUpstream, evil: ScriptedUpstream) -> None:
    with RawConnection(proxy.url) as connection:
        connection.send(f"CONNECT {place(evil)} HTTP/1.1\r\nhost: {place(evil)}\r\n\r\n".encode())
        answer = connection.answer()
        with contextlib.suppress(OSError):
            connection.send(b"GET /v1/through HTTP/1.1\r\nhost: x\r\n\r\n")

    assert answer.status >= 400
    assert_went_nowhere_else(upstream, evil)


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
def test_what_would_be_a_tunnel_or_an_echo_of_our_key_is_not_forwarded(
    proxy: RunningProxy, upstream: ScriptedUpstream, evil: ScriptedUpstream, method: str
) -> None:
    answer = ask(proxy.url, f"{method} /v1/anything HTTP/1.1\r\nhost: x\r\n\r\n".encode())

    assert (answer.status, upstream.seen) == (405, [])
    assert KEY.encode() not in answer.body
    assert_went_nowhere_else(upstream, evil)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_the_clients_to_follow(
    proxy: RunningProxy, upstream: ScriptedUpstream, evil: ScriptedUpstream, status: int
) -> None:
    location = f"http://{place(evil)}/v1/chat/completions"
    upstream.then(Behaviour(status=status, headers=(("location", location),), body=b"{}"))
    answer = ask(proxy.url, chat_request())

    assert (answer.status, answer.header("location")) == (status, location)
    assert len(upstream.seen) == 1
    assert_went_nowhere_else(upstream, evil)
