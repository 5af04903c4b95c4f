"""A warehouse whose marts have the columns of their contracts, and values made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

from python_ml.pages.marts import mart_columns

ROWS = 60
# What text can hold; some values are those that cards look for.
TEXTS = ("Critical", "High", "SME", "Residential", "", 'a "quoted", text', "two\nlines", "ñ€")
VALUES: dict[str, Callable[[int], str]] = {
    "varchar": lambda k: f"$texts[1 + (i + {k}) % len($texts)]",
    "integer": lambda k: f"(i + {k})::integer",
    "bigint": lambda k: f"(i * 1000003 + {k})::bigint",
    "double": lambda k: f"case when i % 11 = 0 then 'nan'::double else (i * 0.37 + {k}) % 1 end",
    "boolean": lambda k: f"(i + {k}) % 2 = 0",
    "date": lambda k: f"date '2024-12-31' - (i + {k})::integer",
    "timestamp": lambda k: f"timestamp '2024-12-31 23:59:59.123456' - to_hours((i + {k})::integer)",
}


def build(database: Path, texts: Sequence[str] = TEXTS, rows: int = ROWS) -> None:
    """Every mart, with nulls in every column but the keys, and each text in every text column."""
    with duckdb.connect(str(database)) as connection:
        for name, columns in mart_columns().items():
            values = ", ".join(
                f"{_value(column, data_type, k)} as {column}"
                for k, (column, data_type) in enumerate(columns.items())
            )
            made = f"create table {name} as select {values} from range({rows}) as t(i)"
            connection.execute(made, {"texts": list(texts)} if "$texts" in made else None)


def _value(column: str, data_type: str, k: int) -> str:
    if column == "customer_id":
        return "format('C{:05d}', i + 1)"
    return f"case when (i + {k}) % 7 = 3 then null else {VALUES[data_type](k)} end"
