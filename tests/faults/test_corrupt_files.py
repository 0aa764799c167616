"""Damaged files of the store: set aside and named, and everything else is read."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from demo.scripted_upstream import ScriptedUpstream
from nightschool.store.reader import StoreWarning
from tests.raw import ask, chat_request
from tests.running import RunningProxy, config_for, rows, running_proxy

IDS = "SELECT id FROM exchanges WHERE complete ORDER BY time"


def exchanges(proxy: RunningProxy, count: int) -> list[str | None]:
    return [ask(proxy.url, chat_request()).header("x-nightschool-id") for _ in range(count)]


def stored(data: Path) -> list[str]:
    return [row["id"] for row in rows(data, IDS)]


def test_a_torn_tail_costs_only_the_torn_exchange(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    config = config_for(upstream.base_url)
    with running_proxy(config, tmp_path) as proxy:
        ids = exchanges(proxy, 10)
        proxy.kill()
    (log,) = proxy.data.glob("wal/*.wal")
    content = log.read_bytes()
    log.write_bytes(content[:-7])

    assert stored(proxy.data) == ids[:-1]
    with running_proxy(config, tmp_path) as proxy:
        ids += exchanges(proxy, 3)
        proxy.stop()
    assert stored(proxy.data) == ids[:9] + ids[10:]


@pytest.mark.parametrize("damage", ["garbage behind", "zeros behind", "a flipped byte in the middle"])
def test_a_damaged_log_is_read_as_far_as_it_goes_and_the_rest_is_kept_and_named(
    upstream: ScriptedUpstream, tmp_path: Path, damage: str
) -> None:
    config = config_for(upstream.base_url)
    with running_proxy(config, tmp_path) as proxy:
        ids = exchanges(proxy, 10)
        proxy.kill()
    (log,) = proxy.data.glob("wal/*.wal")
    content = bytearray(log.read_bytes())
    if damage == "a flipped byte in the middle":
        content[len(content) // 2] ^= 0xFF
    else:
        content += b"\xde\xad\xbe\xef" * 1000 if damage == "garbage behind" else bytes(4000)
    log.write_bytes(content)

    with running_proxy(config, tmp_path) as proxy:
        later = exchanges(proxy, 3)
        proxy.stop()
    kept = stored(proxy.data)
    assert kept[-3:] == later
    assert kept[:-3] == (ids if "behind" in damage else ids[: len(kept) - 3])
    assert len(kept) > 3
    assert log.name in proxy.log
    assert [path for path in (proxy.data / "quarantine").iterdir() if log.name in path.name]


@pytest.mark.parametrize("damage", ["emptied", "cut", "overwritten", "deleted"])
def test_a_damaged_segment_is_left_out_with_a_warning_that_names_it(
    upstream: ScriptedUpstream, tmp_path: Path, damage: str
) -> None:
    config = config_for(upstream.base_url)
    ids = []
    for _ in range(2):
        with running_proxy(config, tmp_path) as proxy:
            ids.append(exchanges(proxy, 5))
            proxy.stop()
    first, _ = sorted(proxy.data.glob("exchanges/**/*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    if damage == "deleted":
        first.unlink()
    else:
        size = first.stat().st_size
        first.write_bytes({"emptied": b"", "cut": first.read_bytes()[: size // 2], "overwritten": bytes(size)}[damage])

    with pytest.warns(StoreWarning, match=first.name):
        assert stored(proxy.data) == ids[1]
    with warnings.catch_warnings(), running_proxy(config, tmp_path) as proxy:
        warnings.simplefilter("ignore", StoreWarning)
        later = exchanges(proxy, 3)
        proxy.stop()
        assert stored(proxy.data) == ids[1] + later


def test_a_manifest_that_is_no_manifest_stops_nobody_from_answering(upstream: ScriptedUpstream, tmp_path: Path) -> None:
    config = config_for(upstream.base_url)
    with running_proxy(config, tmp_path) as proxy:
        exchanges(proxy, 3)
        proxy.stop()
    (proxy.data / "manifest.json").write_text("{ not json")

    with running_proxy(config, tmp_path) as proxy:
        answer = ask(proxy.url, chat_request())
        proxy.wait_for_log("manifest")
        proxy.stop()
    assert answer.status == 200
    assert list(proxy.data.glob("wal/*.wal"))
