"""Labels that tell what customers do if nobody makes an offer.

Whoever was offered something in a campaign is no example of being left alone, whether the offer
worked or not: such labels are left out. The control group of the same campaign stands for them:
each of its customers counts once for each who could have been drawn in its place, one over the
chance of the control group. A model that learns from, and is tested on, these rows keeps saying
what happens without an offer, however well offers work.

Counts are whole, so that every measure takes them as repeated rows: the fraction of a weight is
rounded up or down by a hash of date and customer, with its own chance.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from python_ml.campaigns import CONTROL
from python_ml.campaigns.assign import hash_share
from python_ml.engines import Warehouse
from python_ml.engines.sql import literal
from python_ml.settings import Settings

TABLE = "training_weight"
_CUSTOMERS = "silver_campaign_customer"
_COLUMNS = "customer_id, arm, control_propensity, is_contacted, as_of_date, outcome_date"


def untreated_weights(warehouse: Warehouse, settings: Settings, as_of_date: date) -> pd.Series:
    """How often the label of each customer of a campaign counts; all others count once.

    Args:
        warehouse: holds silver_campaign_customer.
        settings: with the length of the horizon.
        as_of_date: that the labels are of.

    Returns:
        Whole numbers by customer: 0 for who was treated, or contacted from the control group, in a
        campaign whose horizon overlaps that of the labels.
    """
    end = as_of_date + timedelta(days=settings.campaigns.horizon_days)
    rows = warehouse.query(
        f"select {_COLUMNS} from {_CUSTOMERS} "
        f"where as_of_date < date {literal(end)} and outcome_date > date {literal(as_of_date)}"
    )
    return weights_of(rows, as_of_date)


def weights_of(customers: pd.DataFrame, as_of_date: date) -> pd.Series:
    """The weights of `untreated_weights`, from rows of campaigns that overlap the labels.

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


def write_weights(warehouse: Warehouse, weights: pd.Series, as_of_date: date, run_id: str) -> None:
    """Keep the weights that a run trains with, so that its version can be evaluated and rebuilt."""
    table = pd.DataFrame(
        {
            "customer_id": weights.index.astype(str),
            "as_of_date": as_of_date,
            "untreated_weight": weights.to_numpy(dtype=np.int64),
        }
    )
    warehouse.write_external(TABLE, table, run_id)


def read_weights(warehouse: Warehouse, run_id: str) -> pd.Series:
    """The weights that a run has trained with."""
    table = warehouse.read_external(TABLE, run_id)
    weights = table.set_index("customer_id")["untreated_weight"]
    return weights.astype(np.int64)


def without_treated(rows: pd.DataFrame, weights: pd.Series) -> pd.DataFrame:
    """Rows of customers whose label counts at all, each once."""
    return rows[rows["customer_id"].map(weights).fillna(1) > 0].reset_index(drop=True)


def repeated(rows: pd.DataFrame, weights: pd.Series) -> pd.DataFrame:
    """Each row as often as its label counts, in the order of the rows."""
    if weights.empty:
        return rows
    count = rows["customer_id"].map(weights).fillna(1).astype(int)
    return rows.loc[rows.index.repeat(count)].reset_index(drop=True)
