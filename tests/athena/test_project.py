"""The same run on both engines: the same scores, every table the same cell by cell."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from python_ml.contracts.gold import read_contract
from python_ml.cost import dashboard_costs
from python_ml.doctor.check import FAIL
from python_ml.doctor.diagnosis import diagnose
from python_ml.engines import Warehouse, open_warehouse
from python_ml.engines.athena_costs import costs_since
from python_ml.engines.athena_months import begin_with_published
from python_ml.engines.athena_publication import Publication, run_database_name
from python_ml.engines.costs import OTHER, PYTHON
from python_ml.errors import SpanishGasError
from python_ml.judge.snapshot import read_gold
from python_ml.registry import open_registry
from python_ml.settings import Settings, load_settings
from python_ml.transform.dbt import DbtRunner
from tests.athena.compare import RELATIVE_OF_SCORES, differences
from tests.athena.local.server import LocalAthena
from tests.athena.project import (
    BUCKET,
    CUSTOMERS,
    Project,
    command,
    run_on_athena,
    variables_of,
)

BUILT = ("bronze", "silver", "gold", "seeds")
# Marts that show every run, and what they say of a run beside others.
OF_EVERY_RUN = {"mart_pipeline_run", "mart_pipeline_step", "mart_query_cost"}
OF_EVERY_RUN |= {"mart_data_quality", "mart_drift"}
AMONG_RUNS = ["is_newest_run"]
# The most that a run may send, its first one included: each costs latency and has a least price.
QUERIES = 200
PAGE_BYTES = 50_000_000  # the most that a view of a dashboard page may scan


@pytest.fixture(scope="module")
def project(
    athena: LocalAthena, duckdb_run: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """One batch, run to the end on both engines."""
    before = dict(os.environ)
    os.environ.update(athena.environment)
    try:
        yield run_on_athena(duckdb_run, tmp_path_factory.mktemp("project"), athena)
    finally:
        os.environ.clear()
        os.environ.update(before)


def tables(project: Project) -> dict[str, list[str]]:
    """Names of all models and seeds by layer."""
    found: dict[str, list[str]] = {}
    for node in project.dbt().manifest()["nodes"].values():
        layer = node["fqn"][1] if node["resource_type"] == "model" else "seeds"
        if node["resource_type"] in ("model", "seed"):
            found.setdefault(layer, []).append(node["name"])
    return found


class TestRun:
    def test_the_same_command_with_another_target_gives_the_same_scores(
        self, project: Project
    ) -> None:
        steps = [step["step"] for step in project.run["steps"]]
        assert [step["step"] for step in project.athena_run["steps"]] == steps
        columns = ["customer_id", "as_of_date", "raw_score", "churn_probability", "risk_tier"]
        with open_warehouse(project.duckdb) as left, open_warehouse(project.athena) as right:
            expected = left.read_external("customer_score", project.run["run_id"])
            actual = right.read_external("customer_score", project.athena_run["run_id"])
        assert not differences(expected[columns], actual[columns], RELATIVE_OF_SCORES)

    def test_nothing_of_a_run_is_only_on_the_machine_that_ran_it(
        self, project: Project, athena: LocalAthena
    ) -> None:
        run_id = project.athena_run["run_id"]
        assert open_registry(project.athena).champion() == f"churn-{run_id}"
        listed = athena.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="lake/")["Contents"]
        keys = {entry["Key"] for entry in listed}
        for part in (
            "lake/models/champion.json",
            f"lake/models/churn-{run_id}/booster.json",
            f"lake/ml/feature_snapshot/run_id={run_id}/part-0.parquet",
            f"lake/ml/model_split/run_id={run_id}/part-0.parquet",
            f"lake/ml/customer_score/run_id={run_id}/part-0.parquet",
        ):
            assert part in keys
        assert not (project.athena.layout.lake / "models").exists()
        assert not (project.athena.layout.lake / "ml").exists()

    def test_the_doctor_finds_nothing_wrong(self, project: Project) -> None:
        checks = diagnose(project.athena).checks
        assert [check for check in checks if check.status == FAIL] == []
        assert {"byte limit", "query", "champion"} <= {check.name for check in checks}


def compare(
    left: Warehouse, right: Warehouse, names: list[str], where: str | None = None
) -> tuple[dict[str, list[str]], int]:
    """Differences by table, and how many cells were compared."""
    found, cells = {}, 0
    for name in names:
        expected, actual = left.read_table(name, where), right.read_table(name, where)
        if where:
            expected = expected.drop(columns=AMONG_RUNS, errors="ignore")
            actual = actual.drop(columns=AMONG_RUNS, errors="ignore")
        cells += expected.size
        if different := differences(expected, actual):
            found[name] = different
    return found, cells


class TestParity:
    def test_every_table_of_the_run_is_the_same_cell_by_cell(
        self, project: Project, athena: LocalAthena
    ) -> None:
        names = [name for layer in BUILT for name in tables(project)[layer]]
        names.remove("bronze_published_run")  # each engine's own run
        with open_warehouse(project.duckdb) as left, open_warehouse(project.athena) as right:
            found, cells = compare(left, right, names)
        assert len(names) > 20
        athena.notes.append(f"parity: {len(names)} tables, {cells} cells, {len(found)} differ")
        assert not found, "\n".join(f"{name}: {what}" for name, what in found.items())

    def test_types_are_the_same(self, project: Project, athena: LocalAthena) -> None:
        names = {"STRING": "VARCHAR", "INT": "INTEGER"}
        glue_types, duckdb_types = {}, {}
        pages = athena.client("glue").get_paginator("get_tables")
        for page in pages.paginate(DatabaseName=project.athena.athena.schema):
            for table in page["TableList"]:
                for column in table["StorageDescriptor"]["Columns"]:
                    kind = column["Type"].upper().split("(")[0]
                    glue_types[table["Name"], column["Name"]] = names.get(kind, kind)
        with open_warehouse(project.duckdb) as warehouse:
            columns = warehouse.query(
                "select table_name, column_name, data_type from duckdb_columns() "
                "where not internal and schema_name = 'main'"
            )
        for table, column, kind in columns.itertuples(index=False):
            duckdb_types[table, column] = kind.split("(")[0]
        assert glue_types == duckdb_types
        assert duckdb_types

    def test_a_changed_cell_is_a_difference(self) -> None:
        base = pd.DataFrame({"a": ["x", "y"], "b": [1.0, 2.0], "c": [1, 2]})
        assert not differences(base, base.iloc[::-1])
        assert not differences(base, base.assign(b=base["b"] * (1 + 1e-12)))
        assert differences(base, base.assign(b=[1.0, 2.0000001]))
        assert differences(base, base.assign(b=[1.0, float("nan")]))
        assert differences(base, base.assign(c=[1, 3]))
        assert differences(base, base.assign(a=pd.Series(["x", None])))
        assert differences(base, base.head(1))
        assert differences(base, base.drop(columns="c"))


class TestEarlierDate:
    def test_gold_of_an_earlier_date_joins_the_others_and_is_that_of_duckdb(
        self, project: Project, athena: LocalAthena
    ) -> None:
        """What a model learns from where the newest month has no labels. Built again, it takes the
        place of its own rows; those of other dates stay."""
        here, there = project.duckdb, project.dbt()
        place = project.work / "dbt-here"
        local = DbtRunner(here, here.layout.warehouse, place, there.variables)
        day, golds = date(2024, 11, 30), []
        for settings, dbt in ((here, local), (project.athena, there)):
            dbt.variables["as_of_dates"] = [f"{day}"]
            with open_warehouse(settings) as warehouse:
                before = warehouse.row_counts()["gold_master"]
                for _ in range(2):
                    dbt.run("silver gold")
                contract = read_contract(dbt.manifest())
                golds.append(read_gold(warehouse, contract, day).to_pandas())
                assert warehouse.row_counts()["gold_master"] == before + len(golds[-1])
        assert len(golds[0]) > 0.9 * CUSTOMERS
        assert not differences(*golds)


class TestCost:
    def test_hourly_data_is_scanned_once(self, project: Project, athena: LocalAthena) -> None:
        costs = {cost.node.split(".")[-1]: cost for cost in project.costs.costs}
        landed = (project.duckdb.layout.lake / "raw" / "consumption_hourly").rglob("*.parquet")
        hourly_bytes = sum(part.stat().st_size for part in landed)
        months = costs.pop("bronze_customer_month").scanned_bytes
        assert 0.5 * hourly_bytes < months <= 1.01 * hourly_bytes
        # Some queries are taken together; a second scan would add all hours to them.
        together = (PYTHON, OTHER, "keeps_contract")
        limits = {node: 0.5 if node in together else 0.2 for node in costs}
        large = {
            node: costs[node].scanned_bytes
            for node, limit in limits.items()
            if costs[node].scanned_bytes >= limit * hourly_bytes
        }
        assert not large
        sent = sum(cost.query_count for cost in project.costs.costs)
        assert sent <= QUERIES
        athena.notes.append(
            f"a run: {sent} queries, of them "
            f"bronze_customer_month scans {months:,} bytes ({hourly_bytes:,} landed hourly), "
            f"{project.costs.usd:.4f} USD"
        )

    def test_the_costs_of_a_run_are_a_table(self, project: Project) -> None:
        with open_warehouse(project.athena) as warehouse:
            kept = warehouse.read_table("mart_query_cost").set_index("node")
        assert set(kept["run_id"]) == {project.athena_run["run_id"]}
        name = "model.spanishgas.bronze_customer_month"
        counted = {cost.node: cost for cost in project.costs.costs}[name]
        assert kept.loc[name, "scanned_bytes"] == counted.scanned_bytes
        assert kept.loc[name, "price_usd"] == pytest.approx(counted.usd)

    def test_every_card_runs_and_a_dashboard_page_stays_small(
        self, project: Project, athena: LocalAthena
    ) -> None:
        report = dashboard_costs(project.athena)
        pages = report.pages()
        assert pages
        assert max(pages.values()) < PAGE_BYTES
        athena.notes.append(
            f"dashboards: {len(report.costs)} cards of {len(pages)} pages, bytes scanned by a page "
            + ", ".join(f"{page} {size:,}" for page, size in sorted(pages.items()))
            + f"; {report.usd:.4f} USD for a view of all"
        )


class TestPublication:
    def test_a_failed_statement_in_the_middle_leaves_the_published_tables(
        self, project: Project, athena: LocalAthena
    ) -> None:
        before = locations(project, athena)
        with athena.failing("mart_recommendation"):
            told = project.on_athena("score", exit_code=1)
        assert "made to fail" in told
        assert locations(project, athena) == before
        with open_warehouse(project.athena) as warehouse:
            shown = warehouse.query("select distinct run_id from mart_customer_risk")
            assert shown["run_id"].tolist() == [project.athena_run["run_id"]]
            assert warehouse.row_counts()["gold_master"] > 0

    def test_the_next_run_publishes_and_clears_up(
        self, project: Project, athena: LocalAthena
    ) -> None:
        before = locations(project, athena)
        project.on_athena("score")
        after = locations(project, athena)
        changed = {name for name in before if before[name] != after[name]}
        assert {"mart_customer_risk", "mart_recommendation", "mart_overview"} <= changed
        assert not {"gold_master", "silver_customer", "bronze_customer_month"} & changed
        with open_warehouse(project.athena) as warehouse:
            shown = warehouse.read_table("mart_overview")["run_id"].tolist()
        assert shown == [Publication(project.athena.athena).published_run()]
        assert shown != [project.athena_run["run_id"]]
        databases = athena.client("glue").get_databases()["DatabaseList"]
        schema = project.athena.athena.schema
        names = sorted(entry["Name"] for entry in databases if entry["Name"].startswith(schema))
        assert names == [schema, f"{schema}_ml", f"{schema}_raw"]


def locations(project: Project, athena: LocalAthena) -> dict[str, str]:
    """Where the files of each published table lie; views have their text."""
    pages = athena.client("glue").get_paginator("get_tables")
    found = pages.paginate(DatabaseName=project.athena.athena.schema)
    return {
        table["Name"]: table["StorageDescriptor"].get("Location") or table["ViewOriginalText"]
        for page in found
        for table in page["TableList"]
    }


class TestMonths:
    def test_only_a_changed_month_is_read_and_merged_and_readers_see_nothing_of_it(
        self, project: Project, athena: LocalAthena
    ) -> None:
        settings, run_id, table = project.athena, "months-test", "bronze_customer_month"
        publication = Publication(settings.athena)
        publication.begin(run_id, lambda name: name in ("bronze_hour", "bronze_customer_attribute"))
        with open_warehouse(settings) as warehouse:
            before = warehouse.read_table(table)
        versions = dict(
            zip(before["month_start"].dt.strftime("%Y-%m"), before["month_version"], strict=True)
        )
        corrected, gone = sorted(versions)[-1], sorted(versions)[0]
        wanted = {name: version for name, version in versions.items() if name != gone}
        wanted[corrected] = "corrected"
        touched = begin_with_published(settings.athena, run_id, table, wanted, force=False)
        assert touched == [corrected]
        began = datetime.now(UTC)
        project.dbt(
            run_database_name(settings.athena, run_id),
            month_versions=wanted,
            touched_months=touched,
        ).build(table)
        costs = {cost.node: cost for cost in costs_since(settings.athena, began).costs}
        read = costs[f"model.spanishgas.{table}"].scanned_bytes
        landed = project.duckdb.layout.lake / "raw" / "consumption_hourly" / f"month={corrected}"
        month_bytes = sum(part.stat().st_size for part in landed.rglob("*.parquet"))
        with open_warehouse(settings, run_id=run_id) as warehouse:
            after = warehouse.read_table(table)
        kept = before[before["month_start"].dt.strftime("%Y-%m") != gone]
        is_corrected = kept["month_start"].dt.strftime("%Y-%m") == corrected
        expected = kept.assign(month_version=kept["month_version"].mask(is_corrected, "corrected"))
        assert not differences(expected, after)
        with open_warehouse(settings) as warehouse:
            assert not differences(before, warehouse.read_table(table))
        publication.discard(run_id)
        with open_warehouse(settings) as warehouse:
            assert not differences(before, warehouse.read_table(table))
        athena.notes.append(f"a corrected month: {read:,} bytes scanned, {month_bytes:,} landed")
        assert read < 3 * month_bytes


class TestMarts:
    """The marts once more, now of the very rows that python wrote for the other engine."""

    def test_every_mart_is_the_same_cell_by_cell(
        self, project: Project, athena: LocalAthena
    ) -> None:
        project.carry_over()
        nodes = project.build("marts")
        # An exposure is built by doing nothing.
        assert {node.status for node in nodes} <= {"success", "pass", "warn", "no-op"}
        names = tables(project)["marts"]
        of_run = f"run_id = '{project.run['run_id']}'"
        of_all = [name for name in names if name in OF_EVERY_RUN]
        of_one = [name for name in names if name not in OF_EVERY_RUN]
        with open_warehouse(project.duckdb) as left, open_warehouse(project.athena) as right:
            found, cells = compare(left, right, of_one)
            others, more = compare(left, right, of_all, of_run)
        found |= others
        athena.notes.append(
            f"parity: {len(names)} marts, {cells + more} cells, {len(found)} differ"
        )
        assert set(of_all) == OF_EVERY_RUN
        assert not found, "\n".join(f"{name}: {what}" for name, what in found.items())

    def test_a_failed_statement_of_dbt_by_hand_leaves_the_tables_before(
        self, project: Project
    ) -> None:
        with open_warehouse(project.athena) as warehouse:
            before = warehouse.row_counts()
            with pytest.raises(SpanishGasError, match="INVALID_CAST_ARGUMENT"):
                project.build("silver_as_of_date silver_customer", as_of_date="2024-13-45")
            assert warehouse.row_counts() == before


class TestWarehouse:
    def test_an_external_table_is_seen_once_it_is_registered(
        self, project: Project, athena: LocalAthena
    ) -> None:
        frame = pd.DataFrame(
            {"model_version": ["v"], "check_name": ["c"], "observed_value": [1.0]}
        ).assign(limit_value=0.5, is_passed=True, detail=None)
        with open_warehouse(project.athena) as warehouse:
            seen = f"select * from {project.athena.athena.schema}_ml.model_gate where run_id = 'r'"
            assert warehouse.query(seen).empty
            warehouse.write_external("model_gate", frame, run_id="r")
            warehouse.write_external("model_gate", frame.assign(observed_value=2.0), run_id="r")
            assert warehouse.query(seen)["observed_value"].tolist() == [2.0]
            assert warehouse.read_external("model_gate", "r")["observed_value"].tolist() == [2.0]
            with pytest.raises(SpanishGasError, match="missing columns"):
                warehouse.write_external("model_gate", frame.drop(columns="detail"), run_id="r")
            with pytest.raises(SpanishGasError, match="COLUMN_NOT_FOUND"):
                warehouse.query("select absent from gold_master")
        keys = athena.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="staging/unload/")
        assert keys["KeyCount"] == 0


class TestCampaign:
    """A campaign from plan to stop on both engines, from the same scores and learned rates."""

    COMPARED = (
        *("bronze_campaign_assignment", "bronze_campaign_contact", "silver_campaign_customer"),
        *("mart_campaign", "mart_campaign_customer", "mart_campaign_effect", "mart_offer_rate"),
        *("mart_offer_value", "mart_offer_candidate", "mart_offer_budget", "mart_recommendation"),
    )
    OF_A_RUN = ("run_id", "scored_run_id", "model_version")

    @pytest.fixture(scope="class")
    def here(self, project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A copy of the home of the run on DuckDB; both engines publish what was scored last, with
        rates of every customer that a campaign could have taught."""
        home = tmp_path_factory.mktemp("campaign") / "home"
        shutil.copytree(project.duckdb.layout.home, home, symlinks=True)
        project.on_athena("score")
        for settings in (load_settings({"home": str(home)}, environ={}), project.athena):
            with open_warehouse(settings) as warehouse:
                learn(warehouse)
        return home

    def test_plans_are_the_same(self, project: Project, here: Path) -> None:
        plans = project.documents(here, "campaign", "plan", "first", *TERMS)
        assert plans[0]["customer_count"] > 30
        assert rounded(plans[0]) == rounded(plans[1])

    def test_a_campaign_goes_from_start_to_stop_alike(
        self, project: Project, here: Path, athena: LocalAthena, tmp_path: Path
    ) -> None:
        for started in project.documents(here, "campaign", "start", "first", *TERMS):
            assert started["is_new"]
            assert started["treated_count"] > 20
        again = project.documents(here, "campaign", "start", "first", *TERMS)
        assert [each["is_new"] for each in again] == [False, False]
        self.same(project, here, athena, "started")

        lists = []
        for place, settings in ((here, None), (project.athena.layout.home, project.athena)):
            out = tmp_path / place.name
            target = [] if settings is None else ["--target", "athena"]
            variables = None if settings is None else variables_of(settings)
            words = ("campaign", "export", "first", "--out", str(out), *target)
            command(place, *words, variables=variables)
            lists.append(pd.read_parquet(next(out.glob("*call-list*.parquet"))))
        assert not differences(lists[0], lists[1], RELATIVE_OF_SCORES)

        crm = tmp_path / "crm.csv"
        lists[0][["campaign", "customer_id"]].assign(
            contact_date="2025-01-03", channel="phone", outcome="accepted"
        ).to_csv(crm, index=False)
        for recorded in project.documents(here, "campaign", "record", str(crm)):
            assert recorded["contact_count"] == len(lists[0])
        for effect in project.documents(here, "campaign", "effect", "first"):
            whole = [row for row in effect["effects"] if row["arm"] == row["risk_tier"] == "all"]
            assert [row["verdict"] for row in whole] == ["too early"]
        for stopped in project.documents(here, "campaign", "stop", "first", "--reason", "a test"):
            assert stopped["is_new"]
        for status in project.documents(here, "campaign", "status"):
            assert [row["state"] for row in status["campaigns"]] == ["stopped"]
        self.same(project, here, athena, "stopped")

    def same(self, project: Project, here: Path, athena: LocalAthena, moment: str) -> None:
        local = load_settings({"home": str(here)}, environ={})
        found, cells = {}, 0
        with open_warehouse(local) as left, open_warehouse(project.athena) as right:
            for name in self.COMPARED:
                expected, actual = (
                    each.read_table(name).drop(columns=list(self.OF_A_RUN), errors="ignore")
                    for each in (left, right)
                )
                cells += expected.size
                if different := differences(expected, actual, RELATIVE_OF_SCORES):
                    found[name] = different
        athena.notes.append(
            f"campaign {moment}: {len(self.COMPARED)} tables, {cells} cells, {len(found)} differ"
        )
        assert not found, "\n".join(f"{name}: {what}" for name, what in found.items())


TERMS = ("--policy", "expected_value", "--control-share", "0.3")


def rounded(plan: dict[str, Any]) -> Any:
    """A plan, its numbers to six digits."""
    return json.loads(json.dumps(plan), parse_float=lambda text: float(f"{float(text):.6g}"))


def learn(warehouse: Warehouse) -> None:
    """Write what the newest of all runs has learned: rates of offers, and of every customer."""
    offers = warehouse.query("select distinct offer, risk_tier from mart_offer_value")
    rates = offers.assign(save_probability=0.25 + 0.01 * offers["offer"].str.len())
    for name in ("sd", "low", "high"):
        rates[f"save_probability_{name}"] = 0.1
    counts = dict.fromkeys(("campaign_count", "treated_count", "control_count"), 7)
    rates = rates.assign(prior_save_probability=0.3, prior_weight=20.0, **counts)
    warehouse.write_external("offer_save_rate", rates, LEARNED)
    each = warehouse.query("select distinct customer_id, offer from mart_offer_value")
    digit = each["customer_id"].str[-1].astype(int)
    warehouse.write_external(
        "customer_save_rate", each.assign(save_probability=0.2 + 0.03 * digit), LEARNED
    )


LEARNED = "29990101T000000Z-aaaaaa"
