"""The local Athena itself: every operation, every kind of statement, every refusal."""

from __future__ import annotations

import io
from collections.abc import Callable

import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from tests.athena.local import projection
from tests.athena.local.server import LocalAthena
from tests.athena.local.strict import MAX_QUERY_BYTES
from tests.athena.project import BUCKET
from tests.athena.queries import Queries

DATABASE = "test_local_athena"


def location(name: str) -> str:
    return f"s3://{BUCKET}/tables/{name}"


def hive_table(name: str, query: str, **properties: str) -> str:
    """A CTAS as dbt's adapter writes it."""
    extra = "".join(f"{key}={value}, " for key, value in properties.items())
    return (
        f'create table "awsdatacatalog"."{DATABASE}"."{name}" with (table_type=\'hive\', '
        f"is_external=true, external_location='{location(name)}', {extra}format='parquet') "
        f"as {query}"
    )


def iceberg_table(name: str, query: str, **properties: str) -> str:
    extra = "".join(f"{key}={value}, " for key, value in properties.items())
    return (
        f'create table "awsdatacatalog"."{DATABASE}"."{name}" with (table_type=\'iceberg\', '
        f"is_external=false, location='{location(name)}', {extra}format='parquet') as {query}"
    )


def succeed(queries: Queries, *statements: str) -> None:
    for statement in statements:
        outcome = queries.run(statement)
        assert outcome.state == "SUCCEEDED", f"{outcome.reason}\n{statement}"


def glue_columns(athena: LocalAthena, table: str) -> list[tuple[str, str]]:
    found = athena.client("glue").get_table(DatabaseName=DATABASE, Name=table)["Table"]
    return [(column["Name"], column["Type"]) for column in found["StorageDescriptor"]["Columns"]]


def test_months_of_a_projection() -> None:
    assert projection.months("2023-11", "2024-02") == ["2023-11", "2023-12", "2024-01", "2024-02"]
    assert len(projection.months("NOW-1YEARS", "NOW")) == 13
    assert len(projection.months("NOW", "NOW + 2MONTHS")) == 3


def test_it_is_ready_within_two_minutes(athena: LocalAthena) -> None:
    assert 0 < athena.start_seconds < 120


class TestResults:
    def test_types_values_and_nulls_are_athenas(self, queries: Queries) -> None:
        outcome = queries.run(
            "select 1 as a, cast(2 as bigint) as b, 0.5e0 as c, 'x' as d, true as e, "
            "date '2024-01-31' as f, timestamp '2024-01-31 01:02:03.004' as g, "
            "cast(1.25 as decimal(9, 2)) as h, array[1, null] as i, "
            "map(array['k'], array[2]) as j, cast(row(1, 'y') as row(p integer, q varchar)) as k, "
            "cast(null as varchar) as l, cast(0.5 as real) as m, to_utf8('az') as n"
        )
        assert outcome.columns == [
            *(("a", "integer"), ("b", "bigint"), ("c", "double"), ("d", "varchar")),
            *(("e", "boolean"), ("f", "date"), ("g", "timestamp"), ("h", "decimal")),
            *(("i", "array"), ("j", "map"), ("k", "row"), ("l", "varchar")),
            *(("m", "float"), ("n", "varbinary")),
        ]
        assert outcome.rows == [
            list("abcdefghijklmn"),
            [
                *("1", "2", "0.5", "x", "true", "2024-01-31", "2024-01-31 01:02:03.004", "1.25"),
                *("[1, null]", "{k=2}", "{p=1, q=y}", None, "0.5", "61 7a"),
            ],
        ]

    def test_pages_hold_a_thousand_rows_header_included(self, queries: Queries) -> None:
        sql = "select n from unnest(sequence(1, 1500)) as t (n) order by n"
        outcome = queries.run(sql)
        assert [row[0] for row in outcome.rows] == ["n", *map(str, range(1, 1501))]
        first = queries.client.get_query_results(QueryExecutionId=outcome.query_id)
        assert len(first["ResultSet"]["Rows"]) == 1000
        assert first["NextToken"]

    def test_the_result_file_is_where_the_execution_says(
        self, athena: LocalAthena, queries: Queries
    ) -> None:
        outcome = queries.run("select 1 as a, cast(null as varchar) as b, 'x\"y' as c")
        place = outcome.execution["ResultConfiguration"]["OutputLocation"]
        assert place == f"s3://{BUCKET}/results/{outcome.query_id}.csv"
        body = athena.client("s3").get_object(Bucket=BUCKET, Key=place.split("/", 3)[3])["Body"]
        assert body.read().decode() == '"a","b","c"\n"1",,"x""y"\n'

    def test_statement_types(self, queries: Queries) -> None:
        kinds = {}
        for sql in ("select 1", "explain select 1", "show tables", "create schema `other`"):
            execution = queries.run(f"-- note\n{sql};").execution
            kinds[sql] = (execution["StatementType"], execution["SubstatementType"])
        assert list(kinds.values()) == [
            *(("DML", "SELECT"), ("DML", "EXPLAIN"), ("UTILITY", "SHOW")),
            ("DDL", "CREATE_DATABASE"),
        ]


