"""A proxy with clients, seen from outside, with the official library: who gets in, who is told what, where keys go."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from demo.scripted_upstream import ScriptedUpstream, upstream_in_thread
from nightschool.client_key import hash_of, new_key
from nightschool.config import read_config
from proxy.worker import Worker
from tests.raw import ask, chat_request, request
from tests.running import RunningProxy, config_for, rows, running_proxy, write_config
from tests.waiting import until

MESSAGES: Any = [{"role": "user", "content": "say hello"}]
CLIENTS = ("shop", "scoped", "slow", "poor", "prometheus")
KEYS = {name: new_key() for name in CLIENTS}
ENV = {"UPSTREAM_KEY": "sk-configured"}
PRICES = {"plain": {"input": 1000.0, "output": 1000.0}}


def config(upstream: ScriptedUpstream, **sections: Any) -> dict[str, Any]:
    limits: dict[str, dict[str, Any]] = {
        "shop": {},
        "scoped": {"workloads": ["greetings"]},
        "slow": {"requests_per_minute": 60},
        "poor": {"usd_per_day": 0.01},
        "prometheus": {"workloads": []},
    }
    given = {
        "workers": 2,
        "upstreams": {
            "main": {"base_url": upstream.base_url, "api_key": "${UPSTREAM_KEY}"},
            "keyless": {"base_url": f"{upstream.url}/keyless/v1"},
        },
        "default_upstream": "main",
        "prices": PRICES,
        "workloads": {
            "greetings": {"when": {"model": "plain"}},
            "to-keyless": {"when": {"model": "keyless"}, "teacher": "keyless"},
        },
        "clients": {name: {"key_hash": hash_of(KEYS[name].encode()), **limits[name]} for name in CLIENTS},
    }
    return config_for(upstream.base_url, **{**given, **sections})


@pytest.fixture(scope="module")
def guarded(shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    with running_proxy(config(shared_upstream), tmp_path_factory.mktemp("clients"), env=ENV) as proxy:
        yield proxy


def library(proxy: RunningProxy, key: str, *, max_retries: int = 0) -> openai.OpenAI:
    return openai.OpenAI(base_url=proxy.base_url, api_key=key, max_retries=max_retries, timeout=30)


def say_hello(proxy: RunningProxy, key: str, model: str = "plain", **more: Any) -> str | None:
    with library(proxy, key) as client:
        answer: Any = client.chat.completions.create(model=model, messages=MESSAGES, **more)
        return str(answer.choices[0].message.content)


def metrics(proxy: RunningProxy) -> str:
    headers = {"authorization": f"Bearer {KEYS['prometheus']}"}
    return httpx.get(f"{proxy.url}/metrics", headers=headers, timeout=20).raise_for_status().text


def test_a_client_is_answered_with_the_upstreams_key_in_place_of_its_own(
    guarded: RunningProxy, upstream: ScriptedUpstream
) -> None:
    assert say_hello(guarded, KEYS["shop"])

    (seen,) = upstream.seen
    assert seen.header("authorization") == "Bearer sk-configured"


def test_an_upstream_without_a_key_is_sent_no_credential(guarded: RunningProxy, upstream: ScriptedUpstream) -> None:
    assert say_hello(guarded, KEYS["shop"], "keyless")

    (seen,) = upstream.seen
    assert seen.path.startswith("/keyless/")
    assert seen.header("authorization") is None
    assert KEYS["shop"] not in str(seen.headers)


@pytest.mark.parametrize(
    "key", ["sk-configured", "nsk-unknown", new_key()], ids=["the upstream's", "none of ours", "like ours"]
)
def test_a_stranger_is_refused_before_anything_is_forwarded(
    guarded: RunningProxy, upstream: ScriptedUpstream, key: str
) -> None:
    with pytest.raises(openai.AuthenticationError) as refused:
        say_hello(guarded, key)

    assert (refused.value.status_code, refused.value.code) == (401, "invalid_api_key")
    assert key not in str(refused.value.body)
    assert upstream.seen == []


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/openai/deployments/x/chat/completions"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
def test_without_a_key_no_path_and_no_method_is_open(
    guarded: RunningProxy, upstream: ScriptedUpstream, method: str, path: str
) -> None:
    answer = ask(guarded.url, request(method, path, body=b"not even JSON"))

    assert (answer.status, answer.header("www-authenticate")) == (401, "Bearer")
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert upstream.seen == []


def test_azures_library_gets_in_too(guarded: RunningProxy, upstream: ScriptedUpstream) -> None:
    with openai.AzureOpenAI(azure_endpoint=guarded.url, api_key=KEYS["shop"], api_version="2024-10-21") as client:
        assert client.chat.completions.create(model="plain", messages=MESSAGES).choices


def test_a_stream_is_answered_like_anything_else(guarded: RunningProxy, upstream: ScriptedUpstream) -> None:
    with library(guarded, KEYS["scoped"]) as client:
        assert list(client.chat.completions.create(model="plain", messages=MESSAGES, stream=True))


def test_a_client_of_workloads_is_kept_to_them(guarded: RunningProxy, upstream: ScriptedUpstream) -> None:
    assert say_hello(guarded, KEYS["scoped"])
    assert say_hello(guarded, KEYS["scoped"], "other", extra_headers={"x-nightschool-workload": "greetings"})
    upstream.forget()
    for more in ({}, {"extra_headers": {"x-nightschool-workload": "to-keyless"}}):
        with pytest.raises(openai.PermissionDeniedError) as refused:
            say_hello(guarded, KEYS["scoped"], "other", **more)
        assert refused.value.code == "workload_not_allowed"
    with library(guarded, KEYS["scoped"]) as client, pytest.raises(openai.PermissionDeniedError):
        client.files.list(extra_headers={"x-nightschool-workload": "greetings"})

    assert upstream.seen == []


def test_a_client_that_asks_too_often_is_told_so_by_all_workers_together(
    guarded: RunningProxy, upstream: ScriptedUpstream
) -> None:
    """60 per minute: ten at once. Every request has a connection of its own, so that both workers get some."""
    said = []
    began = time.monotonic()
    for _ in range(30):
        try:
            say_hello(guarded, KEYS["slow"])
        except openai.RateLimitError as refused:
            said.append((refused.code, int(refused.response.headers["retry-after-ms"]) <= 1000))
    refilled = time.monotonic() - began

    assert 30 - len(said) <= 10 + refilled + 1
    assert 30 - len(said) >= 10
    assert set(said) == {("rate_limit_exceeded", True)}


def test_the_library_waits_as_long_as_it_is_told_and_gets_its_answer(
    guarded: RunningProxy, upstream: ScriptedUpstream
) -> None:
    with library(guarded, KEYS["slow"], max_retries=2) as client:
        for _ in range(30):
            began = time.monotonic()
            raw = client.chat.completions.with_raw_response.create(model="plain", messages=MESSAGES)
            if raw.retries_taken:
                break

    assert raw.retries_taken == 1
    assert raw.parse().choices
    assert time.monotonic() - began < 30


def test_what_the_proxy_answers_itself_is_for_clients_but_health(guarded: RunningProxy) -> None:
    def status(method: str, path: str, key: str | None = None) -> int:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        return httpx.request(method, guarded.url + path, headers=headers, content=b"{", timeout=20).status_code

    assert [status("GET", path) for path in ("/healthz", "/readyz", "/metrics", "/nowhere")] == [200, 200, 401, 401]
    assert status("POST", "/nightschool/v1/feedback") == 401
    assert status("POST", "/nightschool/v1/feedback", KEYS["shop"]) == 400
    assert status("GET", "/metrics", KEYS["prometheus"]) == 200
    with pytest.raises(openai.PermissionDeniedError):
        say_hello(guarded, KEYS["prometheus"])


def test_refusals_are_counted(guarded: RunningProxy) -> None:
    def refused() -> int:
        counts = [line for line in metrics(guarded).splitlines() if 'refused_total{status="401"}' in line]
        return int(float(counts[0].split()[1])) if counts else 0

    def settled() -> bool:
        """Every worker's snapshot is of now."""
        counted = refused()
        time.sleep(2.5)
        return refused() == counted

    until(settled)
    before = refused()
    ask(guarded.url, chat_request())

    until(lambda: refused() == before + 1)


