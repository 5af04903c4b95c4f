"""Labels that tell what customers do if nobody makes an offer.

Whoever was offered something in a campaign is no example of being left alone, whether the offer
worked or not: such labels are left out. The control group of the same campaign stands for them:
each of its customers counts once for each who could have been drawn in its place, one over the
chance of the control group. A model that learns from, and is tested on, these rows keeps saying
what happens without an offer, however well offers work.

Counts are whole, so that every measure takes them as repeated rows: the fraction of a weight is
rounded up or down by a hash of date and customer, with its own chance. They belong to a date: who
was treated in one campaign may be left alone later.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd

from python_ml.campaigns import CONTROL
from python_ml.campaigns.assign import hash_share
from python_ml.engines import Warehouse
from python_ml.engines.sql import literal
from python_ml.settings import Settings

TABLE, WEIGHT = "training_weight", "untreated_weight"
_CUSTOMERS = "silver_campaign_customer"
_COLUMNS = "customer_id, arm, control_propensity, is_contacted, as_of_date, outcome_date"


def untreated_weights(
    warehouse: Warehouse, settings: Settings, dates: Sequence[date]
) -> pd.DataFrame:
    """How often the labels of each customer of a campaign count; all others count once.

    Args:
        warehouse: holds silver_campaign_customer.
        settings: with the length of the horizon.
        dates: as-of dates that the labels are of.

    Returns:
        customer_id, as_of_date and a whole number, untreated_weight: 0 for who was treated, or
        contacted from the control group, in a campaign whose horizon overlaps that of the labels.
    """
    parts = [
        weights_of(_customers_of_campaigns(warehouse, settings, day), day)
        .rename_axis("customer_id")
        .rename(WEIGHT)
        .reset_index()
        .assign(as_of_date=pd.Timestamp(day))
        for day in dates
    ]
    table = pd.concat(parts, ignore_index=True)[["customer_id", "as_of_date", WEIGHT]]
    return table.astype({"customer_id": str, WEIGHT: np.int64})


def _customers_of_campaigns(
    warehouse: Warehouse, settings: Settings, as_of_date: date
) -> pd.DataFrame:
    end = as_of_date + timedelta(days=settings.campaigns.horizon_days)
    return warehouse.query(
        f"select {_COLUMNS} from {_CUSTOMERS} "
        f"where as_of_date < date {literal(end)} and outcome_date > date {literal(as_of_date)}"
    )


def weights_of(customers: pd.DataFrame, as_of_date: date) -> pd.Series:
    """The weights of one date by customer, from rows of campaigns that overlap its labels.

    >>> rows = pd.DataFrame({"customer_id": ["C1", "C2"], "arm": ["control", "offer_large"],
    ...     "control_propensity": [0.25, 0.25], "is_contacted": [False, True]})
    >>> weights_of(rows, date(2024, 12, 31)).to_dict()
    {'C1': 4, 'C2': 0}
    """
    if customers.empty:
        return pd.Series(dtype=np.int64)
    is_alone = (customers["arm"] == CONTROL) & ~customers["is_contacted"].astype(bool)
    exact = np.where(is_alone, 1 / customers["control_propensity"].astype(float), 0.0)
    by_customer = pd.Series(exact).groupby(customers["customer_id"].to_numpy()).prod()
    up = [hash_share(f"{as_of_date}:{customer}") for customer in by_customer.index]
    whole = np.floor(by_customer.to_numpy() + np.array(up) + 1e-9)
    return pd.Series(whole.astype(np.int64), index=by_customer.index)


def write_weights(warehouse: Warehouse, weights: pd.DataFrame, run_id: str) -> None:
    """Keep the weights that a run trains with, so that its version can be evaluated and rebuilt."""
    dates = pd.to_datetime(weights["as_of_date"]).dt.date
    warehouse.write_external(TABLE, weights.assign(as_of_date=dates), run_id)


def read_weights(warehouse: Warehouse, run_id: str) -> pd.DataFrame:
    """The weights that a run has trained with."""
    return warehouse.read_external(TABLE, run_id)[["customer_id", "as_of_date", WEIGHT]]


def without_treated(rows: pd.DataFrame, weights: pd.DataFrame) -> pd.DataFrame:
    """Rows whose label counts at all, each once."""
    return rows[counts_of(rows, weights) > 0].reset_index(drop=True)


def repeated(rows: pd.DataFrame, weights: pd.DataFrame) -> pd.DataFrame:
    """Each row as often as its label counts, in the order of the rows."""
    if weights.empty:
        return rows
    return rows.loc[rows.index.repeat(counts_of(rows, weights))].reset_index(drop=True)


def counts_of(rows: pd.DataFrame, weights: pd.DataFrame) -> np.ndarray:
    """How often the label of each row counts, by customer and as-of date."""
    counts = pd.Series(weights[WEIGHT].to_numpy(dtype=np.int64), index=_keys(weights))
    found: np.ndarray = counts.reindex(_keys(rows)).fillna(1).to_numpy(dtype=np.int64)
    return found


def _keys(rows: pd.DataFrame) -> pd.MultiIndex:
    days = pd.to_datetime(rows["as_of_date"]).astype("datetime64[ns]")
    return pd.MultiIndex.from_arrays([rows["customer_id"].astype(str), days])