class TestOperations:
    def test_a_query_can_be_stopped(self, queries: Queries) -> None:
        endless = (
            "select count(*) from unnest(sequence(1, 10000)) a (x), "
            "unnest(sequence(1, 10000)) b (y), unnest(sequence(1, 10000)) c (z) where x + y = z"
        )
        query_id = queries.start(endless)
        queries.client.stop_query_execution(QueryExecutionId=query_id)
        assert queries.finish(query_id).state == "CANCELLED"

    def test_a_work_group_limits_the_bytes_of_a_query(self, queries: Queries) -> None:
        query = (
            "select rand() as n from unnest(sequence(1, 1500)) as a (x) "
            "cross join unnest(sequence(1, 1000)) as b (y)"
        )
        succeed(queries, hive_table("wide", query))
        queries.client.create_work_group(
            Name="small",
            Configuration={
                "ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/small/"},
                "EnforceWorkGroupConfiguration": True,
                "BytesScannedCutoffPerQuery": 10_000_000,  # the least that AWS takes
            },
        )
        assert queries.run("select 1 as a", WorkGroup="small").state == "SUCCEEDED"
        outcome = queries.run("select sum(n) as a from wide", WorkGroup="small")
        assert outcome.state == "CANCELLED"
        assert "Bytes scanned limit was exceeded" in outcome.reason
        place = outcome.execution["ResultConfiguration"]["OutputLocation"]
        assert place.startswith(f"s3://{BUCKET}/small/")

    def test_an_unknown_work_group_and_a_missing_output_are_refused(self, queries: Queries) -> None:
        with pytest.raises(ClientError, match="WorkGroup absent is not found"):
            queries.start("select 1", WorkGroup="absent")
        with pytest.raises(ClientError, match="No output location provided"):
            queries.client.start_query_execution(QueryString="select 1")

    def test_statistics_lists_and_catalog(self, queries: Queries) -> None:
        succeed(queries, hive_table("counted", "select 1 as a"))
        outcome = queries.run("select * from counted")
        assert outcome.execution["Statistics"]["DataScannedInBytes"] > 0
        runtime = queries.client.get_query_runtime_statistics(QueryExecutionId=outcome.query_id)
        assert runtime["QueryRuntimeStatistics"]["Rows"]["OutputRows"] == 1
        listed = queries.client.list_query_executions()["QueryExecutionIds"]
        assert listed[0] == outcome.query_id
        batch = queries.client.batch_get_query_execution(
            QueryExecutionIds=[outcome.query_id, "absent"]
        )
        assert len(batch["QueryExecutions"]) == len(batch["UnprocessedQueryExecutionIds"]) == 1
        catalog = queries.client.get_data_catalog(Name="awsdatacatalog")["DataCatalog"]
        assert catalog["Type"] == "GLUE"

    def test_a_result_cannot_be_read_before_success(self, queries: Queries) -> None:
        outcome = queries.run("select absent")
        with pytest.raises(ClientError, match="Current state: FAILED"):
            queries.client.get_query_results(QueryExecutionId=outcome.query_id)
        with pytest.raises(ClientError, match="was not found"):
            queries.client.get_query_execution(QueryExecutionId="absent")

    def test_identity_and_manifest_table(self, athena: LocalAthena) -> None:
        assert athena.client("sts").get_caller_identity()["Account"]
        dynamodb = athena.client("dynamodb")
        dynamodb.create_table(
            TableName="runs",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        item = {"id": {"S": "r"}}
        once = {"TableName": "runs", "ConditionExpression": "attribute_not_exists(id)"}
        dynamodb.put_item(Item=item, **once)
        with pytest.raises(ClientError, match="ConditionalCheckFailed"):
            dynamodb.put_item(Item=item, **once)


class TestTables:
    def test_hive_table_partitions_and_insert(self, athena: LocalAthena, queries: Queries) -> None:
        query = "select n as a, n % 3 as p from unnest(sequence(1, 9)) as t (n)"
        succeed(
            queries,
            hive_table("parts", query, partitioned_by="ARRAY['p']"),
            f"insert into {DATABASE}.parts (a, p) (select 10, 7)",
            f"alter table `{DATABASE}`.`parts` set tblproperties ('classification'='parquet')",
        )
        assert queries.rows("select p, sum(a) from parts group by p order by p") == [
            *(["0", "18"], ["1", "12"], ["2", "15"], ["7", "10"])
        ]
        glue = athena.client("glue")
        assert len(glue.get_partitions(DatabaseName=DATABASE, TableName="parts")["Partitions"]) == 4
        table = glue.get_table(DatabaseName=DATABASE, Name="parts")["Table"]
        assert table["Parameters"]["classification"] == "parquet"

    def test_iceberg_table_merge_rename_and_maintenance(
        self, athena: LocalAthena, queries: Queries
    ) -> None:
        succeed(
            queries,
            iceberg_table(
                "merged",
                "select 1 as a, 'x' as b, date '2024-01-01' as c",
                partitioning="ARRAY['c']",
            ),
            f'merge into "awsdatacatalog"."{DATABASE}"."merged" as target using (select 1 as a, '
            "'y' as b, date '2024-01-01' as c union all select 2, 'z', date '2024-02-01') as src "
            "on (target.a = src.a) when matched then update set b = src.b "
            "when not matched then insert (a, b, c) values (src.a, src.b, src.c)",
            f"alter table `{DATABASE}`.`merged` rename to `{DATABASE}`.`renamed`",
            f"optimize {DATABASE}.renamed rewrite data using bin_pack",
            f"vacuum {DATABASE}.renamed",
        )
        assert queries.rows("select a, b from renamed order by a") == [["1", "y"], ["2", "z"]]
        assert glue_columns(athena, "renamed") == [("a", "int"), ("b", "string"), ("c", "date")]
        assert queries.run("select * from merged").state == "FAILED"

    def test_view_has_real_columns(self, athena: LocalAthena, queries: Queries) -> None:
        for factor in (1, 2):
            succeed(
                queries,
                hive_table(f"base{factor}", "select 1 as a, cast(1.5 as decimal(5, 1)) as b"),
                f"create or replace view {DATABASE}.seen as select a * {factor} as a, b, "
                f"'x' as c, current_date as d from base{factor}",
            )
            assert queries.rows("select a, b, c from seen") == [[str(factor), "1.5", "x"]]
        assert glue_columns(athena, "seen") == [
            *(("a", "int"), ("b", "decimal(5,1)"), ("c", "string"), ("d", "date"))
        ]

    def test_seed_as_the_adapter_loads_it(self, athena: LocalAthena, queries: Queries) -> None:
        body = b'code,text\n1,"a, ""b"""\n2,\n'
        athena.client("s3").put_object(Bucket=BUCKET, Key="seeds/s/s.csv", Body=body)
        succeed(
            queries,
            f"create external table `{DATABASE}`.`seed` (`code` string, `text` string) "
            "row format serde 'org.apache.hadoop.hive.serde2.OpenCSVSerde' "
            f"location 's3://{BUCKET}/seeds/s/' tblproperties ('skip.header.line.count'='1')",
        )
        assert queries.rows("select * from seed") == [["1", 'a, "b"'], ["2", ""]]

    def test_partition_projection_needs_no_partition_in_the_catalog(
        self, athena: LocalAthena, queries: Queries
    ) -> None:
        succeed(
            queries,
            hive_table("january", "select 1 as a"),
            hive_table("february", "select 2 as a"),
        )
        s3 = athena.client("s3")
        for month, name in (("2024-01", "january"), ("2024-02", "february")):
            key = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"tables/{name}/")["Contents"][0]["Key"]
            source = {"Bucket": BUCKET, "Key": key}
            s3.copy_object(
                Bucket=BUCKET, Key=f"landed/t/month={month}/part-0.parquet", CopySource=source
            )
        succeed(
            queries,
            f"create external table `{DATABASE}`.`projected` (`a` int) "
            f"partitioned by (`month` string) stored as parquet "
            f"location 's3://{BUCKET}/landed/t/' tblproperties ('projection.enabled'='true', "
            "'projection.month.type'='date', 'projection.month.format'='yyyy-MM', "
            "'projection.month.range'='2023-12,NOW+1YEARS')",
        )
        assert queries.rows("select month, a from projected order by month") == [
            *(["2024-01", "1"], ["2024-02", "2"])
        ]
        whole = queries.run("select sum(a) as s from projected").execution["Statistics"]
        one = queries.run("select sum(a) as s from projected where month = '2024-02'")
        assert one.rows[1] == ["2"]
        scanned = one.execution["Statistics"]["DataScannedInBytes"]
        assert 0 < scanned < whole["DataScannedInBytes"]

    def test_unload_writes_parquet(self, athena: LocalAthena, queries: Queries) -> None:
        succeed(
            queries,
            "unload (select count(case when 2 > 1 then 1 end) as a, 'x' as b) "
            f"to '{location('unloaded')}/' "
            "with (format = 'PARQUET', compression = 'SNAPPY')",
        )
        s3 = athena.client("s3")
        keys = s3.list_objects_v2(Bucket=BUCKET, Prefix="tables/unloaded/")["Contents"]
        assert len(keys) == 1
        body = s3.get_object(Bucket=BUCKET, Key=keys[0]["Key"])["Body"].read()
        assert pq.read_table(io.BytesIO(body)).to_pylist() == [{"a": 1, "b": "x"}]

    def test_hive_ddl_changes_the_catalog(self, athena: LocalAthena, queries: Queries) -> None:
        name = f"`{DATABASE}`.`changing`"
        succeed(
            queries,
            f"create external table if not exists {name} (`a` int, `b` struct<c:int,d:string>) "
            f"partitioned by (`p` string) stored as parquet location '{location('changing')}'",
            f"alter table {name} add columns (`e` double)",
            f"alter table {name} change column `a` `a` bigint",
            f"alter table {name} add if not exists partition (`p`='x')",
        )
        expected = [("a", "bigint"), ("b", "struct<c:int,d:string>"), ("e", "double")]
        assert glue_columns(athena, "changing") == expected
        glue = athena.client("glue")
        partitions = glue.get_partitions(DatabaseName=DATABASE, TableName="changing")["Partitions"]
        assert [p["Values"] for p in partitions] == [["x"]]
        succeed(
            queries,
            f"alter table {name} replace columns (`z` string)",
            f"alter table {name} drop partition (`p`='x')",
        )
        assert glue_columns(athena, "changing") == [("z", "string")]
        succeed(queries, f"drop table {name}", f"drop table if exists {name}")
        assert queries.run(f"drop table {name}").state == "FAILED"


