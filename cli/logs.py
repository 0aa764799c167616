"""`nightschool logs`: look at recorded exchanges, take them out, bring others in, erase."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.log_filter import (
    ModelOption,
    SinceOption,
    StatusOption,
    TagOption,
    UntilOption,
    WhereOption,
    WorkloadOption,
    filter_from,
)
from cli.options import ConfigOption, JsonOption, configured

if TYPE_CHECKING:
    from nightschool.store.export import Format

logs_app = typer.Typer(help="Look at recorded exchanges, take them out, bring others in, erase.", no_args_is_help=True)


@logs_app.command("list")
def list_logs(
    config: ConfigOption = None,
    workload: WorkloadOption = None,
    model: ModelOption = None,
    status: StatusOption = None,
    tag: TagOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    where: WhereOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="So many at the most.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List the newest exchanges, newest first.

    Examples:

    nightschool logs list --workload pii-redaction --since 7d

    nightschool logs list --status error --tag feature=inbox --limit 100
    """
    filters = filter_from(workload=workload, model=model, status=status, tag=tag, since=since, until=until, where=where)
    from cli.data import data_folder
    from cli.listing import print_json, print_table
    from nightschool.store.listing import newest

    with data_folder(config) as folder:
        rows = newest(folder, filters, limit=limit)
        (print_json if as_json else print_table)(rows)


@logs_app.command()
def show(
    piece: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="An id, or any beginning or end of one.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    last: Annotated[bool, typer.Option("--last", help="The newest exchange.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole record as JSON, text as recorded.")] = False,
) -> None:
    """Show one exchange: its messages, tool calls, and what is known about it.

    Examples:

    nightschool logs show --last

    nightschool logs show 8f03b1c2a7d4 --json
    """
    if (piece is None) == (not last):
        raise typer.BadParameter("give an id, or --last")
    from cli.data import data_folder
    from cli.listing import print_exchange
    from nightschool.errors import StoreError
    from nightschool.store.filter import Filter
    from nightschool.store.listing import feedback_about, newest, one

    with data_folder(config) as folder:
        if piece is None:
            rows = newest(folder, Filter(), limit=1)
            if not rows:
                raise StoreError("nothing is recorded yet", remedy="send a request through `nightschool proxy`")
            piece = rows[0]["id"]
        row = one(folder, piece)
        print_exchange(row, feedback_about(folder, row["id"]), as_json=as_json)


@logs_app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write; - for standard output.")],
    config: ConfigOption = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="records|openai|parquet",
            help="records: JSON lines with every column; openai: chats for fine-tuning; parquet. "
            "Without it, parquet for a name that ends so, else records.",
            show_default=False,
        ),
    ] = None,
    workload: WorkloadOption = None,
    model: ModelOption = None,
    status: StatusOption = None,
    tag: TagOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    where: WhereOption = None,
) -> None:
    """Write exchanges to a file. `logs import` reads records and chats again.

    Examples:

    nightschool logs export triage.jsonl --format openai --workload triage --since 30d

    nightschool logs export - --where "cost_usd > 0.1" | jq .id
    """
    filters = filter_from(workload=workload, model=model, status=status, tag=tag, since=since, until=until, where=where)
    from cli.data import data_folder
    from cli.transfer import export_to

    with data_folder(config) as folder:
        export_to(folder, file, _format(form, file), filters)


@logs_app.command("import")
def import_logs(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The files; what is in them is recognised.")],
    config: ConfigOption = None,
    workload: Annotated[
        str | None, typer.Option("--workload", metavar="NAME", help="Name of the workload, where a file tells none.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Import exchanges from elsewhere. Importing a file again adds nothing.

    Recognised are OpenAI chat JSONL (one exchange a line, the last assistant message is its answer); request/response
    JSONL; OpenAI batch files (input and output given together); agent trajectories (episodes, each a list of messages:
    every assistant message becomes an exchange, a reward becomes feedback); and what `logs export` wrote.

    Example: nightschool logs import chats.jsonl episodes.json --workload support
    """
    from cli.data import data_folder
    from cli.transfer import import_from

    with data_folder(config) as folder:
        import_from(folder, files, configured(config), workload=workload, as_json=as_json)


@logs_app.command()
def erase(
    config: ConfigOption = None,
    ids: Annotated[
        list[str] | None, typer.Option("--id", metavar="ID", help="An id, or a piece of it; may be repeated.")
    ] = None,
    conversation: Annotated[
        str | None, typer.Option("--conversation", metavar="ID", help="All exchanges of this conversation.")
    ] = None,
    client: Annotated[
        str | None, typer.Option("--client", metavar="HASH", help="All exchanges of this caller.")
    ] = None,
    before: Annotated[
        str | None, typer.Option("--before", metavar="TIME", help="All exchanges before: 180d, or 2026-01-01.")
    ] = None,
    where: WhereOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Delete the old files at once, whoever is reading them.")] = False,
) -> None:
    """Erase exchanges and the feedback about them for ever. What is given must all hold.

    The old files are no longer read, but stay on the disk for ten minutes, for queries that are running, and until a
    recorder deletes them. Files in quarantine are not searched.

    Examples:

    nightschool logs erase --client 9f3a2b1c77d04e55

    nightschool logs erase --where "request like '%jane@example.com%'"
    """
    filters = filter_from(until=before, where=where)
    if not (ids or conversation or client or before or where):
        raise typer.BadParameter("say what to erase: --id, --conversation, --client, --before or --where")
    from cli.data import data_folder
    from cli.erasure import erase_matching

    equal = {"conversation": conversation, "client": client}
    with data_folder(config) as folder:
        erase_matching(folder, filters, ids=ids or [], equal=equal, asks=not yes, now=now)


def _format(form: str | None, file: Path) -> Format:
    match form:
        case "records" | "openai" | "parquet":
            return form
        case None:
            return "parquet" if file.suffix == ".parquet" else "records"
        case _:
            raise typer.BadParameter(f"{form!r} is none of records, openai, parquet", param_hint="--format")
