"""Rows of a card as JSON holds them: a column at once gives what its values give one by one."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest

from python_ml.pages.embed import _stored
from python_ml.pages.results import plain, plain_column

COLUMNS = {
    "whole": pd.Series([1, -2, 3]),
    "whole_with_missing": pd.Series([1, None, 3], dtype="Int64"),
    "double": pd.Series([0.1, 2.5, -3.0]),
    "double_with_missing": pd.Series([0.1, np.nan, np.inf, -np.inf]),
    "flag": pd.Series([True, False]),
    "flag_with_missing": pd.Series([True, None], dtype="boolean"),
    "text": pd.Series(["a", None, "b", "a"], dtype="str"),
    "text_as_object": pd.Series(["a", None, 1.5], dtype=object),
    "date": pd.to_datetime(pd.Series(["2024-12-31", None, "2024-12-31"])),
    "time": pd.Series(pd.to_datetime(["2024-12-31 10:15:00", "2024-12-31 00:00:00"])),
    "python_date": pd.Series([date(2024, 12, 31), None], dtype=object),
}


@pytest.mark.parametrize("series", COLUMNS.values(), ids=COLUMNS.keys())
def test_a_column_is_its_values(series: pd.Series) -> None:
    found = plain_column(series)
    assert found == [plain(value) for value in series.tolist()]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_numbers_of_long_tables_are_whole_multiples_of_their_step() -> None:
    stored = _stored(pd.Series([0.014, np.nan, np.inf, -1.006]), 100)
    assert stored == [1, None, None, -101]
    assert [type(value) for value in stored] == [int, type(None), type(None), int]
