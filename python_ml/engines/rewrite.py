"""A DuckDB file written anew, for who removes a person from it or replaces tables in it."""

from __future__ import annotations

from pathlib import Path

from python_ml.duckdb_connection import open_duckdb
from python_ml.engines.sql import identifier, literal, say_where_the_lake_is


def write_anew(database: Path) -> None:
    """Write a DuckDB file anew, without the blocks that tables had which are no more."""
    fresh = database.with_name(f".{database.name}.tmp")
    fresh.unlink(missing_ok=True)
    with open_duckdb(database) as connection:
        (catalog,) = connection.execute("select current_database()").fetchone() or ("",)
        for lake in [above / "lake" for above in database.parents if (above / "lake").is_dir()][:1]:
            connection.execute(say_where_the_lake_is(lake))
        # Views name the catalog that they were made in, which is the name of this very file.
        connection.execute(f"attach {literal(fresh)} as fresh")
        connection.execute(f"copy from database {identifier(catalog)} to fresh")
        connection.execute("detach fresh")
    fresh.replace(database)
    database.with_name(f"{database.name}.wal").unlink(missing_ok=True)
