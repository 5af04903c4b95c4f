"""What each customer would do with and without each offer: the truth that no real company has.

A customer has one outcome without an offer (`churn.py`) and one with each. One draw a customer
decides for all offers, so that a larger discount never loses whom a smaller one keeps. Nothing in
the pipeline reads the file; `tests.proof.offer_value` does, to tell what a policy really earned.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import expit, logit

from python_ml.simulate.churn import churn_probability, price_risk
from python_ml.simulate.noise import Floats, uniform
from python_ml.simulate.panel import COMPARISON_CHANNEL, Panel, ProvinceCosts
from python_ml.simulate.reference import calibration
from python_ml.simulate.traits import Traits

TRUTH = Path("_truth") / "offer_response.parquet"
SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("offer", pa.string()),
        ("churn_probability", pa.float64()),  # without an offer
        ("save_probability", pa.float64()),  # that the offer keeps one who would leave
        ("drive_away_probability", pa.float64()),  # that the call drives away one who would stay
        ("leaves_without", pa.bool_()),
        ("leaves_with", pa.bool_()),
    ]
)


def save_probability(
    traits: Traits, panel: Panel, costs: ProvinceCosts, table: Mapping[str, Any]
) -> dict[str, Floats]:
    """Chance of each offer to keep each customer, if it would leave without one.

    Whoever leaves over the price listens to a discount, and to a large one more than to a small
    one; who stands before a renewal decides anyway and can be won; firms have tendered already, and
    where rivals are many or the customer came from a comparison website they have answered too.
    """
    price = price_risk(traits, panel, costs, calibration()["churn"])
    is_price = np.clip((price - table["price_from"]) / table["price_width"], 0.0, 1.0)
    channels = list(calibration()["sales_channels"])
    shift = (
        table["near_renewal"] * _is_near(traits)
        + table["firm"] * (traits.segment > 0)
        + table["high_competition"] * traits.is_high_competition
        + table["comparison"] * (traits.channel == channels.index(COMPARISON_CHANNEL))
    )
    return {
        offer: np.asarray(expit(logit(entry["base"]) + entry["price"] * is_price + shift))
        for offer, entry in table["offers"].items()
    }


def woken_share(traits: Traits, table: Mapping[str, Any]) -> Floats:
    """Chance of a call to drive away who would stay: one who had forgotten the contract."""
    return np.where(_is_near(traits), 0.0, table["woken_share"])


def _is_near(traits: Traits) -> np.ndarray:
    return (traits.months_to_renewal > 0) & (traits.months_to_renewal <= 3)


class TruthFile:
    """The truth of a batch, appended chunk by chunk. Use as a context manager."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._path, self._seed = folder / TRUTH, seed

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(self._path, SCHEMA, compression="zstd")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def write(self, traits: Traits, panel: Panel, costs: ProvinceCosts, leaves: np.ndarray) -> None:
        """One row a customer and offer.

        Args:
            leaves: who leaves without an offer.
        """
        table = calibration()["response"]
        draw = uniform(self._seed, "response", traits.index)
        woken = woken_share(traits, table)
        is_woken = uniform(self._seed, "woken", traits.index) < woken
        ids = traits.customer_id
        probability = churn_probability(traits, panel, costs)
        for offer, saved in save_probability(traits, panel, costs, table).items():
            leaves_with = np.where(leaves, draw >= saved, is_woken)
            columns = [ids, np.full(len(ids), offer), probability, saved, woken]
            columns += [leaves, leaves_with]
            arrays = [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
