"""Forgetting: the home that is named, and what the manifest of a landed batch says after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from python_ml.documents import hash_file
from python_ml.errors import UsageError
from python_ml.land.write import MANIFEST, stamp
from python_ml.pipeline.forget import _renew_manifest, survey_customer
from python_ml.pipeline.workspace import Run
from python_ml.settings import load_settings

CHANGED, SAME = (f"consumption_hourly/month=2024-{n}/part-0.parquet" for n in ("01", "02"))


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    """Two months of readings and a table without months; files are only looked at as bytes."""
    for name in (CHANGED, SAME, "price_history/part-0.parquet"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(name.encode())
    manifest(tmp_path, files=listed(tmp_path))
    (tmp_path / CHANGED).write_bytes(b"without a row")
    (tmp_path / "price_history" / "part-0.parquet").write_bytes(b"without a price")
    return tmp_path


def listed(batch: Path) -> list[Any]:
    paths = sorted(batch.rglob("*.parquet"))
    return [[path.relative_to(batch).as_posix(), list(stamp(path))] for path in paths]


def manifest(batch: Path, **changed: Any) -> None:
    document = {
        "batch_id": "b1",
        "result": {"months": {"2024-01": "old", "2024-02": "same"}, "rows": 3},
        "known": {"2024-01": {"sha256": "x"}, "2024-02": {"sha256": "y"}},
        **changed,
    }
    (batch / MANIFEST).write_text(json.dumps(document))


def test_a_month_that_has_lost_rows_has_another_content_and_is_known_no_more(batch: Path) -> None:
    _renew_manifest(batch)
    assert json.loads((batch / MANIFEST).read_text()) == {
        "batch_id": "b1",
        "files": listed(batch),
        "result": {
            "months": {"2024-01": hash_file(batch / CHANGED), "2024-02": "same"},
            "rows": 3,
        },
        "known": {"2024-02": {"sha256": "y"}},
    }


def test_manifests_of_older_homes_may_know_no_months(batch: Path) -> None:
    manifest(batch, files=[], result={"rows": 3}, known={})
    _renew_manifest(batch)
    assert json.loads((batch / MANIFEST).read_text()) == {
        **{"batch_id": "b1", "files": listed(batch), "result": {"rows": 3}, "known": {}},
    }
    document = {"files": [], "result": {"months": {"2024-01": "old"}}}
    (batch / MANIFEST).write_text(json.dumps(document))
    _renew_manifest(batch)
    renewed = json.loads((batch / MANIFEST).read_text())
    assert renewed["result"]["months"] == {"2024-01": hash_file(batch / CHANGED)}


def test_a_batch_without_a_manifest_gets_none(batch: Path) -> None:
    (batch / MANIFEST).unlink()
    _renew_manifest(batch)
    assert not (batch / MANIFEST).exists()


def test_a_home_that_is_not_there_is_named(tmp_path: Path) -> None:
    run = Run(load_settings({"home": str(tmp_path / "gone")}, environ={}))
    with pytest.raises(UsageError, match="gone: no such folder; --home names"):
        survey_customer(run, "C00002")
    assert not (tmp_path / "gone").exists()
