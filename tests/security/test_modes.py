"""What is recorded is for the account that runs nightschool alone; a link in its folder leads nobody out of it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from demo.scripted_upstream import ScriptedUpstream, upstream_in_thread
from nightschool.errors import StoreError
from nightschool.store.durable import new_file
from nightschool.store.manifest import read_manifest
from nightschool.store.secret import kept_secret
from nightschool.store.sweep import ORPHANED_AFTER_S, sweep
from tests.cli.command import Command
from tests.console.house import House, furnished
from tests.raw import ask, chat_request
from tests.running import RunningProxy, config_for, running_proxy

OTHERS = 0o077
UNITS = sorted((Path(__file__).parents[2] / "deploy" / "systemd").glob("*.service"))


@pytest.fixture(autouse=True)
def generous_umask() -> object:
    """That of a system that hides nothing: what is hidden, we have hidden."""
    before = os.umask(0o000)
    yield before
    os.umask(before)


def readable_by_others(folder: Path) -> list[str]:
    """Files below ``folder`` that another account could open, by their own mode and those of the folders above them."""
    closed = {path for path in (folder, *folder.rglob("*")) if path.is_dir() and not path.stat().st_mode & OTHERS}
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.lstat().st_mode & OTHERS and not closed & set(path.parents)
    )


def test_no_other_account_can_read_what_a_running_proxy_writes(tmp_path: Path) -> None:
    with upstream_in_thread() as upstream, running_proxy(config_for(upstream.base_url), tmp_path) as proxy:
        for _ in range(3):
            proxy.record(ask(proxy.url, chat_request()).header("x-nightschool-id"))
        logs = list(proxy.data.rglob("*.wal"))

        assert logs
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in logs)
        assert readable_by_others(proxy.data) == []
    assert list(proxy.data.rglob("*.parquet"))
    assert readable_by_others(proxy.data) == []


def test_no_other_account_can_read_what_a_night_writes(tmp_path: Path) -> None:
    house: House = furnished(tmp_path)
    places = {path.relative_to(house.data).parts[0] for path in house.data.rglob("*") if path.is_file()}

    assert {"datasets", "evaluations", "decisions", "adapters", "registry", "exchanges"} <= places
    assert readable_by_others(house.data) == []


def test_secrets_of_the_folder_are_for_their_owner_in_a_folder_of_their_own(tmp_path: Path) -> None:
    secret = kept_secret(tmp_path, "client-hash")
    (file,) = (tmp_path / "keys").iterdir()

    assert (len(secret), kept_secret(tmp_path, "client-hash")) == (32, secret)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_an_export_is_for_its_owner_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOUSE_KEY", "value")
    house = furnished(tmp_path)
    command = Command(capsys)
    file = tmp_path / "exported.jsonl"
    done = command("logs", "export", str(file), "--config", str(house.folder / "nightschool.yaml"))

    assert done.code == 0, done.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_service_leaves_no_dump_of_its_memory_and_no_file_for_others(unit: Path) -> None:
    lines = unit.read_text().splitlines()

    assert {"LimitCORE=0", "UMask=0077"} <= set(lines)


# -- links


def recorded(folder: Path, upstream: ScriptedUpstream) -> RunningProxy:
    with running_proxy(config_for(upstream.base_url), folder) as proxy:
        proxy.record(ask(proxy.url, chat_request()).header("x-nightschool-id"))
    return proxy


def test_sweeping_removes_a_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    with upstream_in_thread() as upstream:
        data = recorded(tmp_path, upstream).data
    precious = tmp_path / "precious"
    precious.write_text("mine")
    link = data / "exchanges" / "date=2020-01-01" / "hour=00" / "20200101T000000-00000000.parquet"
    link.parent.mkdir(parents=True)
    link.symlink_to(precious)
    for path in (precious, link):
        os.utime(path, (1, 1), follow_symlinks=False)
    assert ORPHANED_AFTER_S < 1e9

    assert sweep(data) == 1
    assert not link.is_symlink()
    assert precious.read_text() == "mine"


def test_a_file_is_replaced_and_not_written_through_a_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "manifest.json").symlink_to(precious)
    with new_file(tmp_path / "manifest.json") as file:
        file.write(b"ours")

    assert precious.read_text() == "mine"
    assert (tmp_path / "manifest.json").read_text() == "ours"


@pytest.mark.parametrize(
    "path", ["../precious.parquet", "/precious.parquet", "exchanges/../../precious.parquet", "..", "a\n/../x"]
)
@pytest.mark.parametrize("where", ["garbage", "tables", "absorbed"])
def test_a_manifest_reads_and_deletes_nothing_outside_of_its_folder(tmp_path: Path, where: str, path: str) -> None:
    """Who can write one needs no such trick; but one that was copied here must not reach beyond its folder."""
    segment = {"path": path, "rows": 1, "min_time_us": 0, "max_time_us": 1, "bytes": 1}
    values = {"garbage": [{"path": path, "since_us": 1}], "tables": {"exchanges": [segment]}, "absorbed": [path + "/x"]}
    (tmp_path / "manifest.json").write_text(json.dumps({"format_version": 1, where: values[where]}))

    with pytest.raises(StoreError, match="is damaged"):
        read_manifest(tmp_path)
