"""The configuration of the demo, written anew by every run: ports are those that are free."""

from __future__ import annotations

from pathlib import Path

import yaml

from demo.engine import free_port, student_section
from demo.loop.place import Place
from demo.loop.scale import Scale

WORKLOAD = "redaction"
MODEL = "teacher"
_HEAD = "# Written anew by every run of the demo. Prices are invented.\n"


def write_config(place: Place, scale: Scale, *, teacher_url: str, base_model: Path) -> None:
    config = {
        "listen": f"127.0.0.1:{free_port()}",
        "data": "./data",
        "upstreams": {"teacher": {"base_url": teacher_url}},
        "prices": {MODEL: {"input": 2.5, "output": 10}},
        "record": {"segment_s": 1.0},
        "student": {**student_section(base_model), "price": {"gpu_hour_usd": 0.5, "tokens_per_hour": 4_000_000}},
        "workloads": {
            WORKLOAD: {
                "when": {"tool": "redact"},
                "distill": scale.distill,
                "evaluate": {"scorer": "demo.loop.texts:score", "few_shot": 0, "max_tokens": 200},
                "promote": scale.promote,
            }
        },
    }
    place.config.write_text(_HEAD + yaml.safe_dump(config, sort_keys=False))
