"""Readers see one run's tables, whole, until they see the next one's, whatever becomes of runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from python_ml.engines.athena_forget import AthenaBelongings
from python_ml.engines.athena_publication import Publication, run_database_name
from python_ml.engines.s3_store import S3Store
from python_ml.errors import SpanishGasError
from python_ml.privacy.tombstones import Tombstones
from python_ml.settings import AthenaSettings, load_settings
from tests.athena.local.server import REGION, LocalAthena
from tests.athena.project import BUCKET
from tests.athena.queries import Queries
from tests.athena.test_forget import plain

SCHEMA = "published"


@pytest.fixture
def section(athena: LocalAthena, queries: Queries) -> Iterator[AthenaSettings]:
    """Settings of a place of its own, empty."""
    before = dict(os.environ)
    os.environ.update(athena.environment)
    s3, glue = athena.client("s3"), athena.client("glue")
    for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="publish/").get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=entry["Key"])
    for database in glue.get_databases()["DatabaseList"]:
        if database["Name"].startswith(SCHEMA):
            for table in glue.get_tables(DatabaseName=database["Name"])["TableList"]:
                glue.delete_table(DatabaseName=database["Name"], Name=table["Name"])
            glue.delete_database(Name=database["Name"])
    values = {"athena.region": REGION, "athena.schema": SCHEMA}
    values["athena.work_group"] = "primary"
    for name, folder in {"lake": "lake", "data": "data", "staging": "staging"}.items():
        values[f"athena.{name}"] = f"s3://{BUCKET}/publish/{folder}"
    yield load_settings(values, environ={}).athena
    os.environ.clear()
    os.environ.update(before)


def succeed(queries: Queries, *statements: str) -> None:
    for statement in statements:
        outcome = queries.run(statement)
        assert outcome.state == "SUCCEEDED", f"{outcome.reason}\n{statement}"


def build(queries: Queries, database: str, name: str, value: str) -> None:
    """A Hive table as dbt makes it in a run's database."""
    place = f"s3://{BUCKET}/publish/data/{database}/{name}"
    succeed(
        queries,
        f'create table "awsdatacatalog"."{database}"."{name}" with (table_type=\'hive\', '
        f"is_external=true, external_location='{place}', format='parquet') "
        f"as select '{value}' as value",
    )


def seen(queries: Queries, name: str) -> str | None:
    return queries.rows(f"select max(value) from {SCHEMA}.{name}")[0][0]


def files(athena: LocalAthena, database: str) -> int:
    prefix = f"publish/data/{database}/"
    return int(athena.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)["KeyCount"])


def test_tables_are_seen_once_they_are_published(queries: Queries, section: AthenaSettings) -> None:
    publication = Publication(section)
    assert publication.published_run() is None
    for run in ("20250101T000000-a", "20250102T000000-b"):
        database = publication.begin(run)
        build(queries, database, "mart", run)
        build(queries, database, f"only_{run[-1]}", run)
        succeed(
            queries,
            f'create or replace view "{database}"."shown" as '
            f'select value from "awsdatacatalog"."{database}"."mart"',
        )
        if run.endswith("b"):
            assert seen(queries, "mart") == "20250101T000000-a"
        publication.publish(run)
        assert publication.published_run() == run
        assert seen(queries, "mart") == seen(queries, "shown") == run
    assert queries.run(f"select * from {SCHEMA}.only_a").state == "FAILED"
    assert seen(queries, "only_b") == "20250102T000000-b"


def test_a_run_that_ends_early_is_not_seen_and_is_cleared(
    athena: LocalAthena, queries: Queries, section: AthenaSettings
) -> None:
    publication = Publication(section)
    build(queries, publication.begin("1"), "mart", "first")
    publication.publish("1")
    for run in ("2", "3"):
        build(queries, publication.begin(run), "mart", "never published")
    assert publication.clear(keep=["3"]) == [run_database_name(section, "2")]
    assert files(athena, run_database_name(section, "2")) == 0
    assert publication.begin("3") == run_database_name(section, "3")
    publication.publish("3")
    assert seen(queries, "mart") == "never published"


