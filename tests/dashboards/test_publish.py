from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from python_ml.engines import Warehouse, open_warehouse
from python_ml.errors import SpanishGasError, UsageError
from python_ml.pages.marts import mart_columns
from python_ml.pages.metabase import publish as module
from python_ml.pages.metabase.publish import Published, publish
from python_ml.settings import Settings
from tests.dashboards import marts
from tests.dashboards.hostile import TEXTS
from tests.dashboards.postgres import READER, WRITER, Postgres


def load(settings: Settings) -> Published:
    with open_warehouse(settings) as warehouse:
        return publish(warehouse, settings)


def rows_in_postgres(server: Postgres, query: Any, role: Any = READER) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.connect_as(role)) as connection:
        return connection.execute(query).fetchall()


def test_every_value_of_every_mart_arrives(
    server: Postgres, settings: Settings, published: Published, home: Path
) -> None:
    assert set(published.rows) == set(mart_columns())
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        for name, columns in mart_columns().items():
            # Not a number is no value there: Postgres sorts it first, and no chart shows it.
            wanted = ", ".join(
                f"nullif({column}, 'nan'::double)" if kind == "double" else column
                for column, kind in columns.items()
            )
            there = connection.execute(f"select {wanted} from {name}").fetchall()
            here = rows_in_postgres(server, f"select {', '.join(columns)} from marts.{name}")
            assert sorted(map(repr, here)) == sorted(map(repr, there)), name


def test_texts_arrive_whatever_they_contain(
    server: Postgres, settings: Settings, tmp_path: Path
) -> None:
    marts.build(tmp_path / "warehouse.duckdb", TEXTS, rows=2 * len(TEXTS))
    load(settings.with_overrides({"home": str(tmp_path), "marts.schema": "hostile"}))
    found = rows_in_postgres(server, "select distinct province from hostile.mart_customer_risk")
    wanted = {text.replace("\0", "␀") for text in TEXTS}  # Postgres cannot hold NUL
    assert {text for (text,) in found if text} == wanted


def test_types_are_those_of_the_contract(server: Postgres, published: Published) -> None:
    found = rows_in_postgres(
        server,
        "select table_name, column_name, data_type from information_schema.columns "
        "where table_schema = 'marts'",
    )
    names = {"text": "varchar", "double precision": "double"}
    names["timestamp without time zone"] = "timestamp"
    types = {(table, column): names.get(kind, kind) for table, column, kind in found}
    assert types == {
        (name, column): data_type
        for name, columns in mart_columns().items()
        for column, data_type in columns.items()
    }


def test_readers_see_the_marts_of_one_run_only(
    server: Postgres, settings: Settings, home: Path, published: Published
) -> None:
    """While it is loaded again and again, two marts are never of two runs, and never missing."""
    database = str(home / "warehouse.duckdb")

    def run(number: Any) -> None:
        with duckdb.connect(database) as connection:
            for mart in ("mart_customer_risk", "mart_recommendation"):
                connection.execute(f"update {mart} set run_id = 'run-{number}'")
        load(settings)

    def read() -> None:
        with psycopg.connect(server.connect_as(READER), autocommit=True) as connection:
            while not stop.is_set():
                seen.extend(connection.execute(query).fetchall())

    seen: list[tuple[Any, ...]] = []
    stop = threading.Event()
    query = (
        "select (select max(run_id) from marts.mart_customer_risk), "
        "(select max(run_id) from marts.mart_recommendation)"
    )
    run(0)
    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(1, 4):
            run(number)
    finally:
        stop.set()
        reader.join()
    assert {first for first, _ in seen} == {f"run-{number}" for number in range(4)}
    assert all(risk == recommendation for risk, recommendation in seen)


def test_a_failure_leaves_what_was_published(
    server: Postgres, settings: Settings, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows_in_postgres(server, "select count(*), max(run_id) from marts.mart_customer_risk")
    loaded = []

    def fail_late(warehouse: Warehouse, name: str, columns: Any) -> Any:
        loaded.append(name)
        if len(loaded) == len(mart_columns()):
            raise SpanishGasError("the warehouse went away")
        return read(warehouse, name, columns)

    read = module._read
    monkeypatch.setattr(module, "_read", fail_late)
    with pytest.raises(SpanishGasError, match="went away"):
        load(settings)
    query = "select count(*), max(run_id) from marts.mart_customer_risk"
    assert rows_in_postgres(server, query) == before
    leftovers = "select tablename from pg_tables where tablename like 'next%'"
    assert rows_in_postgres(server, leftovers) == []


def test_what_people_built_on_a_mart_is_not_dropped(
    server: Postgres, settings: Settings, published: Published
) -> None:
    with psycopg.connect(server.connect_as(WRITER)) as connection:
        connection.execute("create view marts.mine as select * from marts.mart_overview")
    try:
        with pytest.raises(SpanishGasError, match=r"mart_overview.*mine"):
            load(settings)
    finally:
        with psycopg.connect(server.connect_as(WRITER)) as connection:
            connection.execute("drop view marts.mine")
    load(settings)


def test_a_mart_that_is_no_more_goes(
    server: Postgres, settings: Settings, published: Published
) -> None:
    with psycopg.connect(server.connect_as(WRITER)) as connection:
        connection.execute("create table marts.mart_of_old as select 1 as one")
    load(settings)
    query = "select count(*) from pg_tables where tablename = 'mart_of_old'"
    assert rows_in_postgres(server, query) == [(0,)]


def test_the_reader_can_only_read(server: Postgres, published: Published) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        rows_in_postgres(server, "delete from marts.mart_overview returning 1")


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"marts.port": 1}, SpanishGasError, "marts on 127.0.0.1:1"),
        ({"marts.reader": "nobody_here"}, SpanishGasError, "nobody_here.*marts.reader"),
    ],
)
def test_errors_say_where_and_what_to_do(
    settings: Settings, changes: Any, error: Any, says: str
) -> None:
    with pytest.raises(error, match=says):
        load(settings.with_overrides(changes))


def test_no_password_is_a_usage_error(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPANISHGAS_MARTS_PASSWORD")
    with pytest.raises(UsageError, match="SPANISHGAS_MARTS_PASSWORD"):
        load(settings)
