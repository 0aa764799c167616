"""Credentials are used and forgotten, and what is to be redacted is never written, wherever anything is left.

A proxy is given every kind of secret in every place, is crashed in every way, and is looked at by every command. Then
each byte that it and they have written is searched.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from demo.scripted_upstream import ScriptedUpstream, upstream_in_thread
from demo.upstream.behaviour import Behaviour
from tests.raw import RawConnection, ask, chat_request, request
from tests.running import RunningProxy, config_for, rows, running_proxy, start
from tests.security.marks import MARKS, PATTERN, PRIVATE, found_in, found_under
from tests.waiting import until

REDACT = [{"pattern": PATTERN, "with": "[private]"}]
CREDENTIALS = [
    ("authorization", f"Bearer {MARKS['bearer']}"),
    ("api-key", MARKS["azure"]),
    ("x-api-key", MARKS["other"]),
    ("cookie", f"session={MARKS['cookie']}"),
    ("proxy-authorization", f"Basic {MARKS['proxyauth']}"),
    ("anthropic-auth-token", MARKS["anthropic"]),
]
COMMANDS = (
    *("check", "doctor", "status", "workloads", "logs list", "logs show --last", "logs show --last --json"),
    *("logs export {out}/records.jsonl", "logs export {out}/openai.jsonl --format openai", "routes"),
    *("logs export {out}/all.parquet", "worth keyed", "sql {select}", "sql --json {select}", "worth nobody"),
    *("dataset build keyed", "train keyed", "labels export {out}/labels.jsonl", "check --nonsense"),
)
PAGES = (
    "/",
    "/exchanges",
    "/exchanges/{id}",
    "/routing",
    "/datasets",
    "/runs",
    "/workloads/keyed",
    "/relabel",
    "/nowhere",
)


@contextlib.contextmanager
def refusing_http_proxy() -> Iterator[int]:
    """Refuses every tunnel, and repeats in its answer what it was told."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = server.accept()[0]
                with connection:
                    told = connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n" + told)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield int(server.getsockname()[1])
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def config(upstream: ScriptedUpstream) -> dict[str, Any]:
    keyed = {"api_key": "${UPSTREAM_KEY}", "headers": {"x-secret-token": "${UPSTREAM_TOKEN}"}}
    return config_for(
        upstream.base_url,
        record={"segment_s": 3600.0, "redact": REDACT},
        upstreams={
            "main": {"base_url": upstream.base_url},
            "keyed": {"base_url": f"{upstream.url}/keyed/v1", **keyed},
            "gone": {"base_url": "http://127.0.0.1:9/v1", **keyed},
            "tunnelled": {"base_url": "https://upstream.invalid/v1", **keyed},
            "azure": {
                "base_url": upstream.url,
                "kind": "azure",
                "api_version": "2026-05-01",
                "api_key": "${UPSTREAM_KEY}",
            },
        },
        default_upstream="main",
        workloads={
            name: {"when": {"model": f"{name}*"}, "teacher": name} for name in ("keyed", "gone", "tunnelled", "azure")
        },
        notify={"webhook": "${WEBHOOK}"},
    )


def environment(http_proxy: int) -> dict[str, str]:
    return {
        "UPSTREAM_KEY": MARKS["configured"],
        "UPSTREAM_TOKEN": MARKS["token"],
        "WEBHOOK": f"https://hooks.invalid/{MARKS['webhook']}",
        "HTTPS_PROXY": f"http://someone:{MARKS['outgoing']}@127.0.0.1:{http_proxy}",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONASYNCIODEBUG": "1",
    }


# -- what is done to it


