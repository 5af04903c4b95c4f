"""DuckDB draws a progress bar on stdout, where a command's document belongs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from python_ml.duckdb_connection import open_duckdb
from python_ml.settings import PROJECT_DIR

SLOW = "select count(*) from range(20000) a, range(5000) b where a.range * b.range % 7 = 3"


@pytest.mark.thorough
def test_no_connection_draws_a_progress_bar(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with duckdb.connect() as usual:
        usual.execute("set progress_bar_time = 1")  # milliseconds, in place of two seconds
        usual.execute(SLOW)
    assert "%" in capfd.readouterr().out, "as DuckDB does by default"
    place = tmp_path / "a.duckdb"
    options: list[dict[str, Any]] = [{}, {"place": place}, {"place": place, "read_only": True}]
    for own in options:
        with open_duckdb(**own) as connection:
            found = connection.execute("select current_setting('enable_progress_bar')").fetchone()
        assert found == (False,)


def test_nobody_else_connects() -> None:
    found = [
        str(path.relative_to(PROJECT_DIR))
        for path in sorted((PROJECT_DIR / "python_ml").rglob("*.py"))
        if re.search(r"duckdb\.connect\(", path.read_text(encoding="utf-8"))
    ]
    assert found == ["python_ml/duckdb_connection.py"]
