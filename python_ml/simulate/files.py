"""The six small raw files, written chunk by chunk, with their dirt."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from python_ml.simulate.interactions import Interactions
from python_ml.simulate.noise import uniform
from python_ml.simulate.panel import MONTHS, Panel, ProvinceCosts, month_grid
from python_ml.simulate.reference import calibration, provinces
from python_ml.simulate.traits import DAYS_A_MONTH, Traits


def days_of(months: np.ndarray) -> np.ndarray:
    """Months of 30.44 days as whole days."""
    return np.round(months * DAYS_A_MONTH).astype("timedelta64[D]")


@dataclass(frozen=True)
class ContractDates:
    """Days, one a customer; `change` is NaT where the product never changed."""

    first: np.ndarray
    change: np.ndarray
    renewal: np.ndarray

    @classmethod
    def of(cls, traits: Traits, as_of: np.datetime64) -> ContractDates:
        change = as_of - days_of(np.nan_to_num(traits.months_since_change))
        return cls(
            first=as_of - days_of(traits.tenure_months),
            change=np.where(np.isnan(traits.months_since_change), np.datetime64("NaT"), change),
            renewal=as_of + days_of(traits.months_to_renewal),
        )

    def part(self, mask: np.ndarray) -> ContractDates:
        return ContractDates(self.first[mask], self.change[mask], self.renewal[mask])


class SmallFiles:
    """Open files that each chunk is appended to. Use as a context manager."""

    def __init__(self, out: Path, seed: int, year: int) -> None:
        self._out, self._seed, self._year = out, seed, year
        self._as_of = np.datetime64(dt.date(year, 12, 31))
        self._open: dict[str, TextIO] = {}
        self._first_interaction = True
        self.rows = {
            "churn_label": 0,
            "customer_attributes": 0,
            "customer_contracts": 0,
            "price_history": 0,
            "costs_by_province_month": 0,
            "customer_interactions": 0,
        }

    def __enter__(self) -> SmallFiles:
        return self

    def __exit__(self, *_exc: object) -> None:
        if "customer_interactions" in self._open:
            self._open["customer_interactions"].write("\n]\n")
        for file in self._open.values():
            file.close()

    def _append(self, name: str, frame: pd.DataFrame) -> None:
        first = name not in self._open
        if first:
            self._open[name] = (self._out / f"{name}.csv").open("w", encoding="utf-8", newline="")
        frame.to_csv(self._open[name], index=False, header=first, lineterminator="\n")
        self.rows[name] += len(frame)

    def write_costs(self, costs: ProvinceCosts) -> None:
        """costs_by_province_month: one row a month and province."""
        months = [f"{self._year}-{month:02d}" for month in range(1, MONTHS + 1)]
        self._append("costs_by_province_month", cost_frame(costs, months))

    def write_customers(self, traits: Traits, churned: np.ndarray) -> None:
        """churn_label, customer_attributes and customer_contracts of a chunk."""
        ids = traits.customer_id
        self._append(
            "churn_label", pd.DataFrame({"customer_id": ids, "churn": churned.astype(int)})
        )
        self._append("customer_attributes", attribute_frame(traits))
        dates = ContractDates.of(traits, self._as_of)
        self._append("customer_contracts", contract_frame(self._seed, traits, dates, self._as_of))

    def write_prices(self, traits: Traits, panel: Panel) -> None:
        """price_history: one row a customer and month, but for the missing ones."""
        months = [np.datetime64(dt.date(self._year, month, 1)) for month in range(1, MONTHS + 1)]
        self._append("price_history", price_frame(self._seed, traits, panel, months))

    def write_interactions(self, ids: np.ndarray, interactions: Interactions) -> None:
        """customer_interactions: a JSON array, one element a line."""
        name = "customer_interactions"
        if name not in self._open:
            self._open[name] = (self._out / f"{name}.json").open("w", encoding="utf-8", newline="")
            self._open[name].write("[")
        for line in interaction_lines(ids, interactions):
            self._open[name].write("\n" if self._first_interaction else ",\n")
            self._open[name].write(line)
            self._first_interaction = False
        self.rows[name] += len(interactions.customer)


def cost_frame(costs: ProvinceCosts, months: Sequence[str]) -> pd.DataFrame:
    """Rows of costs_by_province_month; every year takes the course of the first."""
    codes = provinces().code
    at = [int(month[-2:]) - 1 for month in months]
    return pd.DataFrame(
        {
            "month": np.repeat(months, len(codes)),
            "province": np.tile(codes, len(months)),
            "elec_var_cost_eur_kwh": costs.elec[:, at].T.ravel(),
            "gas_var_cost_eur_m3": costs.gas[:, at].T.ravel(),
            "peaje_elec_eur_kwh": costs.toll[:, at].T.ravel(),
        }
    )


def attribute_frame(traits: Traits) -> pd.DataFrame:
    """Rows of customer_attributes."""
    table = provinces()
    return pd.DataFrame(
        {
            "customer_id": traits.customer_id,
            "contracted_power_kw": traits.power_kw,
            "is_industrial": (traits.segment > 0).astype(int),
            "is_second_residence": traits.is_second_residence.astype(int),
            "province_code": table.code[traits.province],
            "region": table.region[traits.province],
            "is_high_competition_province": traits.is_high_competition.astype(int),
            "is_urban": traits.is_urban.astype(int),
        }
    )


def contract_frame(
    seed: int, traits: Traits, dates: ContractDates, as_of: np.datetime64
) -> pd.DataFrame:
    """Rows of customer_contracts."""
    start = np.maximum(dates.renewal - np.timedelta64(365, "D"), dates.first)
    return pd.DataFrame(
        {
            "customer_id": traits.customer_id,
            "sales_channel": _channel_spellings(seed, traits),
            "customer_first_activation_date": dates.first,
            "contract_start_date": np.minimum(start, as_of),
            "last_product_change_date": dates.change,
            "next_renewal_date": dates.renewal,
        }
    )


def _channel_spellings(seed: int, traits: Traits) -> list[str]:
    """Dirt: each row spells its channel in one of several ways."""
    spellings = [e["spellings"] for e in calibration()["sales_channels"].values()]
    u = uniform(seed, "spelling", traits.index)
    return [
        spellings[channel][int(x * len(spellings[channel]))]
        for channel, x in zip(traits.channel, u, strict=True)
    ]


def price_frame(
    seed: int,
    traits: Traits,
    panel: Panel,
    months: Sequence[np.datetime64],
    first_month: int = 0,
) -> pd.DataFrame:
    """Rows of price_history, but for the missing ones.

    Args:
        panel: with one peak price for each of `months`.
        months: first days of following months.
        first_month: number of the first of them; 0 is the first January simulated.
    """
    dirt, ratio = calibration()["dirt"], calibration()["prices"]["tier_ratio"]
    grid = month_grid(traits.index, first_month, len(months))
    u = uniform(seed, "price_dirt", grid)
    missing = u < dirt["price_row_missing_share"]
    zero = ~missing & (u < dirt["price_row_missing_share"] + dirt["price_zero_share"])
    nameless = uniform(seed, "price_nameless", grid) < (dirt["price_without_customer_share"])
    used = np.where(traits.has_elec[:, None] & ~zero, panel.tier1_price, 0.0)

    def spread(values: np.ndarray) -> np.ndarray:
        return np.repeat(values[:, None], len(months), axis=1)

    columns = {
        "customer_id": np.where(nameless, "", spread(traits.customer_id)),
        "pricing_date": np.repeat(np.array(months)[None, :], len(traits), axis=0),
        "variable_price_tier1_eur_kwh": np.round(used * ratio[0], 5),
        "variable_price_tier2_eur_kwh": np.round(used * ratio[1], 5),
        "variable_price_tier3_eur_kwh": np.round(used * ratio[2], 5),
        "elec_fixed_fee_eur_month": spread(panel.fixed_fee),
        "elec_fixed_cost_eur_month": spread(panel.fixed_cost),
        "gas_variable_price_eur_m3": spread(panel.gas_price),
        "gas_fixed_revenue_eur_year": spread(panel.gas_fixed_revenue),
        "gas_fixed_cost_eur_year": spread(panel.gas_fixed_cost),
    }
    return pd.DataFrame({name: values[~missing] for name, values in columns.items()})


def interaction_lines(
    ids: np.ndarray, interactions: Interactions, recorded: str | None = None
) -> Iterator[str]:
    """One JSON object an interaction, with the day from which it was known where that is told."""
    for customer, date, channel, summary in zip(
        interactions.customer,
        interactions.date,
        interactions.channel,
        interactions.summary,
        strict=True,
    ):
        row = {
            "customer_id": ids[customer],
            "date": date.isoformat(),
            "channel": channel,
            "interaction_summary": summary,
        }
        if recorded is not None:
            row["recorded_date"] = recorded
        yield json.dumps(row, ensure_ascii=False)
