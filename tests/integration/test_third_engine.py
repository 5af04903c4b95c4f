"""A third engine builds and publishes the micro-data, and nobody outside engines has to know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from python_ml import engines
from python_ml.engines import open_engine, open_warehouse
from python_ml.engines.ledger import SUCCEEDED
from python_ml.errors import LeaseHeldError
from python_ml.pipeline.status import read_status
from python_ml.pipeline.workspace import Run, workspace
from python_ml.settings import Settings, load_settings
from python_ml.transform.dbt import DbtRunner
from tests.integration.memory_engine.engine import MemoryEngine, forget

FOLDER = "tests.integration.memory_engine"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Of a home on the engine in memory."""
    monkeypatch.setitem(engines.ENGINES, "memory", f"{FOLDER}.engine:MemoryEngine")
    found = load_settings({"home": str(tmp_path)}, environ={})
    found = found.model_copy(update={"target": "memory"})
    yield found
    forget(found)


def build(run: Run) -> None:
    """All layers and their tests, from the micro-data to what is published."""
    with workspace(run), run.step("marts") as (step, report):
        # Without variables, as by hand: marts show the run that the micro-data's records name.
        place = run.work_dir / "dbt"
        runner = DbtRunner(run.settings, run.database, place, {})
        nodes = runner.build("resource_type:seed bronze silver gold marts", progress=report)
        step.rows = len(nodes)
        run.publish()


def test_it_builds_publishes_and_answers(settings: Settings) -> None:
    assert isinstance(open_engine(settings), MemoryEngine)
    run = Run(settings)
    build(run)
    assert not run.work_dir.exists(), "nothing is left of the run but what is in memory"
    assert not settings.layout.warehouse.exists()
    with open_warehouse(settings) as warehouse:
        counts = warehouse.row_counts()
        newest = warehouse.query("select max(as_of_date) as newest from gold_master")
    assert counts["gold_master"] and counts["mart_customer_risk"]
    assert newest["newest"].iloc[0].date() == date(2024, 12, 31)

    status = read_status(settings, 5)
    assert [record.status for record in status.runs] == [SUCCEEDED]
    assert status.holder is None


def test_its_lease_is_held_by_one_run(settings: Settings) -> None:
    with (
        workspace(Run(settings)),
        pytest.raises(LeaseHeldError, match="is held by run"),
        workspace(Run(settings)),
    ):
        pass
