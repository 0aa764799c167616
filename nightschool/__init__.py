"""nightschool: a proxy that records your application's LLM traffic and teaches a small model from it.

import nightschool
nightschool.open_store("nightschool-data").sql("select workload, count(*) from exchanges group by all").show()
"""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

__all__ = ["open_store"]


def open_store(path: str | PathLike[str]) -> duckdb.DuckDBPyConnection:
    """Open a data folder for reading: a DuckDB connection with one view a table.

    The views are ``exchanges``, ``feedback``, ``labels``, ``splits`` and ``verdicts``.

        import nightschool
        nightschool.open_store("nightschool-data").sql("select workload, count(*) from exchanges group by all").show()

    The views show what was answered up to this moment, sealed or still in a log, each exchange once. They do not
    follow what comes later: open the store again for that. Times are ``timestamptz`` in UTC, ``request`` and
    ``response`` JSON text, ``tags`` a map (``tags['feature']``). Reading takes no lock and can go on beside a running
    proxy; files that the recorder has merged meanwhile stay for ten minutes, so a connection should not be kept for
    longer. A damaged file is left out with a ``StoreWarning`` that names it. The caller closes the connection.
    """
    from nightschool.store.reader import (
        connect,
        take_snapshot,
    )  # a proxy worker imports this package, and needs no DuckDB

    return connect(take_snapshot(path))