def use_credentials(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    """In every place, with every outcome."""
    models = ("plain", "keyed", "gone", "tunnelled", "azure", "status-401", "status-500", "reset", "garbage")
    for model in models:
        for stream in (False, True):
            if model == "plain":
                upstream.then(Behaviour(headers=(("set-cookie", f"sid={MARKS['setcookie']}"),)))
            target = f"/v1/chat/completions?api-key={MARKS['query']}&key={MARKS['query']}"
            ask(proxy.url, chat_request(model, stream=stream, headers=CREDENTIALS, target=target))
    ask(proxy.url, chat_request(headers=[*CREDENTIALS, ("x-nightschool-tags", "broken")]))
    ask(proxy.url, chat_request(headers=[*CREDENTIALS, ("x-nightschool-nonsense", "x")]))
    form = [*CREDENTIALS, ("content-type", "multipart/form-data; boundary=x")]
    for path in ("/v1/files", "/healthz", "/nowhere", "/metrics", "/v1/../x", "/openai/deployments/d/chat/completions"):
        ask(proxy.url, request("POST", f"{path}?api-key={MARKS['query']}&x=", form, b"--x--\r\n"))
    with RawConnection(proxy.url) as connection:
        connection.send(chat_request(headers=[*CREDENTIALS, ("transfer-encoding", "chunked")]))
        connection.rest()
    with RawConnection(proxy.url) as connection:  # leaves in the middle
        connection.send(chat_request("hang", stream=True, headers=CREDENTIALS))
        connection.head()
    upstream.release()
    basic = httpx.BasicAuth("someone", MARKS["basic"])
    httpx.get(f"{proxy.url}/v1/models", auth=basic)
    httpx.get(f"http://{MARKS['sdk']}:{MARKS['basic']}@{proxy.url.removeprefix('http://')}/v1/models")


def say_what_is_private(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    """In a request and in answers, in every form that a client would read as the same."""
    escaped = "".join(f"\\u{ord(character):04x}" for character in PRIVATE["escaped"])
    arguments = json.dumps({"key": PRIVATE["arguments"], "inner": json.dumps({"key": PRIVATE["nested"]})})
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    messages = [
        {"role": "system", "content": f"never tell {PRIVATE['system']}"},
        {"role": "user", "content": f"{PRIVATE['plain']} and ESCAPED", PRIVATE["key"]: 1},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "done"},
    ]
    tags = [("x-nightschool-tags", json.dumps({"a": PRIVATE["tag"]}))]
    for model in ("plain", "keyed"):
        body = {"model": model, "messages": messages, "stream": True, "metadata": {"a": PRIVATE["metadata"]}}
        data = json.dumps(body).replace("ESCAPED", escaped).encode()
        upstream.then(Behaviour(deltas=("it is ", *PRIVATE["streamed"], "."), cut="byte"))
        ask(proxy.url, request("POST", "/v1/chat/completions", [("content-type", "application/json"), *tags], data))
    whole = json.dumps({"choices": [{"message": {"role": "assistant", "content": PRIVATE["answer"]}}]})
    error = json.dumps(
        {"error": {"message": f"no {PRIVATE['error']}", "type": PRIVATE["error"], "code": PRIVATE["error"]}}
    )
    for behaviour in (Behaviour(body=whole.encode()), Behaviour(status=401, body=error.encode())):
        upstream.then(behaviour)
        ask(proxy.url, chat_request())


def crash(proxy: RunningProxy, number: int) -> None:
    """A worker dies by a signal for which Python prints where it was; another takes its place."""
    worker = proxy.worker()
    with RawConnection(proxy.url) as connection:
        connection.send(chat_request("hang", stream=True, headers=CREDENTIALS))
        connection.head()
        worker.send_signal(number)
        psutil.wait_procs([worker], timeout=20)
    until(lambda: answers(proxy), what="a new worker")


def answers(proxy: RunningProxy) -> bool:
    with contextlib.suppress(OSError):
        return ask(proxy.url, chat_request()).status == 200
    return False


def looked_at(proxy: RunningProxy, out: Path, env: dict[str, str]) -> str:
    """What every command prints, and writes into ``out``."""
    printed = ""
    for line in COMMANDS:
        words = [word.format(out=out, select="select * from exchanges") for word in line.split()]
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("nightschool")),
                *words,
                "--config",
                str(proxy.folder / "nightschool.yaml"),
            ],
            env={**os.environ, **env},
            cwd=out,
            capture_output=True,
            timeout=120,
        )
        printed += (done.stdout + done.stderr).decode()
    return printed


def browsed(proxy: RunningProxy, env: dict[str, str]) -> str:
    """Every page of the console, and its log."""
    pages, log = "", proxy.folder / "console.log"
    with log.open("wb") as output:
        process = start(proxy.folder / "nightschool.yaml", env, command="console", output=output)
        try:
            until(lambda: b"http://" in log.read_bytes(), what="a console that listens")
            url = "http://" + log.read_text().split("http://")[1].split()[0].rstrip("/")
            exchange = rows(proxy.data, "SELECT id FROM exchanges WHERE workload = 'keyed' LIMIT 1")[0]["id"]
            for page in PAGES:
                pages += httpx.get(url + page.format(id=exchange), timeout=30, follow_redirects=True).text
        finally:
            process.terminate()
            process.wait(20)
    return pages + log.read_text()


