"""Running benchmarks: what is run again, what is kept, and what becomes of one that fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.figure import Figure, Measured
from bench.suite.catalog import ALL, Benchmark
from bench.suite.code import code_of
from bench.suite.result import Result
from bench.suite.run import needs_run, run
from tests.bench.first_party import imported_by
from tests.bench.suite_results import benchmark, kept_in, result

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and pins processes to cores")

ROOT = Path(__file__).parents[2]
FIGURE = Figure("one exchange by id", "0.4 s", "<= 0.3 s", False)
OTHER = Figure("one exchange by id", "0.2 s", "<= 0.3 s", True)


def made(folder: Path, program: str) -> Result:
    """What comes of a benchmark of this text."""
    (folder / "made.py").write_text(program)
    return run(benchmark("made", "made"), root=folder, work=folder / "work", quick=False)


def test_a_benchmark_with_a_result_of_this_code_is_run_again_only_when_asked(tmp_path: Path) -> None:
    kept = kept_in(tmp_path)
    assert needs_run(benchmark(), kept, code="abc1234", again=False)

    kept.keep(result(FIGURE, code="abc1234"))

    assert not needs_run(benchmark(), kept, code="abc1234", again=False)
    assert needs_run(benchmark(), kept, code="abc1234", again=True)
    assert needs_run(benchmark(), kept, code="def5678", again=False)
    assert needs_run(benchmark("gate"), kept, code="abc1234", again=False)


def test_without_a_repository_nothing_tells_that_the_code_is_the_same(tmp_path: Path) -> None:
    kept = kept_in(tmp_path)
    kept.keep(result(FIGURE, code=""))

    assert needs_run(benchmark(), kept, code="", again=False)


def test_a_failed_attempt_is_run_again_and_does_not_take_the_place_of_what_was_measured(tmp_path: Path) -> None:
    kept = kept_in(tmp_path)
    kept.keep(good := result(FIGURE, day=1, code="abc1234"))
    kept.keep(failed := result(day=2, code="def5678", failure="no disk"))

    assert kept.good("store") == good
    assert kept.attempt("store") == failed
    assert needs_run(benchmark(), kept, code="def5678", again=False)


def test_results_of_several_days_stand_together_and_of_each_benchmark_the_newest_counts(tmp_path: Path) -> None:
    kept = kept_in(tmp_path)
    kept.keep(result(FIGURE, name="store", day=1))
    kept.keep(newer := result(OTHER, name="store", day=3))
    kept.keep(gate := result(FIGURE, name="gate", day=2))

    assert (kept.good("store"), kept.good("gate")) == (newer, gate)


def test_a_strangers_clone_has_the_committed_results_alone(tmp_path: Path) -> None:
    kept_in(tmp_path).keep(measured := result(FIGURE))
    (tmp_path / "attempts" / "store.json").unlink()

    assert kept_in(tmp_path).good("store") == measured
    assert kept_in(tmp_path).attempt("store") is None


def test_what_a_benchmark_writes_is_kept_though_it_ends_with_1_for_a_missed_target(tmp_path: Path) -> None:
    written = msgspec.json.encode(Measured([FIGURE], versions={"nginx": "1.22"})).decode()
    program = f"import sys; from pathlib import Path; Path(sys.argv[2]).write_text({written!r}); sys.exit(1)"

    found = made(tmp_path, program)

    assert found.failure == ""
    assert found.measured is not None
    assert found.measured.figures == [FIGURE]
    assert found.versions["nginx"] == "1.22"
    assert found.command == "python -m made"


def test_a_benchmark_that_breaks_is_told_by_its_last_words(tmp_path: Path) -> None:
    found = made(tmp_path, "raise SystemExit('bench: no nginx here')")

    assert found.failure == "it ended with status 1: bench: no nginx here"
    assert found.measured is None


def test_figures_of_a_run_before_are_not_taken_for_those_of_this_one(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "made.figures").write_bytes(msgspec.json.encode([FIGURE]))

    assert made(tmp_path, "pass").failure == "it ended with status 0: it said nothing"


def test_figures_that_cannot_be_read_are_a_failure_with_the_reason(tmp_path: Path) -> None:
    found = made(tmp_path, "import sys; from pathlib import Path; Path(sys.argv[2]).write_text('[{}]')")

    assert "its figures cannot be read: Object missing required field `name`" in found.failure


def test_a_result_is_of_this_code_until_something_that_is_run_changes(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        names = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        subprocess.run(["git", *names, *words], cwd=tmp_path, check=True, capture_output=True)

    paths = ("proxy", "pyproject.toml")
    assert code_of(tmp_path, paths) == ""
    git("init")
    others = ("bench/RESULTS.md", "docs/growth.png", "README.md", "distill/night.py", "proxy.py")
    for name in ("proxy/worker.py", "pyproject.toml", *others):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    git("add", ".")
    git("commit", "-m", "1")
    first = code_of(tmp_path, paths)

    for name in others:
        (tmp_path / name).write_text("2")
    assert code_of(tmp_path, paths) == first
    git("commit", "-am", "2")
    assert code_of(tmp_path, paths) == first
    (tmp_path / "proxy" / "worker.py").write_text("2")
    assert code_of(tmp_path, paths).startswith(f"{first}+")
    git("commit", "-am", "3")
    assert code_of(tmp_path, paths) not in ("", first)


@pytest.mark.parametrize("benchmark", ALL, ids=lambda each: each.name)
def test_what_a_benchmark_runs_is_there_and_all_that_it_imports_is_among_it(benchmark: Benchmark) -> None:
    runs = [Path(each) for each in benchmark.measures]

    assert [each for each in runs if not (ROOT / each).exists()] == []
    imported = imported_by(ROOT, benchmark.module)
    assert Path("bench/figure.py") in imported
    assert sorted(path for path in imported if not any(each in (path, *path.parents) for each in runs)) == []
