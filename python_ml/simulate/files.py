"""The six small raw files, written chunk by chunk, with their dirt."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from python_ml.simulate.interactions import Interactions
from python_ml.simulate.noise import uniform
from python_ml.simulate.panel import MONTHS, Panel, ProvinceCosts
from python_ml.simulate.reference import calibration, provinces
from python_ml.simulate.traits import DAYS_A_MONTH, Traits


def customer_ids(index: np.ndarray) -> np.ndarray:
    """C00001 for index 0."""
    return np.array([f"C{i + 1:05d}" for i in index], dtype=object)


def _days(months: np.ndarray) -> np.ndarray:
    return np.round(months * DAYS_A_MONTH).astype("timedelta64[D]")


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
        codes = provinces().code
        months = [f"{self._year}-{month:02d}" for month in range(1, MONTHS + 1)]
        frame = pd.DataFrame(
            {
                "month": np.repeat(months, len(codes)),
                "province": np.tile(codes, MONTHS),
                "elec_var_cost_eur_kwh": costs.elec.T.ravel(),
                "gas_var_cost_eur_m3": costs.gas.T.ravel(),
                "peaje_elec_eur_kwh": costs.toll.T.ravel(),
            }
        )
        self._append("costs_by_province_month", frame)

    def write_customers(self, traits: Traits, churned: np.ndarray) -> None:
        """churn_label, customer_attributes and customer_contracts of a chunk."""
        ids, table = customer_ids(traits.index), provinces()
        self._append(
            "churn_label", pd.DataFrame({"customer_id": ids, "churn": churned.astype(int)})
        )
        attributes = pd.DataFrame(
            {
                "customer_id": ids,
                "contracted_power_kw": traits.power_kw,
                "is_industrial": (traits.segment > 0).astype(int),
                "is_second_residence": traits.is_second_residence.astype(int),
                "province_code": table.code[traits.province],
                "region": table.region[traits.province],
                "is_high_competition_province": traits.is_high_competition.astype(int),
                "is_urban": traits.is_urban.astype(int),
            }
        )
        self._append("customer_attributes", attributes)
        self._append("customer_contracts", self._contracts(traits, ids))

    def _contracts(self, traits: Traits, ids: np.ndarray) -> pd.DataFrame:
        first = self._as_of - _days(traits.tenure_months)
        renewal = self._as_of + _days(traits.months_to_renewal)
        start = np.maximum(renewal - np.timedelta64(365, "D"), first)
        change = self._as_of - _days(np.nan_to_num(traits.months_since_change))
        return pd.DataFrame(
            {
                "customer_id": ids,
                "sales_channel": self._channel_spellings(traits),
                "customer_first_activation_date": first,
                "contract_start_date": np.minimum(start, self._as_of),
                "last_product_change_date": np.where(
                    np.isnan(traits.months_since_change), np.datetime64("NaT"), change
                ),
                "next_renewal_date": renewal,
            }
        )

    def _channel_spellings(self, traits: Traits) -> list[str]:
        """Dirt: each row spells its channel in one of several ways."""
        spellings = [e["spellings"] for e in calibration()["sales_channels"].values()]
        u = uniform(self._seed, "spelling", traits.index)
        return [
            spellings[channel][int(x * len(spellings[channel]))]
            for channel, x in zip(traits.channel, u, strict=True)
        ]

    def write_prices(self, traits: Traits, panel: Panel) -> None:
        """price_history: one row a customer and month, but for the missing ones."""
        dirt, ratio = calibration()["dirt"], calibration()["prices"]["tier_ratio"]
        grid = traits.index[:, None] * 4096 + np.arange(MONTHS)
        u = uniform(self._seed, "price_dirt", grid)
        missing = u < dirt["price_row_missing_share"]
        zero = ~missing & (u < dirt["price_row_missing_share"] + dirt["price_zero_share"])
        nameless = (
            uniform(self._seed, "price_nameless", grid) < (dirt["price_without_customer_share"])
        )
        used = np.where(traits.has_elec[:, None] & ~zero, panel.tier1_price, 0.0)
        ids = np.repeat(customer_ids(traits.index)[:, None], MONTHS, axis=1)
        dates = np.array(
            [np.datetime64(dt.date(self._year, month, 1)) for month in range(1, MONTHS + 1)]
        )

        def spread(values: np.ndarray) -> np.ndarray:
            return np.repeat(values[:, None], MONTHS, axis=1)

        columns = {
            "customer_id": np.where(nameless, "", ids),
            "pricing_date": np.repeat(dates[None, :], len(traits), axis=0),
            "variable_price_tier1_eur_kwh": np.round(used * ratio[0], 5),
            "variable_price_tier2_eur_kwh": np.round(used * ratio[1], 5),
            "variable_price_tier3_eur_kwh": np.round(used * ratio[2], 5),
            "elec_fixed_fee_eur_month": spread(panel.fixed_fee),
            "elec_fixed_cost_eur_month": spread(panel.fixed_cost),
            "gas_variable_price_eur_m3": spread(panel.gas_price),
            "gas_fixed_revenue_eur_year": spread(panel.gas_fixed_revenue),
            "gas_fixed_cost_eur_year": spread(panel.gas_fixed_cost),
        }
        keep = ~missing
        self._append("price_history", pd.DataFrame({k: v[keep] for k, v in columns.items()}))

    def write_interactions(self, ids: np.ndarray, interactions: Interactions) -> None:
        """customer_interactions: a JSON array, one element a line."""
        name = "customer_interactions"
        if name not in self._open:
            self._open[name] = (self._out / f"{name}.json").open("w", encoding="utf-8", newline="")
            self._open[name].write("[")
        file = self._open[name]
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
            file.write("\n" if self._first_interaction else ",\n")
            file.write(json.dumps(row, ensure_ascii=False))
            self._first_interaction = False
        self.rows[name] += len(interactions.customer)
