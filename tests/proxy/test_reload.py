"""A changed configuration is taken over while the proxy runs; a bad one is refused, the one before stays in force."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import Behaviour, Fault
from tests.raw import RawConnection, ask, chat_request
from tests.running import RunningProxy, config_for, running_proxy
from tests.waiting import until


def config(upstream: ScriptedUpstream, **sections: Any) -> dict[str, Any]:
    return config_for(upstream.base_url, **sections)


@pytest.fixture(scope="module")
def shared(shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    with running_proxy(config(shared_upstream), tmp_path_factory.mktemp("reload")) as proxy:
        yield proxy


@pytest.fixture
def own(shared: RunningProxy, upstream: ScriptedUpstream) -> RunningProxy:
    """The proxy of these tests, with the first configuration in force again."""
    name = uuid.uuid4().hex
    shared.reconfigure(config(upstream, workloads={"marker": {"when": {"model": name}}}))
    until(lambda: workload(shared, name) == "rule")
    return shared


def workload(proxy: RunningProxy, model: str = "m") -> str:
    """The reason that the proxy gives, which tells whether a rule is in force."""
    return ask(proxy.url, chat_request(model)).header("x-nightschool-reason") or ""


def reloads(proxy: RunningProxy, result: str) -> float:
    return proxy.metric("nightschool_config_reloads_total", result=result)


def test_rules_prices_and_upstreams_change_while_streams_go_on(own: RunningProxy, upstream: ScriptedUpstream) -> None:
    count = reloads(own, "taken_over")
    upstream.then(Behaviour(fault=Fault.HANG))
    with RawConnection(own.url) as connection:
        connection.send(chat_request(stream=True))
        connection.head()
        own.reconfigure(
            config(
                upstream,
                upstreams={"main": {"base_url": f"{upstream.url}/moved/v1"}},
                workloads={"new": {"when": {"model": "m"}}},
                prices={"m": {"input": 1e6, "output": 0.0}},
            )
        )
        until(lambda: workload(own) == "rule")
        upstream.release()
        stream = b""
        while data := connection.chunk():
            stream += data

    record = own.record(ask(own.url, chat_request("m")).header("x-nightschool-id"))
    assert stream.endswith(b"data: [DONE]\n\n")
    assert upstream.seen[-1].path == "/moved/v1/chat/completions"
    assert (record["workload"], record["cost_usd"]) == ("new", 2.0)
    assert reloads(own, "taken_over") == count + 1
    own.wait_for_log("config_reloaded")


BAD = {
    "upstreams: [": r"nightschool\.yaml",
    "": "empty",
    "listen: 127.0.0.1:0\nupstreams: {main: {base_uri: http://x/v1}}\n": "did you mean",
    "upstreams: {main: {base_url: http://x/v1, api_key: '${NOT_SET_ANYWHERE}'}}": "NOT_SET_ANYWHERE",
    "upstreams: {main: {base_url: http://x/v1}}\nrecord: {redact: [{pattern: '(', with: x}]}": "redact",
    "upstreams: {main: {base_url: https://x/v1, verify_tls: nightschool.yaml}}": "certificates of authorities",
}


def test_a_bad_file_is_refused_with_a_log_line_and_nothing_changes(
    own: RunningProxy, upstream: ScriptedUpstream
) -> None:
    for bad, said in BAD.items():
        count, since = reloads(own, "refused"), len(own.log)
        own.reconfigure(bad)
        own.wait_for_log("config_refused", since=since)
        own.wait_for_log(said, since=since)

        assert ask(own.url, chat_request("m")).status == 200
        assert reloads(own, "refused") == count + 1
    own.reconfigure(config(upstream, workloads={"mended": {"when": {"model": "m"}}}))
    until(lambda: workload(own) == "rule")


def test_a_file_that_vanishes_for_a_moment_changes_nothing(own: RunningProxy, upstream: ScriptedUpstream) -> None:
    (own.folder / "nightschool.yaml").rename(own.folder / "aside.yaml")
    assert workload(own) == "default"
    own.reconfigure(config(upstream, workloads={"back": {"when": {"model": "m"}}}))

    until(lambda: workload(own) == "rule")


def test_what_needs_a_restart_is_said_and_left_as_it_is(own: RunningProxy, upstream: ScriptedUpstream) -> None:
    own.reconfigure(config(upstream, workers=2, data="elsewhere"))
    own.wait_for_log("config_needs_restart key=workers")
    own.wait_for_log("config_needs_restart key=data")

    assert own.record(ask(own.url, chat_request()).header("x-nightschool-id"))["status"] == 200
    assert not (own.folder / "elsewhere").exists()


def test_redaction_is_in_force_for_the_first_request_after_a_reload(
    own: RunningProxy, upstream: ScriptedUpstream
) -> None:
    rules = [{"pattern": "hello", "with": "[greeting]"}]
    own.reconfigure(config(upstream, record={"redact": rules}, workloads={"seen": {"when": {"model": "m"}}}))
    until(lambda: workload(own) == "rule")

    record = own.record(ask(own.url, chat_request()).header("x-nightschool-id"))
    assert "[greeting]" in record["request"]


def test_a_request_that_was_dialling_when_its_upstream_changed_is_still_timed(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    """A tunnel of an HTTP proxy is made only after the reload, and leads to a server that says nothing."""
    given = config(upstream, timeouts={"first_byte_s": 0.5, "connect_s": 60})
    changed = {"main": {"base_url": upstream.base_url, "keepalive_s": 3.0}}
    with socket.create_server(("127.0.0.1", 0)) as tunnel:
        tunnelled = {"http_proxy": f"http://127.0.0.1:{tunnel.getsockname()[1]}", "no_proxy": ""}
        with running_proxy(given, tmp_path, env=tunnelled) as proxy:
            statuses: list[int] = []
            asking = threading.Thread(target=lambda: statuses.append(ask(proxy.url, chat_request()).status))
            asking.start()
            with tunnel.accept()[0] as dialled:
                dialled.recv(1000)
                proxy.reconfigure({**given, "upstreams": changed})
                proxy.wait_for_log("config_reloaded")
                dialled.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                asking.join(30)

    assert statuses == [504]
