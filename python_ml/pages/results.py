"""The rows of a card as JSON holds them, the same whatever engine they come from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from python_ml.embedding import visible
from python_ml.engines import Warehouse
from python_ml.engines.sql import literal
from python_ml.pages.model import Card, Dashboard
from python_ml.pages.template import with_values

Rows = list[list[Any]]


def run_card(
    warehouse: Warehouse, card: Card, target: str, values: Mapping[str, str] | None = None
) -> Rows:
    """The rows of a card, with values of its tags by name; tags without one have their default."""
    return plain_rows(warehouse.query(statement(card, target, values)))


def statement(card: Card, target: str, values: Mapping[str, str] | None = None) -> str:
    """The query of a card as Metabase sends it, for the engine of a target.

    Args:
        card: with its tags.
        target: a key of the card's statements.
        values: of filters, by name; those that are no tag of the card are left out, and a tag
            without a value has its default. One of type number stands without quotes.
    """
    literals = {
        tag.name: value if tag.type == "number" else literal(value)
        for tag in card.tags
        if (value := (values or {}).get(tag.name, tag.default)) is not None
    }
    return with_values(card.statements[target], literals)


def filter_values(page: Dashboard) -> dict[str, str]:
    """The values that the filters of a page have when it is opened."""
    return {it.key: it.default for it in page.parameters if it.default is not None}


def plain_rows(frame: pd.DataFrame) -> Rows:
    """Values as JSON knows them: dates as ISO text, whole numbers and booleans as such."""
    columns = [plain_column(frame[name]) for name in frame.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def plain_column(series: pd.Series) -> list[Any]:
    """The values of a column, as `plain` gives each."""
    kind = series.dtype.kind if isinstance(series.dtype, np.dtype) else None
    if kind is not None and kind in "iub":
        return series.tolist()
    if kind == "f":
        finite = np.isfinite(series.to_numpy())
        return (series if finite.all() else series.astype(object).where(finite, None)).tolist()
    if kind == "M" or isinstance(series.dtype, pd.StringDtype):  # few distinct values, mostly
        codes, distinct = pd.factorize(series)
        values = [*(plain(value) for value in distinct.tolist()), None]
        return [values[code] for code in codes]
    return [plain(value) for value in series.tolist()]


def plain(value: Any) -> Any:
    """One value; None for what is missing, not a number or infinite.

    A text has a sign for each character that a page cannot show or SQLite in a page would cut at.
    """
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, pd.Timestamp | datetime):
        midnight = (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)
        return f"{value:%Y-%m-%d}" if midnight else f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    return value
