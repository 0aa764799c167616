"""Damaged files of the store: set aside and named, and everything else is read."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Left:
    """A data folder that a proxy has left, and what it had acknowledged."""

    data: Path
    ids: list[str | None]

    def copied(self, folder: Path) -> Path:
        """To be damaged; ``folder`` is that of a proxy."""
        return Path(shutil.copytree(self.data, folder / "data"))


@pytest.fixture(scope="module")
def killed(shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Left:
    """With one log."""
    with running_proxy(config_for(shared_upstream.base_url), tmp_path_factory.mktemp("killed")) as proxy:
        ids = exchanges(proxy, 10)
        proxy.kill()
    return Left(proxy.data, ids)


@pytest.fixture(scope="module")
def stopped(shared_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Left:
    """Twice, with five exchanges in a segment each."""
    ids, folder = [], tmp_path_factory.mktemp("stopped")
    for _ in range(2):
        with running_proxy(config_for(shared_upstream.base_url), folder) as proxy:
            ids += exchanges(proxy, 5)
            proxy.stop()
    return Left(proxy.data, ids)


def test_a_torn_tail_costs_only_the_torn_exchange(killed: Left, upstream: ScriptedUpstream, tmp_path: Path) -> None:
    data = killed.copied(tmp_path)
    (log,) = data.glob("wal/*.wal")
    content = log.read_bytes()
    log.write_bytes(content[:-7])

    assert stored(data) == killed.ids[:-1]
    with running_proxy(config_for(upstream.base_url), tmp_path) as proxy:
        later = exchanges(proxy, 3)
        proxy.stop()
    assert stored(data) == killed.ids[:-1] + later


@pytest.mark.parametrize("damage", ["garbage behind", "zeros behind", "a flipped byte in the middle"])
def test_a_damaged_log_is_read_as_far_as_it_goes_and_the_rest_is_kept_and_named(
    killed: Left, upstream: ScriptedUpstream, tmp_path: Path, damage: str
) -> None:
    (log,) = killed.copied(tmp_path).glob("wal/*.wal")
    content = bytearray(log.read_bytes())
    if damage == "a flipped byte in the middle":
        content[len(content) // 2] ^= 0xFF
    else:
        content += b"\xde\xad\xbe\xef" * 1000 if damage == "garbage behind" else bytes(4000)
    log.write_bytes(content)

    with running_proxy(config_for(upstream.base_url), tmp_path) as proxy:
        later = exchanges(proxy, 3)
        proxy.stop()
    kept = stored(proxy.data)
    assert kept[-3:] == later
    assert kept[:-3] == (killed.ids if "behind" in damage else killed.ids[: len(kept) - 3])
    assert len(kept) > 3
    assert log.name in proxy.log
    assert [path for path in (proxy.data / "quarantine").iterdir() if log.name in path.name]


@pytest.mark.parametrize("damage", ["emptied", "cut", "overwritten", "deleted"])
def test_a_damaged_segment_is_left_out_with_a_warning_that_names_it(
    stopped: Left, upstream: ScriptedUpstream, tmp_path: Path, damage: str
) -> None:
    data = stopped.copied(tmp_path)
    first, _ = sorted(data.glob("exchanges/**/*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    if damage == "deleted":
        first.unlink()
    else:
        size = first.stat().st_size
        first.write_bytes({"emptied": b"", "cut": first.read_bytes()[: size // 2], "overwritten": bytes(size)}[damage])

    with pytest.warns(StoreWarning, match=first.name):
        assert stored(data) == stopped.ids[5:]
    with warnings.catch_warnings(), running_proxy(config_for(upstream.base_url), tmp_path) as proxy:
        warnings.simplefilter("ignore", StoreWarning)
        later = exchanges(proxy, 3)
        proxy.stop()
        assert stored(data) == stopped.ids[5:] + later


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