# What must fail on Athena, and how it says so.
REFUSED = {
    "timestamp(3) into Iceberg": (
        iceberg_table("r1", "select cast(timestamp '2024-01-01 00:00:00' as timestamp(3)) as a"),
        "NOT_SUPPORTED: Timestamp precision (3) not supported for Iceberg",
    ),
    "timestamp(6) into Hive": (
        hive_table("r2", "select cast(timestamp '2024-01-01 00:00:00' as timestamp(6)) as a"),
        "NOT_SUPPORTED: Incorrect timestamp precision",
    ),
    "a DuckDB-only function": ("select regexp_matches('a', 'b')", "FUNCTION_NOT_FOUND"),
    "sum of booleans": ("select sum(a) from (values true, false) as t (a)", "FUNCTION_NOT_FOUND"),
    "a lateral alias": ("select 1 as a, a + 1 as b", "COLUMN_NOT_FOUND"),
    "group by an alias": ("select 1 + n as a from (values 1) as t (n) group by a", "COLUMN_NOT"),
    "QUALIFY": (
        "select n from (values 1) as t (n) qualify row_number() over (order by n) = 1",
        "SYNTAX_ERROR",
    ),
    "two statements": ("select 1; select 2", "only one statement"),
    "an unknown property": (hive_table("r3", "select 1 as a", sorted_by="'x'"), "SYNTAX_ERROR"),
    "a Hive property on Iceberg": (
        iceberg_table("r4", "select 1 as a", partitioned_by="ARRAY['a']"),
        "INVALID_TABLE_PROPERTY",
    ),
    "101 partitions in one write to Hive": (
        hive_table(
            "r5",
            "select n as a, n as p from unnest(sequence(1, 101)) as t (n)",
            partitioned_by="ARRAY['p']",
        ),
        "HIVE_TOO_MANY_OPEN_PARTITIONS",
    ),
    "101 partitions in one write to Iceberg": (
        iceberg_table(
            "r6",
            "select n as a, n as p from unnest(sequence(1, 101)) as t (n)",
            partitioning="ARRAY['p']",
        ),
        "ICEBERG_TOO_MANY_OPEN_PARTITIONS",
    ),
    "double quotes in Hive DDL": ('drop table "x"', "mismatched input"),
    "integer as a Hive type": (
        f"create external table `x` (`a` integer) location '{location('r7')}'",
        "ParseException",
    ),
    "renaming a Hive table": (f"alter table `{DATABASE}`.`h` rename to `i`", "FAILED"),
    "Trino's own DDL": ("create table x (a integer)", "ParseException"),
    "SET SESSION": ("set session a = 1", "not supported"),
}


