"""What was found out, as lines for a terminal and as a table for the documentation."""

from __future__ import annotations

from collections.abc import Iterable

from tests.conformance.stand import Report

_KNOWN = "known: "


def lines(report: Report) -> Iterable[str]:
    """One client: a line for each behaviour."""
    yield f"\n== {report.client} {report.version}: {report.requests:,} requests"
    for verdict in report.verdicts:
        state = "ok" if verdict.ok else "FAILED"
        yield f"  {state:<7} {verdict.behaviour}{f'  ({verdict.reason})' if verdict.reason else ''}"


def table(reports: Iterable[Report], skipped: dict[str, str]) -> Iterable[str]:
    """All clients, one row each, as Markdown."""
    yield "| client | version | behaviours | equal | known differences | failed | requests |"
    yield "|---|---|---|---|---|---|---|"
    for report in reports:
        known = sum(verdict.ok and verdict.reason.startswith(_KNOWN) for verdict in report.verdicts)
        failed = sum(not verdict.ok for verdict in report.verdicts)
        total = len(report.verdicts)
        counts = f"{total} | {total - known - failed} | {known} | {failed} | {report.requests:,}"
        yield f"| {report.client} | {report.version} | {counts} |"
    for client, reason in skipped.items():
        yield f"| {client} | skipped: {reason} | | | | | |"
