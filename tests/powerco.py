"""Files of the shape of the public PowerCo data, with values of our own.

Names, types, number of firms and rough spreads are those of the public files; the values are drawn
at random, with a churn that depends on margin, tenure, renewal, price and consumption.

    python -m tests.powerco FOLDER [FIRMS]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

FIRMS = 14_606
MONTHS = pd.date_range("2015-01-01", periods=12, freq="MS")
_CHANNELS = ("foosdfpfkusacimwkcsosbicdxkicaua", "MISSING", "lmkebamcaaclubfxadlmueccxoimlema")


def _hashes(rng: np.random.Generator, count: int) -> np.ndarray:
    digits = rng.choice(list("0123456789abcdef"), (count, 32))
    return np.array(["".join(row) for row in digits])


def _days(rng: np.random.Generator, first: str, last: str, count: int) -> pd.Series:
    span = (pd.Timestamp(last) - pd.Timestamp(first)).days
    drawn = pd.Timestamp(first) + pd.to_timedelta(rng.integers(0, span, count), unit="D")
    return pd.Series(drawn)


def clients(firms: int, rng: np.random.Generator) -> pd.DataFrame:
    """client_data.csv."""
    activated = _days(rng, "2009-01-01", "2014-12-31", firms)
    ends = _days(rng, "2016-01-28", "2017-02-01", firms)
    modified = activated + pd.to_timedelta(
        ((pd.Timestamp("2015-12-31") - activated).dt.days * rng.random(firms)).astype(int), unit="D"
    )
    energy = (
        np.where(rng.random(firms) < 0.01, 0, rng.lognormal(9.55, 2.0, firms)).round().clip(0, 6e6)
    )
    has_gas = rng.random(firms) < 0.18
    margin = rng.gamma(1.6, 120.0, firms)
    power = np.round(rng.gamma(2.2, 8.2, firms) + 3.3, 3).clip(3.3, 320)
    energy = np.minimum(energy, (power * 8760).round())  # no more than the power delivers
    tenure = (pd.Timestamp("2015-12-31") - activated).dt.days / 365.25
    score = (
        -2.75
        + 0.45 * (margin - margin.mean()) / margin.std()
        - 0.30 * (tenure - tenure.mean()) / tenure.std()
        - 0.35 * (np.log1p(energy) - np.log1p(energy).mean()) / np.log1p(energy).std()
        + 0.55 * (ends < "2016-05-01")
        - 0.25 * has_gas
    )
    churn = rng.random(firms) < 1 / (1 + np.exp(-score))
    last_month = (energy / 12 * rng.gamma(2.0, 0.5, firms)).round()
    frame = {
        "id": _hashes(rng, firms),
        "activity_new": np.where(rng.random(firms) < 0.6, "MISSING", _hashes(rng, firms)),
        "campaign_disc_ele": "",
        "channel_sales": rng.choice(_CHANNELS, firms, p=[0.55, 0.27, 0.18]),
        "cons_12m": energy.astype(int),
        "cons_gas_12m": np.where(has_gas, rng.lognormal(9.0, 1.2, firms).round(), 0).astype(int),
        "cons_last_month": last_month.astype(int),
        "date_activ": activated.dt.strftime("%Y-%m-%d"),
        "date_end": ends.dt.strftime("%Y-%m-%d"),
        "date_first_activ": "",
        "date_modif_prod": modified.dt.strftime("%Y-%m-%d"),
        "date_renewal": (ends - pd.Timedelta(days=365)).dt.strftime("%Y-%m-%d"),
        "forecast_base_bill_ele": "",
        "forecast_base_bill_year": "",
        "forecast_bill_12m": "",
        "forecast_cons": "",
        "forecast_cons_12m": (energy / 12 * rng.random(firms)).round(2),
        "forecast_cons_year": last_month.astype(int),
        "forecast_discount_energy": 0.0,
        "forecast_meter_rent_12m": rng.gamma(2.0, 30.0, firms).round(2),
        "forecast_price_energy_off_peak": rng.normal(0.137, 0.02, firms).round(6),
        "forecast_price_energy_peak": rng.normal(0.05, 0.05, firms).clip(0).round(6),
        "forecast_price_pow_off_peak": rng.normal(43.1, 4.5, firms).round(6),
        "has_gas": np.where(has_gas, "t", "f"),
        "imp_cons": (last_month * 0.15).round(2),
        "margin_gross_pow_ele": rng.gamma(2.0, 12.0, firms).round(2),
        "margin_net_pow_ele": rng.gamma(2.0, 12.0, firms).round(2),
        "nb_prod_act": rng.choice([1, 2, 3, 4], firms, p=[0.78, 0.15, 0.05, 0.02]),
        "net_margin": margin.round(2),
        "num_years_antig": tenure.round().astype(int),
        "origin_up": _hashes(rng, 4)[rng.integers(0, 4, firms)],
        "pow_max": power,
        "churn": churn.astype(int),
    }
    return pd.DataFrame(frame)


def prices(ids: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    """price_data.csv: a row a firm and month, a few missing."""
    firms, months = len(ids), len(MONTHS)
    has_peaks = rng.random(firms) < 0.5  # the others have one price all day
    base = rng.normal(0.141, 0.02, (firms, 1)) * (1 + 0.01 * rng.normal(0, 1, (firms, months)))
    peak = np.where(has_peaks[:, None], base * 0.72, 0.0)
    mid = np.where(has_peaks[:, None], base * 0.5, 0.0)
    frame = pd.DataFrame(
        {
            "id": np.repeat(ids.to_numpy(), months),
            "price_date": np.tile(MONTHS.strftime("%Y-%m-%d"), firms),
            "price_off_peak_var": base.round(6).ravel(),
            "price_peak_var": peak.round(6).ravel(),
            "price_mid_peak_var": mid.round(6).ravel(),
            "price_off_peak_fix": 44.26693,
            "price_peak_fix": np.repeat(np.where(has_peaks, 24.43733, 0.0), months),
            "price_mid_peak_fix": np.repeat(np.where(has_peaks, 16.291555, 0.0), months),
        }
    )
    return frame[rng.random(len(frame)) > 0.0001]


def write(folder: Path, firms: int = FIRMS, seed: int = 5) -> Path:
    """Both files in a folder."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    table = clients(firms, rng)
    table.to_csv(folder / "client_data.csv", index=False)
    prices(table["id"], rng).to_csv(folder / "price_data.csv", index=False)
    return folder


if __name__ == "__main__":
    write(Path(sys.argv[1]), *(int(argument) for argument in sys.argv[2:3]))
