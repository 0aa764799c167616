"""The best way to pair things of two lists, each used once: the assignment problem, solved exactly.

The Hungarian method with potentials (Kuhn 1955, Munkres 1957), O(rows² · columns).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf


def best_pairs(gains: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Pairs (row, column) with the greatest sum of ``gains[row][column]``; as many as the shorter side has."""
    if not gains or not gains[0]:
        return []
    if len(gains) > len(gains[0]):
        turned = list(zip(*gains, strict=True))
        return sorted((row, column) for column, row in best_pairs(turned))
    return sorted(_assign(gains))


def _assign(gains: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """For no more rows than columns. Row and column 0 of the working lists stand for nothing."""
    rows, columns = len(gains), len(gains[0])
    of_row, of_column = [0.0] * (rows + 1), [0.0] * (columns + 1)
    holder = [0] * (columns + 1)
    for row in range(1, rows + 1):
        holder[0] = row
        _augment(gains, holder, of_row, of_column)
    return [(holder[column] - 1, column - 1) for column in range(1, columns + 1) if holder[column]]


def _augment(gains: Sequence[Sequence[float]], holder: list[int], of_row: list[float], of_column: list[float]) -> None:
    """Find a place for the row that ``holder[0]`` names, moving others along the cheapest path."""
    columns = len(of_column)
    least, before, done = [inf] * columns, [0] * columns, [False] * columns
    column = 0
    while holder[column]:
        done[column] = True
        row, delta, following = holder[column], inf, 0
        for other in range(1, columns):
            if done[other]:
                continue
            cost = -gains[row - 1][other - 1] - of_row[row] - of_column[other]
            if cost < least[other]:
                least[other], before[other] = cost, column
            if least[other] < delta:
                delta, following = least[other], other
        for other in range(columns):
            if done[other]:
                of_row[holder[other]] += delta
                of_column[other] -= delta
            else:
                least[other] -= delta
        column = following
    while column:
        holder[column] = holder[before[column]]
        column = before[column]
