"""Credentials are used and forgotten: they are in no file, no log line, no metric, no answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import openai

from demo.scripted_upstream import ScriptedUpstream, upstream_in_thread
from demo.upstream.behaviour import Behaviour
from tests.proxy.asking import MESSAGES
from tests.raw import RawConnection, ask, chat_request, request
from tests.running import RunningProxy, config_for, rows, running_proxy
from tests.waiting import until

MARK = "marked-secret"
CREDENTIALS = [
    ("authorization", f"Bearer {MARK}-bearer"),
    ("api-key", f"{MARK}-azure"),
    ("x-api-key", f"{MARK}-other"),
    ("cookie", f"session={MARK}-cookie"),
    ("proxy-authorization", f"Basic {MARK}-proxy"),
]


def test_no_credential_is_anywhere_in_the_data_folder_or_the_log(tmp_path: Path) -> None:
    with upstream_in_thread() as upstream:
        config = config_for(
            upstream.base_url,
            record={"segment_s": 3600.0},
            upstreams={
                "main": {"base_url": upstream.base_url},
                "keyed": {
                    "base_url": f"{upstream.url}/keyed/v1",
                    "api_key": "${UPSTREAM_KEY}",
                    "headers": {"x-secret-token": "${UPSTREAM_TOKEN}"},
                },
                "gone": {"base_url": "http://127.0.0.1:9/v1", "api_key": "${UPSTREAM_KEY}"},
            },
            default_upstream="main",
            workloads={
                "keyed": {"when": {"model": "keyed*"}, "teacher": "keyed"},
                "gone": {"when": {"model": "gone"}, "teacher": "gone"},
            },
        )
        env = {"UPSTREAM_KEY": f"{MARK}-configured", "UPSTREAM_TOKEN": f"{MARK}-token"}
        with running_proxy(config, tmp_path, env=env) as proxy:
            use_every_credential(proxy, upstream)
            metrics = httpx.get(f"{proxy.url}/metrics").text
            logs = [path.read_bytes() for path in proxy.data.rglob("*.wal")]
            assert proxy.stop() == 0
            until(lambda: not list(proxy.data.glob("wal/*.wal")))

            assert any(b"chat/completions" in log for log in logs)
            assert len(rows(proxy.data, "SELECT * FROM exchanges")) > 10
            assert MARK not in str(rows(proxy.data, "SELECT * FROM exchanges"))
            assert not [path for path in proxy.data.rglob("*") if path.is_file() and MARK.encode() in path.read_bytes()]
            assert not [log for log in logs if MARK.encode() in log]
            assert MARK not in proxy.log
            assert MARK not in metrics


def use_every_credential(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    for model in ("plain", "keyed", "gone", "status-401", "status-500", "reset", "keyed-2"):
        for stream in (False, True):
            upstream.then(Behaviour(headers=(("set-cookie", f"sid={MARK}-set-cookie"),))) if model == "plain" else None
            answer = ask(proxy.url, chat_request(model, stream=stream, headers=CREDENTIALS))
            assert MARK.encode() not in answer.body
    ask(proxy.url, chat_request(headers=[*CREDENTIALS, ("x-nightschool-tags", "broken")]))
    form = [*CREDENTIALS, ("content-type", "multipart/form-data; boundary=x")]
    ask(proxy.url, request("POST", f"/v1/files?api-key={MARK}-query", form, b"--x--\r\n"))
    with RawConnection(proxy.url) as connection:
        connection.send(chat_request(headers=[*CREDENTIALS, ("transfer-encoding", "chunked")]))
        assert MARK.encode() not in connection.rest()
    with openai.OpenAI(base_url=proxy.base_url, api_key=f"{MARK}-sdk", max_retries=0) as client:
        asked: Any = {"model": "plain", "messages": MESSAGES}
        client.chat.completions.create(**asked)


def test_the_key_of_the_pseudonyms_is_readable_by_its_owner_only(proxy: RunningProxy) -> None:
    key = proxy.data / "keys" / "client-hash.key"

    assert (key.stat().st_size, key.stat().st_mode & 0o777) == (32, 0o600)
