"""How large a demo is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Scale:
    """``texts``: how many the app sends, by part of the story."""

    name: str
    tiny: bool = False
    """A model of random weights, and texts in which there is nothing to be found."""
    texts: dict[str, int]
    distill: dict[str, Any]
    promote: dict[str, Any]
    minutes: dict[str, str]
    """What each stage takes on two cores, for the screen."""
    notes: tuple[str, ...] = field(default=())
    """What the demo does otherwise than a production set-up would, said on the screen."""


FULL = Scale(
    name="loop",
    texts={"day": 900, "ramp": 28, "live": 24, "harmed-1": 20, "harmed-2": 20, "harmed-3": 20},
    distill={
        "min_examples": 100,
        "test_share": 0.14,
        "epochs": 1,
        "learning_rate": 0.001,
        "rank": 16,
        "dropout": 0,
        "batch_examples": 8,
        "validations_per_epoch": 8,
        "while_serving": "pause",
    },
    promote={
        "criterion": "beat",
        "min_rows": 40,
        "nights": 1,
        "ramp": [50, 100],
        "teacher_share": 0,
        "step_audits": 10,
        "audit": 100,
        "margin": 0.1,
        "slices": {"min_rows": 1000},
        "guards": {"cost_ratio": 1.0},
    },
    minutes={"record": "1", "night": "13", "ramp": "2", "live": "2", "harm": "3", "report": "0"},
    notes=(
        "the gate takes 40 test rows instead of 300, and the error budget of a month for one night",
        "the ramp has two steps, and no conversation stays the teacher's; in production more do",
        "every answer of a student is audited; in production 3 % are",
        "the teacher is a script that knows the truth and is wrong at random, in three of ten pieces of data",
    ),
)

QUICK = Scale(
    name="quick",
    tiny=True,
    texts={"day": 160, "ramp": 14, "live": 8, "harmed-1": 14, "harmed-2": 14, "harmed-3": 14},
    distill={
        "min_examples": 50,
        "test_share": 0.25,
        "epochs": 8,
        "learning_rate": 0.01,
        "rank": 8,
        "dropout": 0,
        "batch_examples": 4,
        "validations_per_epoch": 2,
    },
    promote={
        "criterion": "parity",
        "margin": 0.3,
        "min_rows": 10,
        "nights": 1,
        "ramp": [50, 100],
        "teacher_share": 0,
        "step_audits": 3,
        "audit": 100,
        "slices": {"min_rows": 1000},
        "guards": {"cost_ratio": None},
    },
    minutes=dict.fromkeys(("record", "night", "ramp", "live", "harm"), "1"),
    notes=(
        "the model has a hundred thousand random weights, and learns to say one thing: that a text holds no data",
        "so this shows that all parts work together, and nothing about what can be learned: `make demo` does",
    ),
)
