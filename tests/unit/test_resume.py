"""Where a resumed run goes on."""

from __future__ import annotations

from datetime import date

import pytest

from python_ml.config import load_settings
from python_ml.progress import Step
from python_ml.quality import QualityResult
from python_ml.runs.identity import BatchIdentity
from python_ml.runs.resume import restore, save_state
from python_ml.runs.workspace import Run


@pytest.mark.parametrize("were_written", [True, False])
def test_data_docs_that_were_still_being_written_are_written_again(
    tmp_path, monkeypatch, were_written
):
    settings = load_settings({"home": str(tmp_path)}, environ={})
    docs = tmp_path / "docs" / "index.html"
    killed = Run(settings, as_of_date=date(2024, 12, 31), identity=BatchIdentity("a", {}, ()))
    killed.batch_id = "batch"
    killed.steps = [Step(name, "done") for name in ("gold", "quality", "train")]
    killed.results["quality"] = QualityResult(506, [], docs)
    killed.work_dir.mkdir(parents=True)
    save_state(killed)
    if were_written:
        docs.parent.mkdir()
        docs.touch()
    monkeypatch.setattr("python_ml.land.write.is_intact", lambda batch: True)
    resumed = Run(settings, run_id=killed.run_id)
    restore(resumed)
    assert resumed.has_done("quality") is were_written
    assert resumed.has_done("gold") and resumed.has_done("train")
