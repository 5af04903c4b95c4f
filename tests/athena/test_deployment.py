"""An upload to a published run, through the containers and functions of the deployment.

The same batch has been run on DuckDB by one command; the tables must be the same.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from python_ml.aws.run_folder import STEPS
from python_ml.contracts.schema import load_source
from python_ml.cost import first_view
from python_ml.engines import open_ledger, open_store, open_warehouse
from python_ml.engines.athena_publication import Publication
from python_ml.pages.compile import load_dashboards
from python_ml.registry import APPROVED, open_registry
from python_ml.settings import Settings
from tests.athena import permissions
from tests.athena.compare import RELATIVE_OF_SCORES, differences
from tests.athena.deployment import DATA, DEAD, NAME, PLACES, PREFIX, Deployment
from tests.athena.project import command, newest_report
from tests.unit import aws_fixture as aws


def test_an_upload_becomes_a_published_run(
    deployment: Deployment, execution: Mapping[str, Any]
) -> None:
    settings, run_id = deployment.settings, execution["name"]
    assert Publication(settings.athena).published_run() == run_id
    registry = open_registry(settings)
    assert registry.champion() == f"churn-{run_id}"
    assert registry.status(f"churn-{run_id}") == APPROVED
    manifest = open_ledger(settings)
    assert manifest.holder() is None
    record, dead = manifest.runs()
    assert (dead.status, dead.run_id) == ("failed", DEAD)
    assert "ended without a word" in str(dead.error_message)
    assert (record.run_id, record.status, record.exit_code) == (run_id, "succeeded", 0)
    assert (record.mode, record.started_by) == ("train", "upload")
    assert [step.step for step in record.steps] == list(STEPS)
    assert record.batch_sha256 == json.loads(execution["input"])["batch_sha256"]
    (sent,) = aws.notifications()
    assert sent["Subject"] == f"{NAME}: run {run_id} succeeded"


def test_containers_leave_the_tables_that_one_process_leaves(
    deployment: Deployment, execution: Mapping[str, Any], duckdb_run: Settings
) -> None:
    one, many = newest_report(duckdb_run.layout.home)["run_id"], execution["name"]
    columns = ["customer_id", "as_of_date", "raw_score", "churn_probability", "risk_tier"]
    with open_warehouse(duckdb_run) as left, open_warehouse(deployment.settings) as right:
        expected = left.read_external("customer_score", one)[columns]
        assert len(expected) > 0
        actual = right.read_external("customer_score", many)[columns]
        assert not differences(expected, actual, RELATIVE_OF_SCORES)
        assert left.row_counts() == right.row_counts()
        written = {
            table: (one in left.external_runs(table), many in right.external_runs(table))
            for table in load_source("ml")
        }
    assert written.pop("query_cost") == (False, True)  # only Athena bills queries
    assert all(here == there for here, there in written.values()), written


def test_what_lies_on_a_container_s_disk_is_kept(
    deployment: Deployment, execution: Mapping[str, Any], duckdb_run: Settings
) -> None:
    one, many = newest_report(duckdb_run.layout.home)["run_id"], execution["name"]
    rejected = duckdb_run.layout.rejected
    here = {path.parent.parent.name for path in rejected.glob(f"*/batch={one}/*.parquet")}
    store = open_store(deployment.settings)
    there = [key for key in store.keys("rejected") if f"/batch={many}/" in key]
    assert here == {key.split("/")[1] for key in there}
    assert len(here) > 0
    assert store.exists(f"runs/{many}/reports/data_docs/{many}/index.html")


def test_dashboards_show_the_published_tables_under_their_own_role(
    deployment: Deployment, execution: Mapping[str, Any]
) -> None:
    """Each card's statement, and what Metabase asks to list tables."""
    client = deployment.athena.client("athena", role="metabase")
    client.get_work_group(WorkGroup=NAME)
    client.get_data_catalog(Name="AwsDataCatalog")
    cards = [(page, card) for page in load_dashboards() for card in page.cards]
    started = [
        client.start_query_execution(
            QueryString=first_view(*each),
            WorkGroup=NAME,
            QueryExecutionContext={"Catalog": "awsdatacatalog", "Database": PLACES["schema"]},
            ResultConfiguration={"OutputLocation": f"{PLACES['staging']}/results/"},
        )["QueryExecutionId"]
        for each in cards
    ]
    assert len(started) > 50
    for query in started:
        while True:
            status = client.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
            if status["State"] not in ("QUEUED", "RUNNING"):
                break
            time.sleep(0.05)
        assert status["State"] == "SUCCEEDED", status
        client.get_query_results(QueryExecutionId=query, MaxResults=10)


def test_the_deployed_function_finds_what_a_run_needs(
    deployment: Deployment, execution: Mapping[str, Any]
) -> None:
    answer = deployment.function("python_ml.aws.state_machine.handler", {"action": "check"})
    assert answer["checks"]


def test_every_part_has_the_rights_that_it_needs(
    deployment: Deployment, execution: Mapping[str, Any]
) -> None:
    """Each signed with its own role, whose rendered policy allowed or refused every request."""
    assert not deployment.guard.refused
    called = permissions.as_text(deployment.guard.needs)
    (deployment.work / permissions.RECORD.name).write_text(called, encoding="utf-8")
    assert called == permissions.RECORD.read_text(encoding="utf-8"), (
        f"copy {deployment.work / permissions.RECORD.name} to {permissions.RECORD}"
    )


def test_a_call_that_is_not_allowed_fails_as_aws_says_it(deployment: Deployment) -> None:
    table = deployment.settings.athena.runs_table
    calls: dict[str, tuple[str, dict[str, str]]] = {
        "dynamodb": ("scan", {"TableName": table}),
        "s3": ("get_object", {"Bucket": DATA, "Key": "models/champion.json"}),
    }
    for service, (call, given) in calls.items():
        client = deployment.athena.client(service, role="dbt")
        with pytest.raises(ClientError, match=r"assumed-role/sg-dev-dbt/.* is not authorized") as e:
            getattr(client, call)(**given)
        assert e.value.response["Error"]["Code"] in ("AccessDeniedException", "AccessDenied")


def test_the_same_batch_is_not_run_again_by_hand(
    deployment: Deployment, execution: Mapping[str, Any]
) -> None:
    by_hand = ("run", "--raw", f"s3://{DATA}/{PREFIX}", "--json")
    said = command(deployment.work / "by-hand", *by_hand, variables=deployment.variables)
    assert f"nothing to do: run {execution['name']} has run this very batch" in said
