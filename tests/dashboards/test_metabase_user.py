"""Metabase's own user of its database, made in a real Postgres before Metabase starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import psycopg
import pytest

from python_ml.aws.metabase_user import make_user
from python_ml.errors import SpanishGasError, UsageError
from tests.dashboards.postgres import Postgres

ADMINISTRATOR = "create role administrator login password 'of-rds' createrole createdb"


@pytest.fixture
def variables(server: Postgres) -> Iterator[Mapping[str, str]]:
    """A database as RDS makes it: its administrator owns it and is no superuser."""
    with server.superuser() as connection:
        for statement in (ADMINISTRATOR, "create database own owner administrator"):
            connection.execute(statement)
    yield {
        "MB_DB_HOST": "127.0.0.1",
        "MB_DB_PORT": str(server.port),
        "MB_DB_DBNAME": "own",
        "MB_DB_USER": "metabase_app",
        "MB_DB_PASS": "it's first",
        "MB_DB_SSLMODE": "prefer",
        "MB_ADMINISTRATOR": "administrator",
        "MB_ADMINISTRATOR_PASS": "of-rds",
    }
    with server.superuser() as connection:
        connection.execute("drop database own with (force)")
        connection.execute("drop role metabase_app, administrator")


def connect(variables: Mapping[str, str], password: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host="127.0.0.1",
        port=int(variables["MB_DB_PORT"]),
        dbname="own",
        user="metabase_app",
        password=password,
    )


def test_metabase_gets_a_user_that_can_migrate_and_that_gets_a_new_password(
    variables: Mapping[str, str],
) -> None:
    make_user(variables)
    with connect(variables, "it's first") as connection:
        connection.execute("create table report_card (id int)")
        connection.execute("create extension citext")
        row = connection.execute(
            "select rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname = current_user"
        ).fetchone()
    assert row == (False, False, False)
    make_user({**variables, "MB_DB_PASS": "second"})
    with pytest.raises(psycopg.OperationalError):
        connect(variables, "it's first")
    with connect(variables, "second") as connection:
        assert connection.execute("select count(*) from report_card").fetchone() == (0,)


def test_what_is_missing_or_refused_is_said(variables: Mapping[str, str]) -> None:
    make_user(variables)
    with pytest.raises(UsageError, match="set MB_DB_PASS"):
        make_user({**variables, "MB_DB_PASS": ""})
    with pytest.raises(SpanishGasError, match="database own on 127"):
        make_user({**variables, "MB_ADMINISTRATOR_PASS": "wrong"})
