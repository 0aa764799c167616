"""`nightschool labels`: corrected answers in and out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.log_filter import SinceOption, UntilOption, WhereOption, filter_from
from cli.options import ConfigOption, JsonOption, configured

labels_app = typer.Typer(help="Correct answers: a label replaces the logged answer in datasets.", no_args_is_help=True)


@labels_app.command("import")
def import_labels(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines: id, message, author, source.")],
    config: ConfigOption = None,
    author: Annotated[
        str | None, typer.Option("--author", metavar="NAME", help="Who vouches for lines that name nobody.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="NAME", help="Where lines come from that do not tell.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring in corrected answers; the newest label of an exchange counts. Importing a file again adds nothing.

    A line names its exchange by `id`, or by `conversation` and `position` (the number of messages before the answer).
    Its `message` is an assistant message, or just text. A line that was exported and left as it was is no label, unless
    somebody is its author.

    Example: nightschool labels import corrected.jsonl --author ann
    """
    from cli.data import data_folder
    from distill.labels.imports import import_labels as bring

    with data_folder(config) as folder:
        result = bring(folder, file, author=author, source=source)
    for fault in result.faults:
        print(f"nightschool: {fault}", file=sys.stderr)
    if (more := result.bad_lines + result.unknown - len(result.faults)) > 0:
        print(f"nightschool: and {more} more", file=sys.stderr)
    counts = {name: getattr(result, name) for name in ("labels", "unchanged", "already_there", "unknown", "bad_lines")}
    words = {
        "labels": "labels imported",
        "already_there": "were there already",
        "unchanged": "left as they were",
        "unknown": "about exchanges that are not here",
        "bad_lines": "could not be read",
    }
    told = [f"{counts[name]:,} {phrase}" for name, phrase in words.items() if counts[name] or name == "labels"]
    print(json.dumps({**counts, "faults": result.faults}) if as_json else ", ".join(told))


@labels_app.command("export")
def export_labels(
    workload: Annotated[str, typer.Argument(metavar="W", help="A workload, or fingerprint:… of one without a name.")],
    config: ConfigOption = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write; - for standard output.")
    ] = Path("-"),
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="So many at the most, the newest.")] = 100,
    since: SinceOption = None,
    until: UntilOption = None,
    where: WhereOption = None,
) -> None:
    """Write exchanges as lines to correct: edit `message`, and import the file.

    Examples:

    nightschool labels export triage --limit 50 -o triage.jsonl

    nightschool labels export airline --where "upstream = 'import'" -o airline.jsonl
    """
    window = filter_from(since=since, until=until).window
    from cli.data import data_folder
    from cli.transfer import opened
    from distill.labels.exports import export_labels as write
    from distill.selection import Selection

    with data_folder(config) as folder:
        selection = Selection.configured(configured(config), workload, where=where, window=window)
        written = write(folder, selection, opened(output), limit=limit)
    print(f"{written:,} exchanges written to {'standard output' if str(output) == '-' else output}", file=sys.stderr)
