"""Names from commands and addresses are looked up among what is there: none becomes a path that leaves its folder."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.dataset import snapshot
from distill.evaluate import result
from nightschool.registry.adapters import name_of, place_of
from tests.cli.command import Command
from tests.console.house import House, furnished, running_console

CLIMBS = (
    *("../../../../etc/passwd", "/etc/passwd", "..", ".", "../keys", "w/../../keys", "..\\..\\keys", "a\0b", "~root"),
    *(
        "%2e%2e%2fkeys",
        "*",
        "[!.]*",
        "**/*",
        "$(touch harmed)",
        "`touch harmed`",
        "; touch harmed",
        "--help-me",
        "\n",
        "' or 1=1 --",
    ),
)
NAMES = st.text(max_size=20) | st.sampled_from(CLIMBS) | st.text("./%2ef\\~", max_size=10)


@given(workload=NAMES, digest=st.text("0123456789abcdef", min_size=12, max_size=64))
def test_whatever_a_workload_is_called_its_folders_are_where_they_belong(workload: str, digest: str) -> None:
    workload = workload.encode("utf-8", "replace").decode()
    data = Path("/data")
    adapter = place_of(data) / name_of(workload, digest)
    places = [snapshot.place_of(data, workload), result.evaluations_of(data, workload)] if workload else []

    assert adapter.parent == place_of(data)
    assert Path(adapter.name).name == adapter.name
    for place in places:
        assert place.parent.parent == data
        assert place.name not in (".", "..", "")


# -- commands


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return furnished(tmp_path_factory.mktemp("house"))


@pytest.fixture
def command(house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("HOUSE_KEY", "value")
    monkeypatch.chdir(house.folder)
    return Command(capsys)


def everything(folder: Path) -> dict[str, int]:
    """Files and their sizes, but for locks, which are made by looking."""
    return {str(path): path.lstat().st_size for path in folder.rglob("*") if path.is_file() and "lock" not in path.name}


TRIED = (
    "../../../../etc/passwd",
    "..",
    "w/../../keys",
    "a\0b",
    "*",
    "$(touch harmed)",
    "\n",
    "9" * 20 + "d",
    "x" * 5_000,
)
USES = (
    *(
        "logs show {}",
        "logs list --workload {}",
        "logs list --since {}",
        "logs list --until {}",
        "logs list --status {}",
    ),
    *(
        "dataset show {}",
        "dataset show w {}",
        "dataset export w {}",
        "dataset build {}",
        "routes {}",
        "worth {}",
        "gate {}",
    ),
    *(
        "promote w --adapter {}",
        "promote {}",
        "rollback {}",
        "hold {}",
        "train {}",
        "evaluate {}",
        "evaluate w --adapter {}",
    ),
    *(
        "labels export out.jsonl --workload {}",
        "labels import {}",
        "logs import {}",
        "audit {}",
        "shadow {}",
        "status --config {}",
    ),
)


@pytest.mark.parametrize("use", USES)
def test_no_name_makes_a_command_touch_anything_or_fail_without_a_sentence(
    house: House, command: Command, use: str
) -> None:
    before = everything(house.folder)
    for name in TRIED:
        words = [word.replace("{}", name) for word in use.split(" ")]
        done = command(*words, *([] if "--config" in use else ["--config", "nightschool.yaml"]))

        assert "Traceback" not in done.err
        assert "root:" not in done.out + done.err
    assert everything(house.folder) == before


# -- pages


@pytest.fixture(scope="module")
def console(house: House) -> Iterator[str]:
    with running_console(house.folder) as url:
        yield url


def fetched(url: str, target: bytes) -> bytes:
    """The answer to exactly this target: a client of the library would tidy it up."""
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"GET %b HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n" % target)
        received = b""
        while piece := connection.recv(1 << 16):
            received += piece
    return received


PLACES = (
    *(b"/static/", b"/runs/adapters/", b"/runs/evaluations/w/", b"/runs/evaluations/", b"/runs/decisions/w/"),
    *(b"/datasets/", b"/datasets/w/", b"/exchanges/", b"/routing/", b"/workloads/", b"/relabel/", b"/"),
)
PATHS = (
    *(
        b"../../../../etc/passwd",
        b"..%2f..%2f..%2f..%2fetc%2fpasswd",
        b"%2e%2e/%2e%2e/keys/client-hash.key",
        b"/etc/passwd",
    ),
    *(
        b"..%252f..%252fkeys",
        b"..%5c..%5ckeys",
        b"%2fetc%2fpasswd",
        b"%00",
        b"w%00.html",
        b"....//....//keys",
        b"%c0%ae%c0%ae/",
    ),
    *(b"..;/keys", b"%2e%2e%2f" * 12 + b"etc/passwd/report", b"~root", b"%ff%fe", b"x" * 3_000, b"'%20or%201=1%20--"),
)


@pytest.mark.parametrize("place", PLACES)
def test_no_address_shows_anything_that_is_no_page(house: House, console: str, place: bytes) -> None:
    secrets = [path.read_bytes() for path in (house.data / "keys").iterdir()]
    for path in PATHS:
        answer = fetched(console, place + path)

        assert answer.startswith(
            (b"HTTP/1.1 404", b"HTTP/1.1 400", b"HTTP/1.1 307", b"HTTP/1.1 303", b"HTTP/1.1 200")
        ), answer
        assert b"root:" not in answer
        assert not any(secret in answer for secret in secrets)


QUERIES = ("workload", "tag", "since", "until", "text", "conversation", "status", "target", "after", "order", "at")


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_is_sql_or_a_fault(console: str, name: str) -> None:
    for value in (
        b"'%20or%201=1%20--",
        b"%27%3Bcopy%20(select%201)%20to%20%27harmed%27",
        b"%00",
        b"%ff",
        b"9" * 400,
        b"x~y",
        b"1" * 17 + b"~x",
    ):
        answer = fetched(console, b"/exchanges?%b=%b" % (name.encode(), value))

        assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 404", b"HTTP/1.1 422")), answer[:300]
        assert not Path("harmed").exists()


# -- manifests that were copied here


@pytest.mark.parametrize("name", ["../../../outside", "/etc", "..", "other"])
def test_a_dataset_is_what_its_folder_is_called(house: House, name: str) -> None:
    place = snapshot.place_of(house.data, "w")
    known = snapshot.datasets_of(house.data, "w")[-1]
    forged = place / "forged"
    forged.mkdir()
    (forged / snapshot.MANIFEST).write_bytes(msgspec.json.encode(msgspec.structs.replace(known, name=name)))
    try:
        with pytest.raises(snapshot.UnknownDataset, match="names another dataset"):
            snapshot.find(house.data, "w")
    finally:
        (forged / snapshot.MANIFEST).unlink()
        forged.rmdir()


@pytest.mark.parametrize("change", ["id", "dataset"])
def test_an_evaluation_names_nothing_elsewhere(house: House, change: str, tmp_path: Path) -> None:
    known = result.newest_manifest(house.data, "w")
    assert known is not None
    dataset = msgspec.structs.replace(known.dataset, name="../../../outside")
    told = msgspec.structs.replace(known, **({"id": "../x"} if change == "id" else {"dataset": dataset}))
    folder = tmp_path / known.id
    folder.mkdir()
    (folder / result.MANIFEST).write_bytes(msgspec.json.encode(told))

    with pytest.raises(result.UnknownEvaluation, match="names what is not beside it"):
        result.read_manifest(folder)
