"""Questions that infra/smoke_athena.sh asks a deployment, after one run of it.

`python -m tests.athena.smoke check` prints a line an answer and ends with 1 if one is wrong;
`clean` removes the databases, objects and work group that the smoke test made.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import boto3

from python_ml.engines.athena_publication import Publication
from python_ml.engines.location import bucket_and_prefix
from python_ml.settings import AthenaSettings, load_settings
from tests.athena.queries import Outcome, Queries

LIMIT = 10_000_000  # the lowest that Athena takes


class Smoke:
    """Statements in the databases that the settings name."""

    def __init__(self, athena: AthenaSettings) -> None:
        self.athena = athena
        self.raw = f"{athena.schema}_raw"
        self.client: Any = boto3.client("athena", region_name=athena.region)
        output = f"{athena.staging.rstrip('/')}/smoke/"
        self._queries = Queries(self.client, athena.schema, output)

    def run(self, sql: str, work_group: str | None = None) -> Outcome:
        group = work_group or self.athena.work_group
        return self._queries.run(sql, WorkGroup=group)

    def succeed(self, *statements: str) -> Outcome:
        """Run statements in order; returns how the last one ended.

        Raises:
            AssertionError: one failed.
        """
        for sql in statements:
            outcome = self.run(sql)
            assert outcome.state == "SUCCEEDED", f"{outcome.reason}\n{sql}"
        return outcome


def published_tables_answer(smoke: Smoke) -> str:
    run = Publication(smoke.athena).published_run()
    rows = smoke.succeed("select run_id, customer_count from mart_overview").rows[1:]
    assert [row[0] for row in rows] == [run], f"{rows} of run {run}"
    return f"run {run}, {rows[0][1]} customers"


def a_month_is_projected_and_scanned_alone(smoke: Smoke) -> str:
    table = f"{smoke.raw}.consumption_hourly"
    sql = f"select sum(consumption_elec_kwh) as kwh, count(*) as hours from {table}"
    months = smoke.succeed(f"select distinct month from {table} order by month").rows[1:]
    assert len(months) >= 2, "projection found no months; look at the table's properties"
    whole = smoke.succeed(sql).execution["Statistics"]["DataScannedInBytes"]
    one = smoke.succeed(f"{sql} where month = '{months[0][0]}'")
    scanned = one.execution["Statistics"]["DataScannedInBytes"]
    assert 0 < scanned < 1.5 * whole / len(months), f"{scanned} of {whole} bytes"
    return f"{scanned:,} of {whole:,} bytes, {len(months)} months"


def merge_into_iceberg_updates_inserts_and_deletes(smoke: Smoke) -> str:
    place = f"{smoke.athena.data.rstrip('/')}/smoke_merge"
    name = f'"awsdatacatalog"."{smoke.athena.schema}"."smoke_merge"'
    smoke.succeed(
        f"create table {name} with (table_type='iceberg', is_external=false, location='{place}', "
        "format='parquet') as select 1 as id, 'a' as text, false as is_gone "
        "union all select 2, 'b', false",
        f"merge into {name} as target using (select 1 as id, 'A' as text, false as is_gone union "
        "all select 2, 'b', true union all select 3, 'c', false) as src on (target.id = src.id) "
        "when matched and src.is_gone then delete when matched then update set text = src.text "
        "when not matched then insert (id, text, is_gone) values (src.id, src.text, src.is_gone)",
    )
    rows = smoke.succeed("select id, text from smoke_merge order by id").rows[1:]
    assert rows == [["1", "A"], ["3", "c"]], str(rows)
    return "one row updated, one deleted, one inserted"


def timestamps_of_three_digits_are_refused_in_iceberg(smoke: Smoke) -> str:
    """Later engines coerce them; a change here means that models may have to say less."""
    place = f"{smoke.athena.data.rstrip('/')}/smoke_timestamp"
    outcome = smoke.run(
        f'create table "awsdatacatalog"."{smoke.athena.schema}"."smoke_timestamp" with '
        f"(table_type='iceberg', is_external=false, location='{place}', format='parquet') as "
        "select cast(timestamp '2024-01-01 00:00:00' as timestamp(3)) as a"
    )
    assert outcome.state == "FAILED", "it was accepted"
    return outcome.reason.split("\n")[0][:100]


def hive_ddl_is_parsed(smoke: Smoke) -> str:
    name = f"`{smoke.athena.schema}`.`smoke_ddl`"
    place = f"{smoke.athena.lake.rstrip('/')}/smoke_ddl/"
    smoke.succeed(
        f"create external table {name} (`a` int, `b` string) partitioned by (`month` string) "
        f"stored as parquet location '{place}' tblproperties ('projection.enabled' = 'true', "
        "'projection.month.type' = 'date', 'projection.month.format' = 'yyyy-MM', "
        "'projection.month.range' = '2023-01,NOW+1YEARS')",
        f"alter table {name} replace columns (`a` int, `b` string, `c` double)",
        f"alter table {name} set location '{place}moved/'",
        f"alter table {name} set tblproperties ('classification' = 'parquet')",
        "select * from smoke_ddl",
        f"drop table {name}",
    )
    return "create, replace columns, set location, set tblproperties, drop"


def a_query_beyond_the_byte_limit_is_cancelled(smoke: Smoke) -> str:
    """In a work group with the lowest limit that there is, so that it costs next to nothing."""
    group = smoke.athena.schema
    smoke.client.create_work_group(
        Name=group,
        Configuration={
            "ResultConfiguration": {"OutputLocation": f"{smoke.athena.staging}/smoke/"},
            "EnforceWorkGroupConfiguration": False,
            "BytesScannedCutoffPerQuery": LIMIT,
        },
    )
    table = f"{smoke.raw}.consumption_hourly"
    one = smoke.succeed(f'select count("timestamp") as n, count(customer_id) as m from {table}')
    scanned = one.execution["Statistics"]["DataScannedInBytes"]
    times = 3 * LIMIT // scanned + 2
    part = f'select "timestamp" as t, customer_id as c from {table}'
    many = f"select count(t) as n, max(c) as m from ({' union all '.join([part] * times)}) as many"
    outcome = smoke.run(many, group)
    assert outcome.state == "CANCELLED", f"{outcome.state}: {outcome.reason}"
    return outcome.reason


CHECKS: list[Callable[[Smoke], str]] = [
    published_tables_answer,
    a_month_is_projected_and_scanned_alone,
    merge_into_iceberg_updates_inserts_and_deletes,
    timestamps_of_three_digits_are_refused_in_iceberg,
    hive_ddl_is_parsed,
    a_query_beyond_the_byte_limit_is_cancelled,
]


def check(athena: AthenaSettings) -> int:
    """Ask everything; returns how many answers were wrong."""
    smoke, wrong = Smoke(athena), 0
    for question in CHECKS:
        began = time.monotonic()
        try:
            mark, told = "✓", question(smoke)
        except Exception as error:  # the other questions are asked all the same
            mark, told, wrong = "✗", str(error), wrong + 1
        seconds = time.monotonic() - began
        print(f"{mark} {question.__name__.replace('_', ' ')}: {told} ({seconds:.1f} s)", flush=True)
    return wrong


def clean(athena: AthenaSettings) -> int:
    """Remove what carries the smoke test's name."""
    if "smoke_" not in athena.schema:
        print(f"{athena.schema} is not a smoke test's; nothing is removed", file=sys.stderr)
        return 1
    glue: Any = boto3.client("glue", region_name=athena.region)
    pages = glue.get_paginator("get_databases").paginate()
    for name in [entry["Name"] for page in pages for entry in page["DatabaseList"]]:
        if name.startswith(athena.schema):
            glue.delete_database(Name=name)
    s3: Any = boto3.client("s3", region_name=athena.region)
    for location in (athena.lake, athena.data, athena.staging):
        bucket, prefix = bucket_and_prefix(location)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            if keys := [{"Key": entry["Key"]} for entry in page.get("Contents", [])]:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
    client: Any = boto3.client("athena", region_name=athena.region)
    groups = client.list_work_groups(MaxResults=50)["WorkGroups"]
    if athena.schema in [group["Name"] for group in groups]:
        client.delete_work_group(WorkGroup=athena.schema, RecursiveDeleteOption=True)
    return 0


def main(action: str) -> int:
    return {"check": check, "clean": clean}[action](load_settings().athena)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