# -- what is left of it


class Remains:
    """Everything that a proxy's life has left behind."""

    def __init__(self, folder: Path, upstream: ScriptedUpstream, env: dict[str, str]) -> None:
        self.out = folder / "out"
        self.out.mkdir()
        self.folder = folder / "proxy"
        with running_proxy(config(upstream), self.folder, env=env, quiet=False) as proxy:
            use_credentials(proxy, upstream)
            say_what_is_private(proxy, upstream)
            for number in (signal.SIGSEGV, signal.SIGABRT):
                crash(proxy, number)
            use_credentials(proxy, upstream)
            self.metrics = httpx.get(f"{proxy.url}/metrics").text
            self.command_lines = str([process.cmdline() for process in proxy.processes()])
            self.in_logs = found_under(proxy.folder)
            self.recorded = len(rows(proxy.data, "SELECT * FROM exchanges"))
            self.printed = looked_at(proxy, self.out, env)
            self.pages = browsed(proxy, env)
            proxy.stop()
        self.log = proxy.log
        self.seen = str([(seen.target, seen.headers) for seen in upstream.seen])


@pytest.fixture(scope="module")
def remains(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remains]:
    with upstream_in_thread() as upstream, refusing_http_proxy() as http_proxy:
        yield Remains(tmp_path_factory.mktemp("secrets"), upstream, environment(http_proxy))


def test_the_search_finds_what_there_is_to_find(remains: Remains, tmp_path: Path) -> None:
    """Else everything below proves nothing: secrets were used, answers recorded, processes crashed, pages shown."""
    used = {"configured", "token", "bearer", "azure", "other", "cookie", "query", "anthropic", "basic"}
    (tmp_path / "told").write_text(json.dumps(PRIVATE["escaped"].replace("s", "\\u0073")))

    assert used <= set(found_in(remains.seen.encode()))
    assert found_under(tmp_path) == {"told": ["escaped"]}
    assert remains.recorded > 40
    assert remains.log.count("Fatal Python error") == 2
    assert "407 Proxy Authentication Required" in remains.log
    assert "[private]" in remains.printed
    assert "[private]" in remains.pages
    assert {path.name for path in remains.out.iterdir()} >= {"records.jsonl", "openai.jsonl", "all.parquet"}


def test_no_secret_is_in_any_file_while_the_proxy_runs(remains: Remains) -> None:
    assert remains.in_logs == {}


def test_no_secret_is_in_any_file_once_all_is_sealed(remains: Remains) -> None:
    assert list(remains.folder.rglob("*.parquet"))
    assert found_under(remains.folder) == {}


def test_no_secret_is_in_what_a_proxy_prints_even_when_it_crashes(remains: Remains) -> None:
    assert found_in(remains.log.encode()) == []


def test_no_secret_is_in_the_metrics_or_on_a_command_line(remains: Remains) -> None:
    assert found_in(remains.metrics.encode()) == []
    assert found_in(remains.command_lines.encode()) == []


def test_no_secret_is_in_what_commands_print_and_export(remains: Remains) -> None:
    assert found_in(remains.printed.encode()) == []
    assert found_under(remains.out) == {}


def test_no_secret_is_on_a_page_of_the_console(remains: Remains) -> None:
    assert found_in(remains.pages.encode()) == []


@pytest.mark.parametrize("place", ["conversation", "path", "deployment", "upstream's id"])
def test_what_is_to_be_redacted_is_taken_out_of_every_column(tmp_path: Path, place: str) -> None:
    secret = PRIVATE["plain"]
    path = {"path": f"/v1/files/{secret}", "deployment": f"/openai/deployments/{secret}/chat/completions"}
    headers = [("x-nightschool-conversation", secret)] if place == "conversation" else []
    answered = (("x-request-id", secret),) if place == "upstream's id" else ()
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(upstream_in_thread(default=Behaviour(headers=answered)))
        redacting = config(upstream) | {"record": {"redact": REDACT}}
        proxy = stack.enter_context(running_proxy(redacting, tmp_path, env=environment(9)))
        answer = ask(proxy.url, chat_request(target=path.get(place, "/v1/chat/completions"), headers=headers))
        assert secret not in str(proxy.record(answer.header("x-nightschool-id")))
