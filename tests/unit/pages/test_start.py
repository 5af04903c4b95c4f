"""The start page links what is there, and its counts are those of the checks."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest

from python_ml.engines import open_warehouse
from python_ml.pages.compile import load_dashboards
from python_ml.pages.start import write_start_page
from python_ml.settings import load_settings
from tests.dashboards import marts

STATE = {"as_of_date": "2024-12-31", "run_id": "r<2>", "model_version": "m1"}


def checks(passed: dict[str, list[bool]]) -> pd.DataFrame:
    rows = [(layer, number, it) for layer, of in passed.items() for number, it in enumerate(of)]
    frame = pd.DataFrame(rows, columns=["layer", "column_name", "is_passed"])
    texts = {"table_name": "t", "check_name": "null_share", "severity": "warn", "detail": ""}
    values = {
        "observed_value": 0.0,
        "limit_value": 0.0,
        "is_accepted": False,
        "failed_count": 0,
        "row_count": 1,
    }
    day = pd.Timestamp(2024, 12, 31)
    return frame.assign(
        **texts, **values, as_of_date=day, column_name=frame["column_name"].map(str)
    )


@pytest.mark.thorough
def test_the_start_page_links_everything_and_counts_the_checks(tmp_path: Path) -> None:
    marts.build(tmp_path / "warehouse.duckdb")
    settings = load_settings({"home": str(tmp_path)}, environ={})
    reports = settings.layout.reports
    files = [
        *(f"dashboards/{page.key}.html" for page in load_dashboards()),
        "data_docs/r1/index.html",
        "data_docs/r1/validations/raw/__none__/20250101T000000Z/warehouse-raw.html",
        "cards/m #1/card.html",
    ]
    for name in files:
        (reports / name).parent.mkdir(parents=True, exist_ok=True)
        (reports / name).write_text("x", encoding="utf-8")
    with open_warehouse(settings) as warehouse:
        warehouse.write_external("quality_check", checks({"raw": [True, True, False]}), "r1")
        warehouse.write_external("quality_check", checks({"gold": [True] * 1200}), "r2")
        page = write_start_page(warehouse, settings, load_dashboards(), STATE)
    text = page.read_text(encoding="utf-8")
    links = {unquote(it) for it in re.findall(r'href="([^"]+)"', text)}
    assert links == set(files)
    assert "run r&lt;2&gt;" in text
    assert text.index(">r2<") < text.index(">r1<"), "the newest first"
    assert "1,200 of 1,200" in text
    assert re.search(r'warehouse-raw\.html">2 of 3</a>', text)
    assert "make docs" in text
    (reports / "dbt_docs").mkdir()
    (reports / "dbt_docs" / "index.html").write_text("x", encoding="utf-8")
    with open_warehouse(settings) as warehouse:
        text = write_start_page(warehouse, settings, (), STATE).read_text(encoding="utf-8")
    assert 'href="dbt_docs/index.html"' in text
