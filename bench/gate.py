"""What the gate is worth: how often it promotes a worse student within 30 nights, and how many rows a good one needs.

    python -m bench.gate [--runs N] [--json FILE]

Simulated are differences of right and wrong answers: of all test rows a share (the discordance) is right for one of
student and teacher only. In the first table every night's candidate loses exactly the margin, which is the hardest of
all that must not be promoted; three rules judge it, and a run has failed when any of 30 nights promotes. The test set
begins with 600 rows and gets 20 more a night. Candidates are either unlike each other, or alike: of 100 rows that one
was tested with, the next has the same result on 70. In the second table students are good, and rows are counted until a
test with so many promotes half (and 80 %) of them.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.figure import Figure, add_json_option, write_figures
from distill.gate.bets import BOLDNESS
from distill.gate.criteria import Criteria

Counts = NDArray[np.int64]
Numbers = NDArray[np.float64]

WHOLE = np.array([1.0, -1.0, 0.0])
"""Differences of right and wrong."""
PARTIAL = np.array([1.0, -1.0, 0.5, -0.5, 0.0])
"""Differences where half a point can be had."""
NIGHTS = 30
FIRST_ROWS, NIGHTLY_ROWS = 600, 20
ALIKE = 0.7
WIN_RATE_ROWS = 200
Z = 1.645
"""Of a one-sided test at 5 %."""
STEP, MOST_ROWS = 20, 8_000
FALSE_TARGET, ROWS_TARGET = 0.05, 900
SEED = 20_261_125


class Cell(NamedTuple):
    """A kind of student."""

    discordance: float
    margin: float
    difference: float
    """True mean of student - teacher."""
    values: Numbers = WHOLE
    target: int | None = None
    """Rows within which half of such students are to be promoted."""

    @property
    def shares(self) -> Numbers:
        """Of rows with each of the values; those of one size share the discordance evenly."""
        sizes = (len(self.values) - 1) // 2
        reach = np.abs(self.values[:-1]).reshape(sizes, 2)[:, 0]
        gain = self.difference / reach.sum()
        pairs = [((self.discordance / sizes + gain) / 2, (self.discordance / sizes - gain) / 2) for _ in range(sizes)]
        moved = np.array(pairs).ravel()
        return np.append(moved, 1 - moved.sum())


WORSE = [
    Cell(discordance, margin, -margin)
    for discordance in (0.05, 0.10, 0.20, 0.30)
    for margin in (0.02, 0.03, 0.05)
] + [Cell(0.30, 0.03, -0.03, PARTIAL)]  # fmt: skip
GOOD = [
    Cell(discordance, margin, difference, target=ROWS_TARGET if discordance == 0.10 else None)
    for margin, difference in ((0.05, 0.0), (0.03, 0.02))
    for discordance in (0.05, 0.10, 0.20, 0.30)
] + [Cell(discordance, 0.03, 0.0) for discordance in (0.05, 0.10, 0.20)]  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """0 when every target is met, else 1."""
    parser = argparse.ArgumentParser(description="the gate, simulated")
    parser.add_argument("--runs", type=int, default=10_000, help="of 30 nights, for each cell")
    add_json_option(parser)
    arguments = parser.parse_args(argv)
    runs = arguments.runs
    began = time.perf_counter()
    output = Console(width=118)
    figures = [*print_false_promotions(output, runs), *print_rows_needed(output, max(runs // 5, 100))]
    output.print(f"\n{runs:,} runs a cell, {time.perf_counter() - began:.0f} s")
    write_figures(arguments.json, figures)
    return 1 if any(figure.met is False for figure in figures) else 0


def print_false_promotions(output: Console, runs: int) -> list[Figure]:
    """The first table: whether the gate keeps its budget in every cell."""
    random = np.random.default_rng(SEED)
    table = Table(
        "discordance", "margin", "scores", "gate", "win rate", "z test", "gate, alike", "win rate", "z test",
        "target", "", box=None,
        title=f"runs of {NIGHTS} nights in which a student that loses the whole margin is promoted",
    )  # fmt: skip
    figures = []
    for cell in WORSE:
        shares = [share for kept in (0.0, ALIKE) for share in false_promotions(cell, kept, runs, random)]
        most = max(shares[0], shares[3])
        met = most <= FALSE_TARGET
        scores = "right/wrong" if cell.values is WHOLE else "partial"
        kind = f"{cell.discordance:.0%} discordant, margin {cell.margin:.2f}, {scores}"
        told = f"{most:.1%} (win rate {max(shares[1], shares[4]):.0%}, z test {max(shares[2], shares[5]):.0%})"
        figures.append(
            Figure(f"worse students promoted in {NIGHTS} nights: {kind}", told, f"<= {FALSE_TARGET:.0%}", met)
        )
        table.add_row(
            f"{cell.discordance:.0%}", f"{cell.margin:.2f}", scores, *(f"{share:.1%}" for share in shares),
            f"gate <= {FALSE_TARGET:.0%}", "ok" if met else "MISSED",
        )  # fmt: skip
    output.print(table)
    output.print(
        f"win rate: at least as many wins as losses on {WIN_RATE_ROWS} rows.  z test: 5 % one-sided, on all rows."
    )
    return figures


def print_rows_needed(output: Console, runs: int) -> list[Figure]:
    """The second table: rows until good students are promoted."""
    random = np.random.default_rng(SEED)
    table = Table(
        "discordance", "margin", "student", "half promoted", "80 % promoted", f"promoted at {ROWS_TARGET}",
        "target", "", box=None,
        title="\nrows in the test until good students are promoted, with the budget of 30 nights",
    )  # fmt: skip
    figures = []
    for cell in GOOD:
        promoted = promoted_by_rows(cell, runs, random)
        half, most = (_first(promoted >= share) for share in (0.5, 0.8))
        met = None if cell.target is None else half is not None and half <= cell.target
        figures.append(_needed(cell, half, met))
        table.add_row(
            f"{cell.discordance:.0%}", f"{cell.margin:.2f}",
            "equal" if cell.difference == 0 else f"{cell.difference * 100:+.0f} points",
            *(f"more than {MOST_ROWS:,}" if rows is None else f"{rows:,}" for rows in (half, most)),
            f"{promoted[ROWS_TARGET // STEP - 1]:.0%}",
            "" if cell.target is None else f"half <= {cell.target}",
            {None: "", True: "ok", False: "MISSED"}[met],
        )  # fmt: skip
    output.print(table)
    return figures


def _needed(cell: Cell, half: int | None, met: bool | None) -> Figure:
    student = "as good as the teacher" if cell.difference == 0 else f"{cell.difference * 100:+.0f} points better"
    name = f"rows until half are promoted: {student}, {cell.discordance:.0%} discordant, margin {cell.margin:.2f}"
    told = f"more than {MOST_ROWS:,}" if half is None else f"{half:,}"
    return Figure(name, told, "" if cell.target is None else f"<= {cell.target}", met)


def false_promotions(cell: Cell, kept: float, runs: int, random: np.random.Generator) -> tuple[float, float, float]:
    """Share of runs in which the gate, the win rate, and the z test promote on any night."""
    promoted = np.zeros((3, runs), dtype=bool)
    fixed = random.multinomial(WIN_RATE_ROWS, cell.shares, size=runs)
    rows = random.multinomial(FIRST_ROWS - WIN_RATE_ROWS, cell.shares, size=runs)
    for night in range(NIGHTS):
        if night:
            fixed = candidate_like(fixed, kept, cell.shares, random)
            fresh = random.multinomial(NIGHTLY_ROWS, cell.shares, size=runs)
            rows = candidate_like(rows, kept, cell.shares, random) + fresh
        everything = fixed + rows
        promoted[0] |= gate_promotes(everything, cell)
        promoted[1] |= fixed @ cell.values >= 0
        promoted[2] |= z_test_promotes(everything, cell)
    gate, win_rate, z_test = promoted.mean(axis=1)
    return float(gate), float(win_rate), float(z_test)


def candidate_like(counts: Counts, kept: float, shares: Numbers, random: np.random.Generator) -> Counts:
    """Another candidate on the same rows: ``kept`` of the results stay, the others are drawn anew."""
    if kept == 0:
        return random.multinomial(counts.sum(axis=1), shares)
    same = random.binomial(counts, kept)
    return same + random.multinomial(counts.sum(axis=1) - same.sum(axis=1), shares)


def gate_promotes(counts: Counts, cell: Cell) -> NDArray[np.bool_]:
    """As `distill.gate` judges by default, without slices and guards, which can only hold back."""
    criteria = Criteria(margin=cell.margin)
    enough = counts.sum(axis=-1) >= criteria.min_rows
    convincing = log_fortunes_of(counts, cell.values, criteria.bar) >= np.log(criteria.threshold)
    return np.asarray(enough & convincing, dtype=np.bool_)


def log_fortunes_of(counts: Counts, values: Numbers, mean: float) -> Numbers:
    """`distill.gate.bets.log_fortune` of many runs at once, each given by how often every value came."""
    bets = BOLDNESS / (1 + mean)
    total = np.full(counts.shape[:-1], -np.inf)
    for bet in bets:
        total = np.logaddexp(total, counts @ np.log1p(bet * (values - mean)))
    return total - float(np.log(len(bets)))


def z_test_promotes(counts: Counts, cell: Cell) -> NDArray[np.bool_]:
    """Whether the usual lower bound of the mean is above the margin."""
    rows = counts.sum(axis=1)
    mean: Numbers = counts @ cell.values / rows
    error: Numbers = np.sqrt((counts @ cell.values**2 / rows - mean**2) / rows)
    return np.asarray(mean - Z * error > -cell.margin, dtype=np.bool_)


def promoted_by_rows(cell: Cell, runs: int, random: np.random.Generator) -> Numbers:
    """Share of students that a test with STEP, 2 · STEP, … rows promotes."""
    counts = random.multinomial(STEP, cell.shares, size=(runs, MOST_ROWS // STEP)).cumsum(axis=1)
    share: Numbers = gate_promotes(counts, cell).mean(axis=0)
    return share


def _first(reached: NDArray[np.bool_]) -> int | None:
    """Rows from which on it is reached for good."""
    missing = np.flatnonzero(~reached)
    steps = int(missing[-1]) + 2 if len(missing) else 1
    return steps * STEP if steps <= len(reached) else None


if __name__ == "__main__":
    sys.exit(main())
