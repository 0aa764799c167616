"""The document: what stands first, what is said of what is not there, and that it names nobody's machine."""

from __future__ import annotations

import socket
from pathlib import Path

import msgspec
import pytest

from bench.figure import Figure, Measured, Sheet, Spread, read_figures
from bench.proxy.failure import BenchFailure
from bench.suite.causes import Causes, Missed, read_causes
from bench.suite.page import Entry, page
from bench.suite.result import Result
from bench.suite.run import last_words
from tests.bench.suite_results import MACHINE, benchmark, result

FAST = Figure("count by model", "0.1 s", "<= 0.5 s", True, spread=Spread(0.05, 0.1, 0.2, 5))
SLOW = Figure("one exchange by id", "0.4 s", "<= 0.3 s", False)
PLAIN = Figure("bytes each", 2031, unit="bytes")
NO_CAUSES = Causes({})


def entry(*figures: Figure, failure: str = "", measured: Result | None = None) -> Entry:
    return Entry(benchmark(), measured or result(*figures), failure)


def causes(folder: Path, text: str) -> Causes:
    file = folder / "causes.yaml"
    file.write_text(text)
    return read_causes(file)


def test_missed_targets_stand_before_everything_that_is_met() -> None:
    text = page([entry(FAST, SLOW)], NO_CAUSES)

    first = text.index("**one exchange by id** ([The store](#the-store)): 0.4 s, target <= 0.3 s")
    assert first < text.index("## Machine") < text.index("| count by model |")
    assert "1 of 2 targets are missed." in text


def test_a_missed_target_that_nobody_has_explained_says_so() -> None:
    text = page([entry(SLOW)], NO_CAUSES)

    assert "   - cause: not explained yet\n   - what would mend it: not explained yet\n" in text


@pytest.mark.parametrize("name", ["one exchange by id", "one exchange*", "store/one exchange by id"])
def test_cause_and_mend_are_put_beside_the_missed_figure(tmp_path: Path, name: str) -> None:
    known = causes(tmp_path, f'"{name}":\n  cause: too many\n    segments\n  mend: merge them\n')

    text = page([entry(SLOW)], known)

    assert "   - cause: too many segments\n   - what would mend it: merge them\n" in text
    assert "not explained" not in text


def test_a_cause_that_explains_no_missed_figure_is_told(tmp_path: Path) -> None:
    known = causes(tmp_path, "old: {cause: a, mend: b}\none*: {cause: a, mend: b}\n")

    assert known.idle([Missed("store", "one exchange by id")]) == ["old"]


@pytest.mark.parametrize("text", ["a: because", "a: {cause: b}", "a: {cause: b, mend: c, when: d}", "- a", "a: {"])
def test_causes_of_another_shape_are_refused_with_the_shape_that_is_wanted(tmp_path: Path, text: str) -> None:
    with pytest.raises(BenchFailure, match=r"(?s)causes.yaml: .*FIGURE: \{cause: …, mend: …\}"):
        causes(tmp_path, text)


def test_a_figure_is_told_with_its_spread_its_target_and_the_verdict() -> None:
    text = page([entry(FAST, SLOW, PLAIN)], NO_CAUSES)

    assert "| count by model | 0.1 s | 0.0500 / 0.100 / 0.200 (5) | <= 0.5 s | met |" in text
    assert "| one exchange by id | 0.4 s |  | <= 0.3 s | **missed** |" in text
    assert "| bytes each | 2,031 bytes |  |  |  |" in text


def test_a_bar_in_a_cell_breaks_no_table() -> None:
    measured = Measured([], [Sheet("Peers", ["", "a|b"], [["x", "1 | 2"]])])

    text = page([entry(measured=result(measured=measured))], NO_CAUSES)

    assert "|  | a\\|b |\n|---|---|\n| x | 1 \\| 2 |" in text


def test_a_benchmark_without_a_result_and_one_that_failed_since_are_named_with_the_reason() -> None:
    entries = [Entry(benchmark("gate"), None), entry(FAST, failure="it ended with status 1: no disk")]

    text = page(entries, NO_CAUSES)

    assert "- The gate: not run yet\n" in text
    assert "- The store: it ended with status 1: no disk; below is the run of 2026-11-01\n" in text


def test_a_target_that_could_not_be_measured_is_neither_met_nor_missed_and_is_named() -> None:
    unknown = Figure("CPU ms per request: beside LiteLLM", "not measured", "≤ 1/100 of LiteLLM")

    text = page([entry(FAST, unknown)], NO_CAUSES)

    assert "0 of 1 targets are missed." in text
    assert "- CPU ms per request: beside LiteLLM: not measured, target ≤ 1/100 of LiteLLM\n" in text


def test_date_commit_and_machine_stand_beside_each_benchmark_where_they_differ() -> None:
    other = msgspec.structs.replace(MACHINE, processor="Another CPU")
    entries = [
        Entry(benchmark("store"), result(FAST, day=1, code="abc1234")),
        Entry(benchmark("gate"), result(FAST, day=3, code="def5678", machine=other)),
    ]

    text = page(entries, NO_CAUSES)

    assert "- A: Some CPU, 2 cores, 24 GiB, Linux 6.1\n- B: Another CPU, 2 cores, 24 GiB, Linux 6.1\n" in text
    assert "2026-11-01 12:00 UTC on machine A, commit `abc1234`, 90 s, load average before 0.25" in text
    assert "2026-11-03 12:00 UTC on machine B, commit `def5678`" in text


def test_a_quick_run_claims_nothing() -> None:
    assert "Its figures claim nothing." in page([entry(measured=result(FAST, quick=True))], NO_CAUSES)
    assert "claim nothing" not in page([entry(FAST)], NO_CAUSES)


def test_what_a_failed_benchmark_said_last_names_no_folder_of_this_machine(tmp_path: Path) -> None:
    log = tmp_path / "store.log"
    log.write_text(f"begun\nFileNotFoundError: {tmp_path}/data/x.wal is not there (GET /v1/chat)\n\n")

    told = last_words(log)

    assert told == "FileNotFoundError: x.wal is not there (GET chat)"
    assert socket.gethostname() not in page([entry(FAST, failure=told)], NO_CAUSES)


def test_a_bare_list_of_figures_is_read_like_all_that_was_measured(tmp_path: Path) -> None:
    bare, whole = tmp_path / "bare", tmp_path / "whole"
    bare.write_text('[{"name": "x", "value": 3, "unit": "s", "target": 4, "met": true}]')
    whole.write_bytes(msgspec.json.encode(Measured([Figure("x", 3, 4, True, "s")])))

    assert read_figures(bare) == read_figures(whole) == Measured([Figure("x", 3, 4, True, "s")])
