"""One local Athena for all tests of this folder.

They run only when called by path (`pytest tests/athena`): they start a query engine and fetch it on
first use, so `testpaths` of pyproject.toml leaves this folder out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from python_ml.engines import open_ledger
from python_ml.engines.ledger import RunRecord
from python_ml.settings import Settings
from tests.athena.deployment import DEAD, PREFIX, STATE_MACHINE, Deployment, deployed
from tests.athena.local.server import LocalAthena
from tests.athena.project import BUCKET, run_on_duckdb
from tests.athena.queries import Queries
from tests.unit import aws_fixture as aws

_REPORT = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def athena(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[LocalAthena]:
    """A running local Athena with one empty bucket."""
    with LocalAthena(tmp_path_factory.mktemp("athena")) as running:
        running.client("s3").create_bucket(Bucket=BUCKET)
        yield running
        request.config.stash[_REPORT] = (
            f"local Athena ready in {running.start_seconds:.1f} s\n{running.recorder.report()}\n"
            + "\n".join(running.notes)
        )


@pytest.fixture(scope="session")
def duckdb_run(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with a simulated batch and its run on DuckDB, which the others are held against."""
    return run_on_duckdb(tmp_path_factory.mktemp("duckdb"))


@pytest.fixture(scope="session")
def deployment(
    athena: LocalAthena, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    with deployed(athena, tmp_path_factory.mktemp("deployment")) as made:
        yield made


@pytest.fixture(scope="session")
def execution(deployment: Deployment, duckdb_run: Settings) -> dict[str, Any]:
    """The one that an upload has started, at its end."""
    dead = RunRecord(DEAD, "train", "athena", started_at="2024-01-01T00:00:00+00:00")
    open_ledger(deployment.settings).save(dead)
    events = deployment.upload(duckdb_run.layout.raw, PREFIX)
    assert [deployment.trigger(event) for event in events[-2:]] == [["started"], ["known"]]
    states = deployment.athena.client("stepfunctions")
    (started,) = states.list_executions(stateMachineArn=STATE_MACHINE)["executions"]
    ended = aws.wait_for(started["executionArn"], seconds=1800)
    jobs = [f"{step} {seconds:.0f} s" for step, seconds in deployment.seconds.items()]
    deployment.athena.notes.append(f"deployment: {', '.join(jobs)}")
    assert ended["status"] == "SUCCEEDED", ended
    return ended


@pytest.fixture(scope="module")
def queries(athena: LocalAthena, request: pytest.FixtureRequest) -> Queries:
    """Statements in a database that belongs to the test module."""
    database = request.module.__name__.rpartition(".")[2]
    athena.client("glue").create_database(DatabaseInput={"Name": database})
    return Queries(athena.client("athena"), database, f"s3://{BUCKET}/results/")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what was asked of the local Athena."""
    if report := config.stash.get(_REPORT, None):
        terminalreporter.write_line(report)
