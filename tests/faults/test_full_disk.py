"""A data folder that is full, and one that is taken away: traffic goes on, the loss is counted and shouted."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import Behaviour
from tests.raw import ask, chat_request
from tests.running import RunningProxy, config_for, running_proxy
from tests.waiting import until

LARGE = [{"role": "user", "content": "x" * 100_000}]


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of that size at ``folder``; skips the test where none may be mounted."""
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("only root can mount the small file system that is to be filled")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def lost(proxy: RunningProxy) -> float:
    return proxy.metric("nightschool_records_lost_total")


def test_a_full_disk_costs_records_and_never_an_answer(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    with small_disk(tmp_path / "data", "3m"), running_proxy(config_for(upstream.base_url), tmp_path) as proxy:
        answers = []
        while lost(proxy) < 5:
            answers += [ask(proxy.url, chat_request(messages=LARGE, stream=stream)) for stream in (False, True)]
        assert {answer.status for answer in answers} == {200}
        assert all(answer.whole for answer in answers)
        proxy.wait_for_log("records_lost count=")
        ready = httpx.get(f"{proxy.url}/readyz")
        assert (ready.status_code, ready.json()["recording"]["frames_lost"] > 0) == (200, True)
        assert "space" in ready.json()["recording"]["last_error"]
        kept = {row["id"] for row in proxy.rows("SELECT id FROM exchanges WHERE complete")}
        assert kept
        assert kept < {answer.header("x-nightschool-id") for answer in answers}

        subprocess.run(["mount", "-o", "remount,size=64m", str(proxy.data)], check=True)
        counted = lost(proxy)
        for _ in range(5):
            answer = ask(proxy.url, chat_request())
            assert proxy.record(answer.header("x-nightschool-id"))["complete"]
        assert lost(proxy) == counted
        assert proxy.stop() == 0
        after = {row["id"] for row in proxy.rows("SELECT id FROM exchanges WHERE complete")}
        assert kept < after


def test_an_exchange_of_which_only_the_end_found_room_leaves_nothing_unreadable(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    """A slow answer: its request is written, and refused, long before its end, which is small enough to fit."""
    with small_disk(tmp_path / "data", "1m"), running_proxy(config_for(upstream.base_url), tmp_path) as proxy:
        while lost(proxy) == 0:
            upstream.then(Behaviour(head_delay_s=0.15))
            answer = ask(proxy.url, chat_request(messages=LARGE))
            assert answer.status == 200

        stored = proxy.rows("SELECT id FROM exchanges")  # a warning would fail this test
        assert answer.header("x-nightschool-id") not in [row["id"] for row in stored]
        assert proxy.stop() == 0
    assert "log_damaged" not in proxy.log


def test_a_disk_that_is_full_from_the_start_does_not_keep_the_proxy_from_answering(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "data", "256k"):
        with running_proxy(config_for(upstream.base_url), tmp_path) as proxy:
            (proxy.data / "ballast").write_bytes(b"")
            with contextlib.suppress(OSError), (proxy.data / "ballast").open("wb") as ballast:
                while True:
                    ballast.write(bytes(4096))
                    ballast.flush()
            proxy.stop()
        with running_proxy(config_for(upstream.base_url), tmp_path) as proxy:
            assert [ask(proxy.url, chat_request(stream=stream)).status for stream in (False, True)] == [200, 200]
            until(lambda: lost(proxy) > 0)


def test_a_data_folder_that_is_deleted_is_made_anew_and_recording_goes_on(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    with running_proxy(config_for(upstream.base_url), tmp_path) as proxy:
        ask(proxy.url, chat_request())
        shutil.rmtree(proxy.data, ignore_errors=True)  # what is written into it meanwhile may stay
        for stream in (False, True):
            answer = ask(proxy.url, chat_request(stream=stream))
            assert (answer.status, answer.whole) == (200, True)
        proxy.wait_for_log("log_deleted")

        def recorded_again() -> bool:
            exchange_id = ask(proxy.url, chat_request()).header("x-nightschool-id")
            return proxy.data.is_dir() and bool(proxy.rows("SELECT 1 FROM exchanges WHERE id = ?", [exchange_id]))

        until(recorded_again)
        assert lost(proxy) > 0
        answer = ask(proxy.url, chat_request())
        assert proxy.stop() == 0
        assert proxy.record(answer.header("x-nightschool-id"))["complete"]
