"""A fake Metabase to try `spanishgas dashboards` on: `python -m tests.dashboards.fake --home data`.

It starts blank and forgets everything when it ends. Queries run on the published warehouse.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import duckdb
import sqlglot

from tests.dashboards.fake import FakeMetabase, create_app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("data"), help="with warehouse.duckdb")
    parser.add_argument("--port", type=int, default=3000)
    arguments = parser.parse_args()
    database = str(arguments.home / "warehouse.duckdb")

    def run(sql: str) -> tuple[list[str], list[list[Any]]]:
        with duckdb.connect(database, read_only=True) as connection:
            result = connection.execute(sqlglot.transpile(sql, read="postgres", write="duckdb")[0])
            names = [column[0] for column in result.description or []]
            return names, [[str(value) for value in row] for row in result.fetchall()]

    with duckdb.connect(database, read_only=True) as connection:
        rows = connection.execute(
            "select table_name, column_name, data_type from duckdb_columns() "
            "where table_name like 'mart_%' order by table_name, column_index"
        ).fetchall()
    marts: dict[str, list[tuple[str, str]]] = {}
    for table, column, data_type in rows:
        marts.setdefault(table, []).append((column, f"type/{data_type}"))
    fake = FakeMetabase(runner=run, warehouse={"marts": marts})
    create_app(fake).run(port=arguments.port, threaded=True)


if __name__ == "__main__":
    main()
