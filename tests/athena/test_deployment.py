"""An upload to a published run, through the containers and functions of the deployment.

The same batch has been run on DuckDB by one command; the tables must be the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from python_ml.aws.run_folder import STEPS
from python_ml.contracts.schema import load_source
from python_ml.engines import open_ledger, open_store, open_warehouse
from python_ml.engines.athena_publication import Publication
from python_ml.engines.ledger import RunRecord
from python_ml.registry import APPROVED, open_registry
from python_ml.settings import Settings
from tests.athena.compare import RELATIVE_OF_SCORES, differences
from tests.athena.deployment import DATA, NAME, STATE_MACHINE, TERRAFORM, Deployment, deployed
from tests.athena.local.server import LocalAthena
from tests.athena.project import command, newest_report
from tests.unit import aws_fixture as aws

DEAD = "20240101T000000-dead00"  # a run whose execution could not record its end
PREFIX = "raw/train/2024/"


@pytest.fixture(scope="module")
def deployment(
    athena: LocalAthena, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    with deployed(athena, tmp_path_factory.mktemp("deployment")) as made:
        yield made


@pytest.fixture(scope="module")
def execution(deployment: Deployment, duckdb_run: Settings) -> dict[str, Any]:
    """The one that an upload has started, at its end."""
    files = {name: image.files() for name, image in deployment.images.items()}
    dead = RunRecord(DEAD, "train", "athena", started_at="2024-01-01T00:00:00+00:00")
    open_ledger(deployment.settings).save(dead)
    events = deployment.upload(duckdb_run.layout.raw, PREFIX)
    assert [deployment.trigger(event) for event in events[-2:]] == [["started"], ["known"]]
    states = deployment.athena.client("stepfunctions")
    (started,) = states.list_executions(stateMachineArn=STATE_MACHINE)["executions"]
    ended = aws.wait_for(started["executionArn"], seconds=900)
    jobs = [f"{step} {seconds:.0f} s" for step, seconds in deployment.seconds.items()]
    deployment.athena.notes.append(f"deployment: {', '.join(jobs)}")
    assert ended["status"] == "SUCCEEDED", ended
    # A container's user may not write to the image's own folder.
    assert {name: image.files() for name, image in deployment.images.items()} == files
    return ended


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


def test_runs_write_where_their_roles_let_them(
    deployment: Deployment, execution: Mapping[str, Any]
) -> None:
    """An emulator has no IAM."""
    text = (TERRAFORM / "iam/warehouse.tf").read_text(encoding="utf-8")
    writes = re.findall(r"^ +writes = \[(.+)\]$", text, re.MULTILINE)
    allowed = {path.strip(' "').removesuffix("/*") for line in writes for path in line.split(",")}
    pages = deployment.athena.client("s3").get_paginator("list_objects_v2").paginate(Bucket=DATA)
    keys = [entry["Key"] for page in pages for entry in page["Contents"]]
    places = {key.partition("/")[0] for key in keys if not key.startswith(PREFIX)}
    assert not places - allowed
    assert {"batches", "ml", "models", "runs", "warehouse"} <= places


def test_the_same_batch_is_not_run_again_by_hand(
    deployment: Deployment, execution: Mapping[str, Any]
) -> None:
    by_hand = ("run", "--raw", f"s3://{DATA}/{PREFIX}", "--json")
    said = command(deployment.work / "by-hand", *by_hand, variables=deployment.variables)
    assert f"nothing to do: run {execution['name']} has run this very batch" in said
