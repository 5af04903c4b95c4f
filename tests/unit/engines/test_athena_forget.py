"""The query by which an Iceberg table is built again without a person, and what lies where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import boto3
import duckdb
import pytest
import trino_sql_validator
from moto import mock_aws

from python_ml.engines.athena import AthenaWarehouse
from python_ml.engines.athena_forget import AthenaBelongings
from python_ml.engines.s3_store import S3Store
from python_ml.privacy.tombstones import Tombstones
from python_ml.settings import AthenaSettings
from tests.athena.local.statements import classify, table_creation
from tests.athena.local.strict import check_creation
from tests.unit.aws_fixture import REGION

RUN, DATABASE = "20250102T000000-abcdef", "sg_run_20250102t000000_abcdef"
GONE, SALT = "C00003", "it's salt"
OLD = "s3://lake/warehouse/sg_run_1/months/1"


@pytest.fixture
def section(monkeypatch: pytest.MonkeyPatch) -> Iterator[AthenaSettings]:
    """A published Iceberg table beside a Hive one, and the database of a run with both."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        glue = boto3.client("glue", region_name=REGION)
        iceberg: dict[str, Any] = {"Parameters": {"table_type": "ICEBERG"}}
        for database in ("sg", DATABASE):
            glue.create_database(DatabaseInput={"Name": database})
            for name, more in {"months": iceberg, "mart": {}}.items():
                place = {"StorageDescriptor": {"Location": OLD}}
                table: Any = {"Name": name, **place, **more}
                glue.create_table(DatabaseName=database, TableInput=table)
        yield AthenaSettings(
            region=REGION, schema="sg", lake="s3://lake", data="s3://lake/warehouse/"
        )


@pytest.fixture
def statement(section: AthenaSettings, monkeypatch: pytest.MonkeyPatch) -> str:
    """The one that was sent."""
    sent: list[str] = []
    monkeypatch.setattr(AthenaWarehouse, "execute", lambda _, sql: sent.append(sql))
    stones = Tombstones(S3Store(section), SALT)
    assert AthenaBelongings(section).rebuild_tables(RUN, SALT, [stones.hash_of(GONE)]) == [OLD]
    (only,) = sent
    return only


def test_athena_takes_it(statement: str) -> None:
    """As the local Athena reads it, which is as strict as AWS; and Trino's own grammar."""
    creation = table_creation(classify(statement))
    check_creation(creation)
    assert creation.is_iceberg
    assert tuple(part.strip('"') for part in creation.name[-2:]) == (DATABASE, "months")
    assert (
        creation.text("location") == f"s3://lake/warehouse/{DATABASE}/months/20250102t000000abcdef/"
    )
    plain = f"create table t as {creation.query}"
    assert trino_sql_validator.validate(plain, jinja="reject").valid, plain


def test_it_leaves_out_the_person_alone_and_does_not_name_anybody(statement: str) -> None:
    """Athena keeps the text of a query for 45 days."""
    assert GONE not in statement
    assert SALT.replace("'", "''") in statement
    condition = re.search(r"where (.+)$", statement)
    assert condition is not None
    with duckdb.connect() as connection:
        # Trino hashes bytes to bytes; DuckDB gives the digits at once.
        connection.execute("create macro to_utf8(x) as x")
        connection.execute("create macro to_hex(x) as upper(x)")
        rows = connection.execute(
            f"select customer_id from (values ('C00002'), ('{GONE}'), ('C00004')) t (customer_id) "
            f"where {condition[1]} order by 1"
        ).fetchall()
    assert rows == [("C00002",), ("C00004",)]


def test_the_run_s_entry_of_the_table_makes_room_for_the_new_one(statement: str) -> None:
    glue = boto3.client("glue", region_name=REGION)
    tables = glue.get_tables(DatabaseName=DATABASE)["TableList"]
    assert [table["Name"] for table in tables] == ["mart"]
