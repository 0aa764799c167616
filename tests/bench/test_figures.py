"""From measurements to the table."""

from __future__ import annotations

import pytest

from bench.proxy.figures import Figure, figures, number
from bench.proxy.memory import Growth
from bench.proxy.peer import LITELLM, NGINX, NIGHTSCHOOL
from bench.proxy.results import Results, Values
from bench.proxy.rounds import PLAIN, Window
from bench.proxy.scaling import Scaling, WorkersRun
from bench.proxy.table import heading, render
from tests.bench.suite_results import MACHINE


def window(peer: str, round_number: int, cpu_ms: float) -> Window:
    """1 000 plain exchanges in a second."""
    return Window(
        round=round_number,
        peer=peer,
        load=PLAIN.name,
        exchanges=1000,
        wall_s=1.0,
        cpu_s=cpu_ms,
        generator_cpu_s=0.1,
        first_ms=(1.0, 2.0),
    )


def line(results: Results, name: str) -> Figure:
    [found] = [figure for figure in figures(results) if figure.name.startswith(name)]
    return found


def test_ratios_are_taken_within_a_round_and_then_the_median_over_rounds() -> None:
    # The second round ran on a machine twice as slow: the ratio is 4 in each of the two.
    pairs = [(1, 0.02, 0.08), (2, 0.04, 0.16)]
    windows = [w for n, nginx, ours in pairs for w in (window(NIGHTSCHOOL, n, ours), window(NGINX, n, nginx))]

    found = line(Results(machine=MACHINE, windows=windows), "CPU ms per request")

    assert (found.ratio, found.target, found.met) == ("4.00 (4.00-4.00) x", "≤ 5 x nginx", True)
    assert found.nginx == "0.0300 (0.0200-0.0400)"


@pytest.mark.parametrize(("litellm_ms", "met"), [(9.0, True), (7.0, False)])
def test_litellm_must_need_a_hundred_times_as_much(litellm_ms: float, met: bool) -> None:
    windows = [window(NIGHTSCHOOL, 1, 0.08), window(LITELLM, 1, litellm_ms)]

    lines = list(figures(Results(machine=MACHINE, windows=windows)))

    assert lines[1].name == "  beside LiteLLM"
    assert lines[1].met is met


def test_a_missing_peer_is_said_and_nothing_is_claimed() -> None:
    found = line(Results(machine=MACHINE, windows=[window(NIGHTSCHOOL, 1, 0.08)]), "CPU ms per request")

    assert (found.nginx, found.ratio, found.met) == ("", "not measured", None)


@pytest.mark.parametrize(("last", "met"), [(104, True), (96, True), (106, False), (94, False)])
def test_memory_may_move_by_five_percent_either_way(last: int, met: bool) -> None:
    grown = Growth(resident_bytes=[100 << 20, 101 << 20, last << 20], exchanges=30_000, cpu_s={"worker": 3.0})
    results = Results(machine=MACHINE, growth=grown)

    assert line(results, "worker's memory").met is met
    assert line(results, "worker: CPU ms").nightschool == "0.100"


def test_two_workers_are_compared_by_their_capacity_where_the_generator_left_no_room() -> None:
    one = WorkersRun(exchanges=10_000, wall_s=2.0, cpu_s=[1.0])
    two = WorkersRun(exchanges=12_000, wall_s=2.0, cpu_s=[0.8, 0.4])
    scaling = Scaling(one=[one], two=[two])

    assert not scaling.measured
    assert scaling.ratio == pytest.approx(2.0), "an exchange costs 0.1 ms alone and beside another"
    assert scaling.busiest_ratio == pytest.approx(1.5)
    assert scaling.busiest_share == pytest.approx(2 / 3)


def test_two_workers_fall_short_where_an_exchange_costs_more_beside_another() -> None:
    one = WorkersRun(exchanges=10_000, wall_s=2.0, cpu_s=[1.0])
    two = WorkersRun(exchanges=10_000, wall_s=2.0, cpu_s=[0.6, 0.6])

    assert Scaling(one=[one], two=[two]).ratio == pytest.approx(1 / 0.6)


def test_two_full_workers_are_compared_by_what_they_really_answered() -> None:
    one = WorkersRun(exchanges=10_000, wall_s=2.0, cpu_s=[1.9])
    two = WorkersRun(exchanges=18_000, wall_s=2.0, cpu_s=[1.95, 1.9])

    assert Scaling(one=[one], two=[two]).measured
    assert Scaling(one=[one], two=[two]).ratio == pytest.approx(1.8)


def test_a_lost_record_is_a_target_missed() -> None:
    assert line(Results(machine=MACHINE, answered=1000, recorded=999), "exchanges recorded").met is False


def test_the_table_is_aligned_markdown_under_a_heading_that_names_the_machine() -> None:
    results = Results(machine=MACHINE, windows=[window(NGINX, 1, 0.02)], versions={"nginx": "1.22.1"})
    lines = render(figures(results)).splitlines()

    assert lines[0].startswith("| figure ")
    assert {len(text) for text in lines} == {len(lines[0])}
    assert "Some CPU, 2 cores, 24 GiB" in heading(results)
    assert "load average before 0.25" in heading(results)
    assert "nginx 1.22.1" in heading(results)


def test_numbers_have_three_digits() -> None:
    shown = [number(value) for value in (0.02251, 1.5, 12.345, 36_020.4, 0.0)]

    assert shown == ["0.0225", "1.50", "12.3", "36,020", "0"]


def test_values_meet_round_by_round() -> None:
    assert Values((4.0, 9.0)).over(Values((2.0, 3.0))) == (2.0, 3.0)
    assert Values((4.0, 9.0)).minus(Values((2.0, 3.0))) == (2.0, 6.0)
