"""Rows with known figures."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from distill.gate.evidence import Evidence, Row


def rows_of(differences: Iterable[float], *, slices: tuple[str, ...] = (), prefix: str = "g") -> tuple[Row, ...]:
    """One row a group; the student has the whole difference."""
    return tuple(
        Row(group=f"{prefix}{number}", teacher=max(-d, 0.0), student=max(d, 0.0), slices=slices)
        for number, d in enumerate(differences)
    )


def evidence_of(wins: int, losses: int, ties: int) -> Evidence:
    return Evidence(rows=rows_of([1.0] * wins + [-1.0] * losses + [0.0] * ties))


def drawn(seed: int, rows: int, discordance: float, difference: float) -> list[float]:
    """Wins, losses and ties with these shares in the long run."""
    shares = [(discordance + difference) / 2, (discordance - difference) / 2, 1 - discordance]
    return [float(d) for d in np.random.default_rng(seed).choice([1.0, -1.0, 0.0], rows, p=shares)]
