"""The data dictionary in docs is the one that the models' YAML says."""

from __future__ import annotations

from pathlib import Path

from python_ml.config import load_settings
from python_ml.dbt_runner import DbtRunner
from python_ml.dictionary import data_dictionary

ROOT = Path(__file__).resolve().parents[2]


def test_the_data_dictionary_is_current(tmp_path: Path) -> None:
    settings = load_settings({"home": str(tmp_path)}, environ={})
    runner = DbtRunner(settings, tmp_path / "warehouse.duckdb", tmp_path / "dbt", {})
    page = data_dictionary(runner.manifest())
    written = (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
    assert page == written, "make docs"
