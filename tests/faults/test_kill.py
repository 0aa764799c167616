"""kill -9: what the client has, the store has, once."""

from __future__ import annotations

import json
import random
import re
import time
from pathlib import Path

import psutil
import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import TEXT, Behaviour, Fault
from tests.faults.load import load_on
from tests.raw import RawConnection, ask, chat_request
from tests.running import config_for, rows, running_proxy
from tests.waiting import until

ROUNDS = 20


def test_twenty_kills_under_load_lose_and_double_no_acknowledged_exchange(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    """Short segments, so that the kill meets logs that are open, finished, and being absorbed."""
    config = config_for(upstream.base_url, record={"segment_s": 0.2, "segment_bytes": 100_000})
    acknowledged: list[str] = []
    chance = random.Random(2)
    for _ in range(ROUNDS):
        with running_proxy(config, tmp_path) as proxy:
            with load_on(proxy.url) as load:
                until(lambda: len(load.acknowledged) >= 5)
                time.sleep(chance.uniform(0, 0.5))
                proxy.kill()
            acknowledged += load.acknowledged
            assert load.failures == []
        upstream.forget()
        stored = [row["id"] for row in rows(proxy.data, "SELECT id FROM exchanges WHERE complete AND status = 200")]
        assert len(stored) == len(set(stored))
        assert set(acknowledged) - set(stored) == set()
    with running_proxy(config, tmp_path) as proxy:
        assert proxy.stop() == 0

    sealed = rows(tmp_path / "data", "SELECT id, response, stream FROM exchanges WHERE complete AND status = 200")
    assert list((tmp_path / "data").glob("wal/*.wal")) == []
    assert len({row["id"] for row in sealed}) == len(sealed)
    assert set(acknowledged) <= {row["id"] for row in sealed}
    assert {row["stream"] for row in sealed} == {False, True}
    contents = {json.loads(row["response"])["choices"][0]["message"]["content"] for row in sealed}
    assert contents == {TEXT}
    print(f"{len(acknowledged)} acknowledged in {ROUNDS} rounds, 0 lost, 0 doubled")


def test_an_exchange_that_was_under_way_is_there_as_incomplete(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    with running_proxy(config_for(upstream.base_url), tmp_path) as proxy, RawConnection(proxy.url) as connection:
        connection.send(chat_request("hang", stream=True))
        exchange_id = dict(connection.head()[1])["x-nightschool-id"]
        # What arrives is written within a moment; only what ends is written at once.
        until(lambda: sum(path.stat().st_size for path in proxy.data.glob("wal/*.wal")))
        proxy.kill()

    (row,) = rows(proxy.data, "SELECT id, complete, model_requested, request FROM exchanges")
    assert (row["id"], row["complete"], row["model_requested"]) == (exchange_id, False, "hang")


@pytest.mark.parametrize("cut", ["event", "byte", "all"])
@pytest.mark.parametrize(
    ("target", "end"),
    [
        ("/v1/chat/completions", rb"data: \[DONE\]\n\n$"),
        ("/v1/completions", rb"data: \[DONE\]\n\n$"),
        ("/v1/responses", rb"event: response.completed\ndata: .*\n\n$"),
    ],
)
def test_a_stream_is_recorded_before_its_end_event_is_passed_on(
    upstream: ScriptedUpstream, tmp_path: Path, target: str, end: bytes, cut: str
) -> None:
    """The client is done with that event; the upstream may take as long as it likes to end its answer."""
    asked = chat_request(target=target, stream=True, input="x", prompt="x")
    upstream.then(Behaviour(cut=cut, fault=Fault.HANG, after=1_000_000))
    with running_proxy(config_for(upstream.base_url), tmp_path) as proxy, RawConnection(proxy.url) as connection:
        connection.send(asked)
        exchange_id = dict(connection.head()[1])["x-nightschool-id"]
        received = b""
        while not re.search(end, received, re.DOTALL):
            received += connection.chunk()
        proxy.kill()

    (row,) = rows(proxy.data, "SELECT id, complete FROM exchanges")
    assert row == {"id": exchange_id, "complete": True}


def test_a_worker_that_is_killed_alone_is_replaced_and_nobody_is_refused(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    with running_proxy(config_for(upstream.base_url), tmp_path) as proxy:
        before = [ask(proxy.url, chat_request()).header("x-nightschool-id") for _ in range(10)]
        for _ in range(2):
            victim = proxy.worker()
            victim.kill()
            psutil.wait_procs([victim])
            answer = ask(proxy.url, chat_request())
            assert answer.status == 200
            before.append(answer.header("x-nightschool-id"))
        proxy.wait_for_log("child_died name=worker")

        sql = "SELECT id FROM exchanges WHERE complete"
        until(lambda: {row["id"] for row in proxy.rows(sql)} == set(before))


def test_a_recorder_that_is_killed_is_replaced_and_goes_on(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    with running_proxy(config_for(upstream.base_url), tmp_path) as proxy:
        ids = [ask(proxy.url, chat_request()).header("x-nightschool-id") for _ in range(10)]
        (recorder,) = (process for process in proxy.processes() if "proxy.recorder" in " ".join(process.cmdline()))
        recorder.kill()
        proxy.wait_for_log("child_died name=recorder")
        until(lambda: proxy.log.count("recorder_started") == 2)
        ids += [ask(proxy.url, chat_request()).header("x-nightschool-id") for _ in range(10)]
        assert proxy.stop() == 0

    assert [row["id"] for row in rows(proxy.data, "SELECT id FROM exchanges ORDER BY time")] == ids
    assert list(proxy.data.glob("wal/*.wal")) == []