def test_costs_go_under_the_clients_name_and_stop_it_when_its_budget_is_spent(tmp_path: Path) -> None:
    with upstream_in_thread() as upstream:
        given = config(upstream, workers=1)
        with running_proxy(given, tmp_path, env=ENV) as proxy:
            say_hello(proxy, KEYS["poor"])
            say_hello(proxy, KEYS["shop"])
        spent = rows(tmp_path / "data", "SELECT client, cost_usd FROM exchanges ORDER BY client")
        assert [row["client"] for row in spent] == ["poor", "shop"]
        assert spent[0]["cost_usd"] > 0.01

        with running_proxy(given, tmp_path, env=ENV) as proxy:
            with library(proxy, KEYS["poor"], max_retries=5) as client, pytest.raises(openai.RateLimitError) as refused:
                client.chat.completions.create(model="plain", messages=MESSAGES)
            assert (refused.value.code, refused.value.type) == ("insufficient_quota", "insufficient_quota")
            assert 'nightschool_refused_total{status="429"} 1.0' in metrics(proxy)  # it was told not to try again
            proxy.wait_for_log("client_budget_spent client=poor period=day")
            assert say_hello(proxy, KEYS["shop"])


def test_keys_are_in_no_file_no_log_no_metric_and_no_request_to_an_upstream(tmp_path: Path) -> None:
    with upstream_in_thread() as upstream:
        with running_proxy(config(upstream, record={"segment_s": 3600.0}), tmp_path, env=ENV) as proxy:
            for key in [*KEYS.values(), "nsk-" + "x" * 43]:
                for model in ("plain", "keyless", "status-500", "reset"):
                    headers = [("authorization", f"Bearer {key}"), ("api-key", key), ("x-api-key", key)]
                    assert key.encode() not in ask(proxy.url, chat_request(model, headers=headers[1:])).body
                    assert key.encode() not in ask(proxy.url, request("GET", "/v1/files", headers)).body
            told = metrics(proxy) + proxy.log
            logs = b"".join(path.read_bytes() for path in proxy.data.rglob("*.wal"))
            seen = str([(each.target, each.headers, each.body) for each in upstream.seen])
        files = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())

        assert b"chat/completions" in logs
        assert "/keyless/v1/chat/completions" in seen
        for key in KEYS.values():
            assert key not in told + proxy.log + seen + str(rows(tmp_path / "data", "SELECT * FROM exchanges"))
            assert key.encode() not in logs + files


