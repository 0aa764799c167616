"""`nightschool status`: what is recorded, and whether recording is healthy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nightschool.store.summary import Summary


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show how much is recorded, how recent it is, and whether something needs attention.

    Example: nightschool status
    """
    import msgspec

    from cli.data import data_folder
    from nightschool.store.summary import summarize  # pyarrow takes a while to import

    with data_folder(config) as folder:
        summary = summarize(folder)
        if as_json:
            print(msgspec.json.format(msgspec.json.encode(summary)).decode())
            return
        for label, value in _lines(summary):
            print(f"{label:<12} {value}")


def _lines(summary: Summary) -> Iterator[tuple[str, str]]:
    from cli.cells import size

    yield "data", f"{summary.data}, {size(summary.bytes)}"
    for name, table in summary.tables.items():
        unsealed = f", {table.unsealed_rows:,} of them still in logs" if table.unsealed_rows else ""
        yield name, f"{table.rows:,} in {table.segments:,} segments, {size(table.bytes)}{unsealed}"
    yield "newest", summary.newest_exchange or "nothing recorded yet"
    yield "logs", f"{summary.logs_waiting}, {size(summary.log_bytes)}"
    yield "recorder", "running" if summary.recorder_running else "not running; `nightschool proxy` starts it"
    if summary.quarantined:
        yield "quarantine", f"{len(summary.quarantined)} damaged files, set aside: {', '.join(summary.quarantined[:5])}"
    for problem in summary.problems:
        yield "problem", problem
