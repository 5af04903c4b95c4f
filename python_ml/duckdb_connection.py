"""Connections to DuckDB, all of which are opened here."""

from __future__ import annotations

from pathlib import Path

import duckdb

from python_ml.interrupts import stop_on_interrupt


def open_duckdb(
    place: Path | None = None, *, read_only: bool = False, **config: str | bool | int
) -> duckdb.DuckDBPyConnection:
    """A connection that writes nothing on its own account, and whose statements Ctrl-C ends.

    DuckDB draws a progress bar on stdout once a statement takes longer than two seconds. Stdout is
    the command's result, with `--json` a document; progress is told by python_ml.progress.

    Args:
        place: the file; without one a database in memory.
        read_only: open the file for readers alone.
        config: options of DuckDB.

    Raises:
        duckdb.Error: the file cannot be opened.

    >>> open_duckdb(threads=1).execute("select current_setting('enable_progress_bar')").fetchone()
    (False,)
    """
    connection = duckdb.connect(
        ":memory:" if place is None else str(place), read_only=read_only, config={**config}
    )
    connection.execute("set enable_progress_bar = false")
    stop_on_interrupt(connection)
    return connection
