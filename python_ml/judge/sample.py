"""A random sample of customers where gold does not fit in memory, stated wherever it is used.

Who is drawn follows from the customer id alone, so that all rows of a customer are in or out, a
larger sample contains a smaller one, and a customer stays drawn from run to run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from python_ml.campaigns.assign import hash_share
from python_ml.contracts.gold import GOLD
from python_ml.engines import Warehouse
from python_ml.engines.sql import literal

# So that the draw has nothing to do with that of campaigns or of the test part.
_PREFIX = "sample:"


@dataclass(frozen=True)
class CustomerSample:
    """Customers whose hash is below `share`: about that share of all; 1 is everybody."""

    share: float

    @classmethod
    def of(cls, customer_count: int, maximum_count: int) -> CustomerSample:
        """About `maximum_count` customers of more, or everybody.

        >>> CustomerSample.of(1_000_000, 250_000)
        CustomerSample(share=0.25)
        >>> CustomerSample.of(20_099, 250_000).is_everybody
        True
        """
        return cls(min(1.0, maximum_count / max(customer_count, 1)))

    @property
    def is_everybody(self) -> bool:
        return self.share >= 1

    def condition(self, warehouse: Warehouse) -> str:
        """That a row's `customer_id` is drawn, as SQL."""
        drawn = warehouse.hash_share(f"{literal(_PREFIX)} || customer_id")
        return f"{drawn} < {self.share!r}"

    def drawn(self, customer_ids: pd.Series) -> np.ndarray:
        """Which of n customers are drawn, n booleans."""
        if self.is_everybody:
            return np.ones(len(customer_ids), dtype=bool)
        return np.array([hash_share(f"{_PREFIX}{one}") < self.share for one in customer_ids])


EVERYBODY = CustomerSample(1.0)


def sample_of_date(warehouse: Warehouse, as_of_date: date, maximum_count: int) -> CustomerSample:
    """The sample of the customers that gold_master has as of a date.

    Nothing is asked where the whole table is small enough, as far as the catalog knows.
    """
    known = warehouse.row_counts([GOLD]).get(GOLD)
    if known is not None and known <= maximum_count:
        return EVERYBODY
    counted = warehouse.query(
        f"select count(*) as customer_count from {GOLD} "
        f"where as_of_date = date {literal(as_of_date)}"
    )
    return CustomerSample.of(int(counted["customer_count"].iloc[0]), maximum_count)
