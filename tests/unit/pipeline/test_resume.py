"""Where a resumed run goes on."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from python_ml.errors import UsageError
from python_ml.land.result import LandResult
from python_ml.pipeline.identity import BatchIdentity
from python_ml.pipeline.resume import load_state, require_same, restore, save_state
from python_ml.pipeline.workspace import Run
from python_ml.progress import Step
from python_ml.quality import QualityResult
from python_ml.settings import load_settings


@pytest.mark.parametrize(
    ("named", "is_refused"),
    [
        ({}, False),
        ({"source": "s3://bucket/batch/", "mode": "score", "force": False}, False),
        ({"source": "s3://bucket/other"}, True),
        ({"source": "somewhere"}, True),
        ({"mode": "train"}, True),
        ({"force": True}, True),
    ],
)
def test_what_is_named_beside_resume_is_what_the_failed_run_is_about(
    tmp_path: Path, named: Any, is_refused: bool
) -> None:
    settings = load_settings({"home": str(tmp_path)}, environ={})
    failed = Run(settings, mode="score", source="s3://bucket/batch")
    failed.identity = BatchIdentity("a", {}, ())
    failed.work_dir.mkdir(parents=True)
    save_state(failed)
    resumed = Run(settings, run_id=failed.run_id)
    asked = {"source": None, "mode": None, "force": False} | named
    if is_refused:
        with pytest.raises(UsageError, match="would be ignored"):
            require_same(resumed, **asked)
    else:
        require_same(resumed, **asked)


def test_a_run_that_trusts_nothing_trusts_nothing_once_resumed(tmp_path: Path) -> None:
    settings = load_settings({"home": str(tmp_path / "home")}, environ={})
    failed = Run(settings, source=str(tmp_path), force=True)
    failed.identity = BatchIdentity("a", {}, ())
    failed.work_dir.mkdir(parents=True)
    save_state(failed)
    resumed = Run(settings, run_id=failed.run_id)
    require_same(resumed, source=f"{tmp_path}/./", mode="train", force=True)
    load_state(resumed)
    assert resumed.force


@pytest.mark.parametrize("were_written", [True, False])
def test_data_docs_that_were_still_being_written_are_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, were_written: bool
) -> None:
    settings = load_settings({"home": str(tmp_path)}, environ={})
    docs = tmp_path / "docs" / "index.html"
    killed = Run(settings, identity=BatchIdentity("a", {}, ()))
    killed.results.put(LandResult("batch", "a", "2024-12", date(2024, 12, 31), {}))
    killed.steps = [Step(name, "done") for name in ("gold", "quality", "train")]
    killed.results.put(QualityResult(506, data_docs=docs))
    killed.work_dir.mkdir(parents=True)
    save_state(killed)
    if were_written:
        docs.parent.mkdir()
        docs.touch()
    monkeypatch.setattr("python_ml.pipeline.resume.is_intact", lambda batch: True)
    resumed = Run(settings, run_id=killed.run_id)
    restore(resumed)
    assert resumed.has_done("quality") is were_written
    assert resumed.has_done("gold") and resumed.has_done("train")
    assert resumed.results.require(QualityResult) == killed.results.require(QualityResult)
    assert (resumed.batch_id, resumed.as_of_date) == ("batch", date(2024, 12, 31))
