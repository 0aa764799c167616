"""`nightschool sql`: a question to the store, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    import duckdb


def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="DuckDB's SQL over `exchanges` and `feedback`.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, with a header.")] = False,
) -> None:
    """Ask the store in SQL: the views are `exchanges`, `feedback`, `labels`, `splits` and
    `verdicts`; times are UTC.

    Examples:

    nightschool sql "describe exchanges"

    nightschool sql "select workload, count(*), sum(cost_usd) from exchanges group by all"

    nightschool sql "select tags['feature'], avg(latency_ms) from exchanges where time > now() - interval 1 day group
    by 1"
    """
    if as_json and as_csv:
        raise typer.BadParameter("either --json or --csv, not both")
    from cli.answers import print_csv, print_json, print_table  # DuckDB and rich take a while to import
    from cli.data import data_folder
    from nightschool.errors import StoreError
    from nightschool.store.query import ask

    show = print_json if as_json else print_csv if as_csv else print_table

    def question(store: duckdb.DuckDBPyConnection) -> None:
        if not store.extract_statements(query):
            raise StoreError(f"{query!r} asks nothing", remedy='`nightschool sql "describe exchanges"`')
        show(store.execute(query))

    with data_folder(config) as folder:
        ask(folder, question)
