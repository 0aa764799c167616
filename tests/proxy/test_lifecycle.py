"""Starting and stopping: running answers end, new connections are refused, all is recorded, nothing is left."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import Behaviour, Fault
from tests.raw import RawConnection, ask, chat_request
from tests.running import RunningProxy, config_for, rows, running_proxy, start, write_config
from tests.waiting import until

Start = Callable[..., Any]


def tags(value: str) -> list[tuple[str, str]]:
    return [("x-nightschool-tags", json.dumps({"test": value}))]


def refused(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_running_stream_ends_while_new_connections_are_refused_and_all_is_recorded(
    upstream: ScriptedUpstream, tmp_path: Path, number: signal.Signals
) -> None:
    with running_proxy(config_for(upstream.base_url), tmp_path) as proxy:
        for _ in range(20):
            ask(proxy.url, chat_request(headers=tags("before")))
        upstream.then(Behaviour(fault=Fault.HANG), Behaviour(fault=Fault.HANG))
        with RawConnection(proxy.url) as stream, RawConnection(proxy.url) as plain:
            stream.send(chat_request(stream=True, headers=tags("during")))
            stream.head()
            plain.send(chat_request(headers=tags("during")))
            until(lambda: upstream.open_answers == 2)
            proxy.process.send_signal(number)
            until(lambda: refused(proxy.url))
            assert proxy.running
            upstream.release()

            received = b""
            while data := stream.chunk():
                received += data
            assert received.endswith(b"data: [DONE]\n\n")
            assert plain.answer().whole
        assert proxy.process.wait(20) == 0

    found = rows(proxy.data, "SELECT tags['test'] AS test, complete FROM exchanges ORDER BY time")
    assert found == [{"test": "before", "complete": True}] * 20 + [{"test": "during", "complete": True}] * 2
    assert list(proxy.data.glob("wal/*.wal")) == []


def test_a_stream_that_outlasts_the_drain_is_cut_and_recorded_as_incomplete(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    with running_proxy(config_for(upstream.base_url, drain_s=0.5), tmp_path) as proxy:
        with RawConnection(proxy.url) as stream:
            stream.send(chat_request("hang", stream=True))
            stream.head()
            until(lambda: upstream.open_answers == 1)
            assert proxy.stop() == 0

        (found,) = rows(proxy.data, "SELECT status, complete, error_type, response FROM exchanges")
    assert (found["status"], found["complete"]) == (200, False)
    assert found["error_type"] is not None
    assert "The quick" in found["response"]
    until(lambda: upstream.open_answers == 0)


def test_an_idle_client_connection_does_not_hold_up_the_stop(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    with running_proxy(config_for(upstream.base_url), tmp_path) as proxy, RawConnection(proxy.url) as connection:
        connection.send(chat_request())
        connection.answer()

        assert proxy.stop(within_s=10) == 0


def test_after_a_stop_no_process_and_no_lock_is_left(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    for _ in range(2):
        with running_proxy(config_for(upstream.base_url), tmp_path) as proxy:
            processes = proxy.processes()
            assert ask(proxy.url, chat_request()).status == 200
            proxy.stop()
        assert [process for process in processes if process.is_running()] == []

    assert len(rows(tmp_path / "data", "SELECT * FROM exchanges")) == 2


def test_children_do_not_outlive_a_supervisor_that_is_killed(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    with running_proxy(config_for(upstream.base_url), tmp_path) as proxy:
        children = proxy.processes()[1:]
        ask(proxy.url, chat_request())
        proxy.process.kill()

        assert psutil.wait_procs(children, timeout=20)[1] == []
    assert len(rows(proxy.data, "SELECT * FROM exchanges WHERE complete")) == 1


def test_two_workers_share_the_port_and_the_metrics(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    with running_proxy(config_for(upstream.base_url, workers=2), tmp_path) as proxy:
        counts = []
        for _ in range(40):
            assert ask(proxy.url, chat_request(headers=tags("two"))).status == 200
            counts.append(proxy.metric("nightschool_requests_total"))

        assert len(proxy.records("two", 40)) == 40
        until(lambda: proxy.metric("nightschool_requests_total") == 40)
        assert counts == sorted(counts), "a counter that falls is a restart to whoever reads it"
        assert proxy.stop() == 0
    assert len(rows(proxy.data, "SELECT DISTINCT id FROM exchanges")) == 40


def explained(file: Path) -> tuple[int, str]:
    """Exit code and output of a proxy that cannot start."""
    with start(file, {}) as process:
        output, _ = process.communicate(timeout=30)
    return process.returncode, output


def test_a_port_that_is_taken_is_explained(proxy: RunningProxy, upstream: ScriptedUpstream, tmp_path: Path) -> None:
    address = proxy.url.removeprefix("http://")
    code, output = explained(write_config(tmp_path, config_for(upstream.base_url, listen=address)))

    assert code == 1
    assert address in output
    assert "Traceback" not in output


def test_a_bad_configuration_is_explained_with_its_line(tmp_path: Path) -> None:
    code, output = explained(write_config(tmp_path, "listen: 127.0.0.1:0\nupstreams:\n  main: {base_ulr: http://x}\n"))

    assert code == 1
    assert "nightschool.yaml:3" in output
    assert "base_url" in output
    assert "Traceback" not in output


def test_a_data_folder_that_cannot_be_made_is_explained(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, not a folder")
    code, output = explained(write_config(tmp_path, config_for(upstream.base_url)))

    assert code == 1
    assert "data" in output
    assert "Traceback" not in output


def test_two_proxies_on_one_data_folder_both_record(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    first_config = config_for(upstream.base_url, data="../data")
    with (
        running_proxy(first_config, tmp_path / "first") as first,
        running_proxy(first_config, tmp_path / "second") as second,
    ):
        for proxy in (first, second):
            assert ask(proxy.url, chat_request()).status == 200
        sql = "SELECT count(*) AS n FROM exchanges WHERE complete"
        until(lambda: rows(tmp_path / "data", sql) == [{"n": 2}])
