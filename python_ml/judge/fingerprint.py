"""Which data is this? An acceptance of an alarm holds for the data that it was given for.

Two answers: a sketch of the customers, which most later batches of the same company share and no
other company does; and whether the texts were written by the simulator, as those of the demo are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

import pandas as pd

from python_ml.engines import Warehouse
from python_ml.engines.sql import literal
from python_ml.simulate.texts import is_composed

SKETCH_SIZE = 16
# Of 16 hashes. Batches of one company a quarter apart share about 14; of two companies none.
MINIMUM_SHARED = 6
SIMULATED = "simulated"
LOOKED_AT_TEXTS = 300  # drawn by their hash; one that the simulator cannot have written is enough


@dataclass(frozen=True)
class DataFingerprint:
    """The customers' sketch, as the settings quote it, and whether the texts are the demo's."""

    customers: str
    is_simulated: bool

    def matches(self, data: str) -> bool:
        """Whether an acceptance that was given for `data` holds for this data."""
        if data == SIMULATED:
            return self.is_simulated
        ours = set(filter(None, self.customers.split("-")))
        return bool(ours) and len(ours & set(data.split("-"))) >= min(MINIMUM_SHARED, len(ours))


def data_fingerprint(warehouse: Warehouse, as_of_date: date) -> DataFingerprint:
    """Fingerprint of the customers and texts that are known on a date."""
    where = f"as_of_date = date {literal(as_of_date)}"
    customers = warehouse.query(
        f"select customer_id, customer_first_activation_date as day from silver_customer "
        f"where {where}"
    )
    texts = warehouse.query(
        "select text_hash, min(interaction_summary) as text from silver_interaction "
        f"where {where} and interaction_summary is not null group by text_hash "
        f"order by text_hash limit {LOOKED_AT_TEXTS}"
    )
    written = texts["text"].tolist()
    days = pd.to_datetime(customers["day"]).dt.strftime("%Y-%m-%d").fillna("")
    keys = (customers["customer_id"] + "|" + days).tolist()
    return DataFingerprint(sketch(keys), bool(written) and all(map(is_composed, written)))


def sketch(keys: list[str]) -> str:
    """The least of the keys' hashes (bottom-k sketch; Cohen and Kaplan 2007), as a short text.

    What two sets share of their sketches estimates what they share of their keys.
    """
    digests = sorted(hashlib.blake2b(key.encode(), digest_size=12).hexdigest() for key in set(keys))
    # The first digits of the least hashes are all alike.
    return "-".join(digest[-5:] for digest in digests[:SKETCH_SIZE])
