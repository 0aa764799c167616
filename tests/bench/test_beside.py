"""Every peer in a column: those that are missing, too, and what each has lost."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.figure import Figure
from bench.proxy import beside, environment, traffic
from bench.proxy.__main__ import parse
from bench.proxy.failure import PeerMissing
from bench.proxy.figures import Figure as Line
from bench.proxy.generator import Generator, Upstream
from bench.proxy.losses import KILL, SLOW, Loss
from bench.proxy.memory import Standing
from bench.proxy.peer import DIRECT, NGINX, NIGHTSCHOOL, PORTKEY, Peer
from bench.proxy.port import free_port
from bench.proxy.probe import Bodies
from bench.proxy.results import Results, Values
from bench.proxy.rounds import PLAIN, Interleaved, Window
from tests.bench.suite_results import MACHINE

linux = pytest.mark.skipif(sys.platform != "linux", reason="pins processes to cores")


def window(peer: str, cpu_s: float, load: str = PLAIN.name) -> Window:
    return Window(
        round=1,
        peer=peer,
        load=load,
        exchanges=1000,
        wall_s=1.0,
        cpu_s=cpu_s,
        generator_cpu_s=0.1,
        first_ms=(1.0, 2.0),
    )


def loss(peer: str, trouble: str, *, found: int, ended: bool = True) -> Loss:
    return Loss(
        peer=peer,
        trouble=trouble,
        rounds=5,
        acknowledged=1000,
        found=found,
        doubled=0,
        per_s=200.0,
        plain_ms=(3.0, 9.0),
        ended=ended,
    )


def row(results: Results, name: str) -> dict[str, str]:
    sheet = beside.peers_sheet(results)
    [cells] = [cells for cells in sheet.rows if cells[0] == name]
    return dict(zip(sheet.heads[1:], cells[1:], strict=True))


def test_a_peer_that_is_missing_has_an_empty_column_and_the_reason_in_the_notes() -> None:
    results = Results(machine=MACHINE, windows=[window(NIGHTSCHOOL, 0.1)], missing={PORTKEY: "no `node` here"})

    assert row(results, "CPU ms per request, 32 connections") == {NIGHTSCHOOL: "0.100", PORTKEY: "-"}
    assert "Portkey: no `node` here" in beside.notes(results)


def test_costs_are_told_as_multiples_of_ours_within_a_round() -> None:
    results = Results(machine=MACHINE, windows=[window(NIGHTSCHOOL, 0.1), window(PORTKEY, 4.0)])

    assert row(results, "CPU ms per request, 32 connections") == {NIGHTSCHOOL: "0.100", PORTKEY: "4.00"}
    [times, _] = [cells for cells in beside.peers_sheet(results).rows if "of nightschool's" in cells[0]]
    assert times[1:] == ["-", "40.0 x"]


def test_fewer_streams_than_wanted_are_told_beside_the_memory() -> None:
    standing = Standing(peer=PORTKEY, streams=256, workers_bytes=100 << 20, all_bytes=120 << 20)
    results = Results(machine=MACHINE, standing=[standing])

    assert row(results, "streams open at once, of 1,000") == {PORTKEY: "256"}
    assert row(results, "  memory of what forwards them, MiB") == {PORTKEY: "100"}


def test_lost_records_are_told_of_everybody_and_ours_are_a_missed_target() -> None:
    results = Results(
        machine=MACHINE,
        losses=[loss(NIGHTSCHOOL, KILL, found=998), loss(NGINX, KILL, found=1000, ended=False)],
    )

    shown = row(results, "records lost: kill -9")
    assert shown == {NIGHTSCHOOL: "2 of 1,000", NGINX: "0 of 1,000 (killed a minute after SIGTERM)"}
    assert list(beside.loss_figures(results)) == [
        Figure("records lost: kill -9, 5 times", "2 of 1,000 acknowledged", "0", False),
        Figure("records doubled: kill -9, 5 times", "0", "0", True),
    ]


def test_nothing_is_claimed_of_a_trouble_that_was_not_made() -> None:
    results = Results(machine=MACHINE, windows=[window(NIGHTSCHOOL, 0.1)])

    assert list(beside.loss_figures(results)) == []
    assert row(results, f"records lost: {SLOW}") == {NIGHTSCHOOL: "-"}


def test_an_indented_line_with_a_target_is_called_by_the_line_above_and_carries_its_rounds() -> None:
    lines = [
        Line("CPU ms", "1", "4", "", "4.0 x", "≤ 5 x nginx", True, Values((3.0, 4.0, 5.0))),
        Line("  beside LiteLLM", ratio="1/200", target="≤ 1/100 of LiteLLM", met=True),
        Line("requests/s", "1", "2"),
    ]

    first, second = beside.held(lines)

    assert (first.name, first.value) == ("CPU ms", "4; 4.0 x")
    assert first.spread is not None
    assert (first.spread.lowest, first.spread.highest, first.spread.runs) == (3.0, 5.0, 3)
    assert (second.name, second.value) == ("CPU ms: beside LiteLLM", "1/200")


@linux
def test_a_peer_that_fails_in_the_middle_is_dropped_and_the_others_go_on(tmp_path: Path) -> None:
    cores = os.sched_getaffinity(0)
    with ExitStack() as stack:
        upstream = Upstream(stack, cores=cores, folder=tmp_path)
        generator = Generator(stack, cores=cores, folder=tmp_path)
        gone = Peer(name=PORTKEY, version="1", port=free_port(), bodies=Bodies(b"", b""))
        interleaved = Interleaved(generator, [upstream.as_peer(), gone], say=lambda _: None)
        interleaved.warm_up()

        windows = list(interleaved.windows(rounds=2, seconds=0.2))

    assert [each.peer for each in windows] == [DIRECT, DIRECT]
    assert list(interleaved.failed) == [PORTKEY]
    assert "failed at plain: a wrong answer: " in interleaved.failed[PORTKEY]


def test_of_a_dropped_peer_no_figure_is_left() -> None:
    results = Results(machine=MACHINE, windows=[window(NIGHTSCHOOL, 0.1), window(PORTKEY, 1.0)])

    results.drop(PORTKEY, "failed at streams: status 500")

    assert results.values(PORTKEY, PLAIN, lambda w: w.cpu_s) == ()
    assert results.missing == {PORTKEY: "failed at streams: status 500"}


def test_what_cannot_be_installed_is_a_missing_peer_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(PeerMissing, match=r"could not be installed: .*no-such-file-anywhere"):
        environment.python_with([str(tmp_path / "no-such-file-anywhere.whl")], folder=tmp_path / "peer")

    assert not (tmp_path / "peer" / "installed").exists()


def test_by_default_only_nginx_and_litellm_stand_beside_us_and_all_others_when_asked() -> None:
    usual, _ = parse([])
    everybody, file = parse(["--peers", "all", "--skip", "portkey", "--json", "x.json"])

    assert usual.peers == ("nginx", "litellm")
    assert usual.parts == {"rounds", "memory", "scaling"}
    assert everybody.peers == ("nginx", "litellm", "portkey", "tensorzero", "llm-distillery", "fastapi-httpx")
    assert everybody.parts == {"rounds", "memory", "scaling", "standing", "losses"}
    assert everybody.skip == {"portkey"}
    assert file == Path("x.json")


def test_a_peer_is_asked_in_its_own_manner() -> None:
    manner = traffic.Manner("/other/path", "its::model", {"x-peer": "yes"})

    [first, *_] = traffic.requests(1234, stream=False, manner=manner)

    assert first.startswith(b"POST /other/path HTTP/1.1\r\n")
    assert b"\r\nx-peer: yes\r\n" in first
    assert b'"model":"its::model"' in first
