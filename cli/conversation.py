"""What is known about a recorded exchange besides its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cli.cells import dollars, duration, moment, tokens


def facts(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is known about an exchange besides its text: (name, value)."""
    yield "id", row["id"]
    yield "time", f"{moment(row['time'])} UTC"
    yield "workload", row["workload"] or "none"
    yield "conversation", row["conversation"] or ""
    yield "answered by", " / ".join(filter(None, (row["target"], row["upstream"], row["adapter"], row["reason"])))
    yield "model", _model(row)
    yield "status", _status(row)
    yield "tokens", tokens(row["prompt_tokens"], row["completion_tokens"])
    yield "cost", dollars(row["cost_usd"])
    yield "latency", _latency(row)
    yield "tags", ", ".join(f"{name}={value}" for name, value in row["tags"].items())
    yield "client", row["client"] or ""


def _model(row: Mapping[str, Any]) -> str:
    requested, served = row["model_requested"], row["model_served"]
    return f"{requested} → {served}" if requested and served and requested != served else served or requested or ""


def _status(row: Mapping[str, Any]) -> str:
    parts = ["none" if row["status"] is None else str(row["status"])]
    parts += [] if row["complete"] else ["cut"]
    parts += [part for part in (row["error_type"], row["finish_reason"]) if part]
    return ", ".join(parts)


def _latency(row: Mapping[str, Any]) -> str:
    first = row["first_token_ms"]
    return duration(row["latency_ms"]) + (f", first token after {duration(first)}" if first is not None else "")