class TestRefusals:
    @pytest.mark.parametrize("what", list(REFUSED))
    def test_it_fails_and_says_why(self, queries: Queries, what: str) -> None:
        sql, message = REFUSED[what]
        outcome = queries.run(sql)
        assert outcome.state == "FAILED", what
        assert message in outcome.reason
        error = outcome.execution["Status"]["AthenaError"]
        assert error["ErrorMessage"] == outcome.reason
        assert (error["ErrorType"] == 233) == outcome.reason.startswith("ICEBERG_")

    def test_the_hundredth_partition_is_allowed(self, queries: Queries) -> None:
        query = "select n as a, n as p from unnest(sequence(1, 100)) as t (n)"
        succeed(queries, hive_table("hundred", query, partitioned_by="ARRAY['p']"))

    def test_integer_division_truncates(self, queries: Queries) -> None:
        assert queries.rows("select 1 / 2, cast(1 as double) / 2") == [["0", "0.5"]]

    def test_query_text_is_limited(self, queries: Queries) -> None:
        longest = "select 1".ljust(MAX_QUERY_BYTES)
        assert queries.run(longest).state == "SUCCEEDED"
        with pytest.raises(ClientError, match=r"InvalidRequestException.*262144"):
            queries.start(longest + " ")

    @pytest.mark.parametrize("create", [hive_table, iceberg_table])
    def test_a_path_that_holds_files_is_refused(
        self, athena: LocalAthena, queries: Queries, create: Callable[[str, str], str]
    ) -> None:
        athena.client("s3").put_object(Bucket=BUCKET, Key="tables/full/x", Body=b"x")
        outcome = queries.run(create("full", "select 1 as a"))
        assert "HIVE_PATH_ALREADY_EXISTS" in outcome.reason
        unload = f"unload (select 1 as a) to '{location('full')}' with (format='PARQUET')"
        assert "HIVE_PATH_ALREADY_EXISTS" in queries.run(unload).reason

    @pytest.mark.parametrize("create", [hive_table, iceberg_table])
    def test_a_statement_that_fails_half_way_leaves_nothing_behind(
        self, queries: Queries, create: Callable[[str, str], str]
    ) -> None:
        kind = create.__name__
        succeed(queries, create(f"kept_{kind}", "select 1 as a"))
        # The rows of the first pages are written before the division fails.
        breaking = (
            "select 1 / (200 * 1000 - x * y) as a from unnest(sequence(1, 200)) as t (x) "
            "cross join unnest(sequence(1, 1000)) as u (y)"
        )
        outcome = queries.run(create(f"broken_{kind}", breaking))
        assert "DIVISION_BY_ZERO" in outcome.reason
        inserting = queries.run(f"insert into {DATABASE}.kept_{kind} ({breaking})")
        assert "DIVISION_BY_ZERO" in inserting.reason
        assert queries.rows(f"select a from kept_{kind}") == [["1"]]
        assert "TABLE_NOT_FOUND" in queries.run(f"select a from broken_{kind}").reason


def test_what_was_used_is_recorded(athena: LocalAthena, queries: Queries) -> None:
    succeed(queries, hive_table("recorded", "select 1 as a"))
    project, _, rest = athena.recorder.report().partition("used by the query engine:")
    engine, _, forms = rest.partition("Forms of SQL:")
    assert "athena:StartQueryExecution" in project
    assert "glue:CreateTable" in engine
    assert "create table with (external_location, format, is_external, table_type)" in forms