def test_a_publication_that_is_killed_half_way_is_finished_by_the_next_command(
    queries: Queries, section: AthenaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication = Publication(section)
    database = publication.begin("1")
    for name in ("a", "b", "c"):
        build(queries, database, name, "first")
    publication.publish("1")
    database = publication.begin("2")
    for name in ("a", "b", "c"):
        build(queries, database, name, "second")
    put = Publication._put

    def killed(self: Publication, database: str, table: dict[str, Any]) -> None:
        if table["Name"] == "b":
            raise KeyboardInterrupt
        put(self, database, table)

    monkeypatch.setattr(Publication, "_put", killed)
    with pytest.raises(KeyboardInterrupt):
        publication.publish("2")
    assert seen(queries, "b") == "first"
    monkeypatch.setattr(Publication, "_put", put)
    assert Publication(section).settle() == "2"
    assert [seen(queries, name) for name in ("a", "b", "c")] == ["second"] * 3
    assert Publication(section).settle() is None


def test_a_run_may_begin_with_published_tables_and_leaves_them_alone_when_it_fails(
    athena: LocalAthena, queries: Queries, section: AthenaSettings
) -> None:
    publication = Publication(section)
    first = publication.begin("1")
    build(queries, first, "gold", "first")
    build(queries, first, "mart", "first")
    publication.publish("1")
    again = publication.begin("2", copied=lambda name: name == "gold")
    assert queries.rows(f"select value from {again}.gold") == [["first"]]
    assert queries.run(f"select value from {again}.mart").state == "FAILED"
    publication.discard("2")
    assert seen(queries, "gold") == seen(queries, "mart") == "first"


def test_files_stay_for_one_publication_more_and_then_go(
    athena: LocalAthena, queries: Queries, section: AthenaSettings
) -> None:
    publication = Publication(section)
    for run in ("1", "2", "3"):
        build(queries, publication.begin(run), "mart", run)
        publication.publish(run)
    counts = [files(athena, run_database_name(section, run)) for run in ("1", "2", "3")]
    assert counts == [0, 1, 1]
    assert seen(queries, "mart") == "3"


def test_a_run_continues_an_iceberg_table_and_readers_see_it_at_the_end(
    queries: Queries, section: AthenaSettings
) -> None:
    publication = Publication(section)
    database = publication.begin("1")
    succeed(
        queries,
        f'create table "awsdatacatalog"."{database}"."month" with (table_type=\'iceberg\', '
        f"is_external=false, location='s3://{BUCKET}/publish/data/{database}/month', "
        "format='parquet') as select 1 as id, '2024' as value",
    )
    publication.publish("1")
    for run, is_published in (("2", False), ("3", True)):
        database = publication.begin(run, copied=lambda name: name == "month")
        succeed(
            queries,
            f'merge into "awsdatacatalog"."{database}"."month" as target using '
            "(select 1 as id, '2025' as value union all select 2, '2026') as src "
            "on (target.id = src.id) when matched then update set value = src.value "
            "when not matched then insert (id, value) values (src.id, src.value)",
        )
        assert seen(queries, "month") == "2024"
        if is_published:
            publication.publish(run)
        else:
            publication.discard(run)
            assert seen(queries, "month") == "2024"
    rows = queries.rows(f"select id, value from {SCHEMA}.month order by id")
    assert rows == [["1", "2025"], ["2", "2026"]]


def test_nothing_is_published_of_a_run_that_built_nothing(section: AthenaSettings) -> None:
    publication = Publication(section)
    publication.begin("1")
    with pytest.raises(SpanishGasError, match="no tables"):
        publication.publish("1")


def test_an_iceberg_table_is_built_again_without_a_person(
    athena: LocalAthena, queries: Queries, section: AthenaSettings
) -> None:
    """A deletion would leave the row in its file, and the id in the bounds of the manifests."""
    publication = Publication(section)
    database = publication.begin("1")
    place = f"s3://{BUCKET}/publish/data/{database}/months/1/"
    succeed(
        queries,
        f'create table "{database}"."months" with (table_type=\'iceberg\', is_external=false, '
        f"location='{place}', format='parquet') as "
        "select * from (values ('C00001', 1), ('C00002', 2), ('C00003', 3)) as t (customer_id, n)",
    )
    build(queries, database, "mart", "first")
    publication.publish("1")
    assert queries.rows(f"select customer_id from {SCHEMA}.months order by 1")[0] == ["C00001"]
    publication.begin("2", lambda _: True)
    stones = Tombstones(S3Store(section), "salt")
    old = AthenaBelongings(section).rebuild_tables("2", stones.salt, [stones.hash_of("C00001")])
    assert [each.rstrip("/") for each in old] == [place.rstrip("/")]
    publication.publish("2")
    rows = queries.rows(f"select customer_id, n from {SCHEMA}.months order by 1")
    assert rows == [["C00002", "2"], ["C00003", "3"]]
    assert seen(queries, "mart") == "first"
    now = publication.iceberg_tables()["months"]
    assert not now.startswith(place)
    bucket = athena.client("s3")
    listed = bucket.list_objects_v2(Bucket=BUCKET, Prefix=now.split("/", 3)[3])["Contents"]
    for entry in listed:
        content = bucket.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()
        assert "C00001" not in plain(content)
