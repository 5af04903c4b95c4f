"""A new, a late and a corrected month on top of what is published: only they are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from python_ml.land import consumption, inspect
from python_ml.land.inspect import Inspection
from python_ml.pipeline.flow import take
from python_ml.pipeline.identity import identify_batch
from python_ml.pipeline.plan import STEPS
from python_ml.pipeline.results import BronzeResult
from python_ml.pipeline.workspace import Run, workspace
from python_ml.settings import Settings, load_settings
from tests.integration.raw_batch import READINGS, RawBatch, readings, write_parquet


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return RawBatch().write(tmp_path / "raw")


def settings_of(home: Path) -> Settings:
    # One of the three contacts has no channel, by design of the batch.
    accepted = ["bronze.bronze_interaction.interaction_channel.null_share"]
    overrides = {"home": str(home), "sentiment.backend": "none", "quality.accepted": accepted}
    return load_settings(overrides, environ={})


def build(
    home: Path, source: Path, *, force: bool = False
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Land and build bronze as a run does; returns the months that were read, and the table."""
    run = Run(settings_of(home), source=str(source), force=force)
    run.identity = identify_batch(source)
    with workspace(run):
        take(run, STEPS["land"])
        take(run, STEPS["bronze"])
        with duckdb.connect(str(run.database)) as connection:
            table = connection.execute(
                "select * from bronze_customer_month order by all"
            ).fetchall()
        run.publish()
    touched = run.results.require(BronzeResult).touched_months
    assert touched is not None
    return list(touched), table


def month_file(source: Path, month: str) -> Path:
    return source / READINGS / f"month={month}" / "part-0.parquet"


def test_only_touched_months_are_read_and_the_rows_are_those_of_a_build_from_scratch(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest, late = month_file(source, "2024-12"), month_file(source, "2024-11")
    newest_content = newest.read_bytes()
    newest.unlink()
    everything, before = build(tmp_path / "home", source)
    assert everything == ["2024-10", "2024-11"]

    newest.write_bytes(newest_content)
    late.unlink()  # the lake's month is linked to it
    corrected = readings("2024-11-01", "2024-11-30 23:00").assign(consumption_gas_m3=0.5)
    write_parquet(corrected, late)
    inspected = []

    def note(
        connection: duckdb.DuckDBPyConnection, table: Any, path: Path, years: Sequence[int]
    ) -> Inspection:
        inspected.append(path)
        return inspect.inspect(connection, table, path, years)

    monkeypatch.setattr(consumption, "inspect", note)
    touched, rows = build(tmp_path / "home", source)
    assert touched == ["2024-11", "2024-12"]
    assert inspected == [late, newest], "October is known by its content"
    assert len(set(rows) & set(before)) == len(before) // 2, "October is what it was"

    assert build(tmp_path / "scratch", source) == (["2024-10", "2024-11", "2024-12"], rows)