def test_clients_come_and_go_without_a_new_start_and_bad_files_change_nothing(tmp_path: Path) -> None:
    def gets_in(key: str) -> bool:
        return ask(proxy.url, chat_request(headers=[("x-api-key", key)])).status == 200

    with upstream_in_thread() as upstream:
        given = config(upstream, workers=1)
        everybody = given.pop("clients")
        with running_proxy(given, tmp_path, env=ENV) as proxy:
            assert gets_in("sk-anybody")

            proxy.reconfigure({**given, "clients": {"shop": everybody["shop"]}})
            until(lambda: not gets_in("sk-anybody"))
            assert (gets_in(KEYS["shop"]), gets_in(KEYS["scoped"])) == (True, False)

            proxy.reconfigure({**given, "clients": {"shop": {"key_hash": KEYS["shop"]}}})
            proxy.wait_for_log("config_refused")
            assert KEYS["shop"] not in proxy.log
            assert gets_in(KEYS["shop"])

            replaced = {"key_hash": everybody["scoped"]["key_hash"], "previous_key_hash": everybody["shop"]["key_hash"]}
            proxy.reconfigure({**given, "clients": {"shop": replaced}})
            until(lambda: gets_in(KEYS["scoped"]))
            assert gets_in(KEYS["shop"])

            proxy.reconfigure({**given, "clients": {"shop": {"key_hash": everybody["scoped"]["key_hash"]}}})
            until(lambda: not gets_in(KEYS["shop"]))


# -- an address that others can reach


def test_a_proxy_with_a_key_does_not_start_where_others_can_reach_it(tmp_path: Path) -> None:
    given = config_for("https://a.example/v1", listen="0.0.0.0:0")
    given["upstreams"]["main"]["api_key"] = "${PATH}"
    file = write_config(tmp_path, given)

    command = [str(Path(sys.executable).with_name("nightschool")), "proxy", "--config", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert ended.returncode == 1
    assert "listen: anyone who can reach 0.0.0.0 could spend the keys of main" in ended.stderr


def test_a_worker_does_not_trust_the_address_of_a_file_that_has_changed_since(tmp_path: Path) -> None:
    """The socket was bound before; the file says 127.0.0.1 now, and names nobody."""
    given = config_for("https://a.example/v1")
    given["upstreams"]["main"]["api_key"] = "${PATH}"
    file = write_config(tmp_path, given)
    with socket.socket() as bound:
        bound.bind(("0.0.0.0", 0))  # nobody can connect: it does not listen
        command = [sys.executable, "-m", "proxy.worker", "--config", str(file), "--listen-fd", str(bound.fileno())]
        command += ["--ready-fd", "1", "--stop-fd", "0"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, pass_fds=[bound.fileno()])

    assert ended.returncode == 1
    assert "nightschool: listen: anyone who can reach 0.0.0.0 could spend the keys of main" in ended.stderr


def test_a_change_that_is_good_for_its_own_address_only_is_refused_while_another_is_in_use(tmp_path: Path) -> None:
    given = config_for("https://a.example/v1")
    given["upstreams"]["main"]["api_key"] = "${PATH}"
    file = write_config(tmp_path, given)
    loaded = read_config(file, os.environ)
    worker = Worker(loaded)

    assert worker._opens_the_door(loaded.config, "0.0.0.0")
    assert not worker._opens_the_door(loaded.config, "127.0.0.1")
