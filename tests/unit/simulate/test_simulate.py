"""The seven files: determinism, any year, dirt, memory, and hours that agree with their months."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import chi2_contingency

from python_ml.errors import UsageError
from python_ml.simulate import run as simulate_run
from python_ml.simulate.churn import churn_logit, churn_probability, draw_churn
from python_ml.simulate.fit import fit_lifecycle
from python_ml.simulate.interactions import draw_interactions
from python_ml.simulate.panel import draw_panel, province_costs
from python_ml.simulate.run import simulate
from python_ml.simulate.traits import draw_traits
from python_ml.simulate.world import World

CUSTOMERS = 120


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("batch") / "raw"
    simulate(out, customers=CUSTOMERS, year=2024, seed=3, threads=2)
    return out


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.mark.slow
def test_same_seed_same_bytes_whatever_the_threads(batch: Path, tmp_path: Path) -> None:
    simulate(tmp_path / "again", customers=CUSTOMERS, year=2024, seed=3, threads=1)
    assert digests(tmp_path / "again") == digests(batch)


@pytest.mark.thorough
def test_another_seed_changes_every_file(batch: Path, tmp_path: Path) -> None:
    simulate(tmp_path / "other", customers=CUSTOMERS, year=2024, seed=4)
    other = digests(tmp_path / "other")
    assert other.keys() == digests(batch).keys()
    same = [name for name, digest in digests(batch).items() if other[name] == digest]
    assert same == []


def test_first_customers_do_not_depend_on_how_many_follow_or_on_chunks(
    batch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate_run, "CHUNK_CUSTOMERS", 7)
    simulate(tmp_path / "few", customers=20, year=2024, seed=3)
    for name in ("churn_label.csv", "customer_attributes.csv", "customer_contracts.csv"):
        few = (tmp_path / "few" / name).read_text(encoding="utf-8").splitlines()
        many = (batch / name).read_text(encoding="utf-8").splitlines()
        assert few == many[:21]
    hours = "consumption_hourly_2024/month=2024-03/part-0.parquet"
    few_hours = duckdb.sql(f"select * from '{tmp_path / 'few' / hours}'").df()
    many_hours = duckdb.sql(f"select * from '{batch / hours}' limit {20 * 744}").df()
    pd.testing.assert_frame_equal(few_hours, many_hours)


@pytest.mark.parametrize(("year", "hours"), [(2023, 8760), (2028, 8784)])
def test_any_year(tmp_path: Path, year: int, hours: int) -> None:
    result = simulate(tmp_path / "raw", customers=5, year=year, seed=1)
    assert result.rows[f"consumption_hourly_{year}"] == 5 * hours
    table = f"'{tmp_path}/raw/consumption_hourly_{year}/*/*.parquet'"
    first, last, distinct = duckdb.sql(
        f'select min("timestamp"), max("timestamp"), count(distinct "timestamp") from {table}'
    ).fetchall()[0]
    assert (first, last) == (dt.datetime(year, 1, 1), dt.datetime(year, 12, 31, 23))
    assert distinct == hours
    prices = pd.read_csv(tmp_path / "raw" / "price_history.csv")
    assert set(prices["pricing_date"].str[:4]) == {str(year)}


def test_no_interaction_after_november(batch: Path) -> None:
    rows = json.loads((batch / "customer_interactions.json").read_text(encoding="utf-8"))
    assert max(row["date"] for row in rows) <= "2024-11-30"
    assert {*rows[0]} == {"customer_id", "date", "channel", "interaction_summary"}


def test_hours_are_sorted_and_complete(batch: Path) -> None:
    for path in (batch / "consumption_hourly_2024").rglob("*.parquet"):
        frame = duckdb.sql(f"select customer_id, \"timestamp\" from '{path}'").df()
        frame["customer_id"] = frame["customer_id"].ffill()
        assert frame.equals(frame.sort_values(["customer_id", "timestamp"], ignore_index=True))
        assert (frame.groupby("customer_id").size() == len(frame) / CUSTOMERS).all()


@pytest.mark.parametrize(("customers", "digits"), [(300, 5), (99_999, 5), (100_000, 6)])
def test_ids_are_in_the_order_of_the_customers(customers: int, digits: int) -> None:
    """Landing keeps hourly files as they are only if they are in the order of their ids."""
    world = World(customers, year=2024, seed=1)
    index = np.array([0, 8, 9, customers - 2, customers - 1])
    ids = draw_traits(1, index, world.id_digits).customer_id
    assert list(ids) == sorted(ids) and {len(each) for each in ids} == {1 + digits}


def test_hours_add_up_to_the_months_they_divide(batch: Path) -> None:
    index = np.arange(CUSTOMERS)
    traits = draw_traits(3, index)
    panel = draw_panel(3, traits, province_costs(3))
    table = f"'{batch}/consumption_hourly_2024/*/*.parquet'"
    sums = duckdb.sql(
        f"""
        select customer_id, sum(greatest(consumption_elec_kwh, 0)) as elec,
            sum(greatest(consumption_gas_m3, 0)) as gas
        from {table} where customer_id is not null group by customer_id order by customer_id
        """
    ).df()
    for found, expected in ((sums["elec"], panel.elec_kwh), (sums["gas"], panel.gas_m3)):
        total = expected.sum(axis=1)
        assert np.abs(found - total)[total > 50].max() < 0.05 * total.max()
        relative = (found / total)[total > 50]
        assert relative.between(0.93, 1.07).all()
        assert relative.mean() == pytest.approx(1.0, abs=0.01)
    assert (sums["gas"][panel.gas_m3.sum(axis=1) == 0] == 0).all()


def test_households_peak_in_the_evening_and_heat_in_winter(batch: Path) -> None:
    homes = pd.read_csv(batch / "customer_attributes.csv").query("is_industrial == 0")
    hourly = duckdb.sql(
        f"""
        select customer_id, hour("timestamp") as hour, month("timestamp") as month,
            sum(consumption_elec_kwh) as elec, sum(consumption_gas_m3) as gas
        from '{batch}/consumption_hourly_2024/*/*.parquet' group by all
        """
    ).df()
    hourly = hourly[hourly["customer_id"].isin(homes["customer_id"])]
    by_hour = hourly.groupby("hour")["elec"].sum()
    assert by_hour.idxmax() in {20, 21, 22}
    assert by_hour[4] < 0.7 * by_hour[21]
    by_month = hourly.groupby("month")["gas"].sum()
    assert by_month[[12, 1, 2]].sum() > 5 * by_month[[6, 7, 8]].sum()


def test_raw_dirt_is_there(batch: Path) -> None:
    contracts = pd.read_csv(batch / "customer_contracts.csv")
    spelled = contracts["sales_channel"]
    assert (spelled != spelled.str.strip()).any() and (spelled != spelled.str.lower()).any()
    assert contracts["last_product_change_date"].isna().mean() == pytest.approx(0.303, abs=0.15)
    negative = duckdb.sql(
        f"select avg((consumption_elec_kwh < 0)::int) from '{batch}/*/*/*.parquet'"
    ).fetchall()[0][0]
    assert negative == pytest.approx(0.00259, rel=0.06)
    prices = pd.read_csv(batch / "price_history.csv")
    assert len(prices) < CUSTOMERS * 12
    assert (prices["variable_price_tier1_eur_kwh"] == 0).any()


def test_a_failure_leaves_the_old_batch(
    batch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "raw"
    simulate(out, customers=3, seed=1)
    before = digests(out)

    def fail(*_args: object, **_kwargs: object) -> int:
        raise OSError("disk full")

    monkeypatch.setattr(simulate_run, "write_hours", fail)
    with pytest.raises(OSError, match="disk full"):
        simulate(out, customers=4, seed=2)
    assert digests(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


@pytest.mark.parametrize(
    "wrong", [{"customers": 0}, {"threads": 0}, {"text_signal": "loud"}, {"year": 0}]
)
def test_senseless_values_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        simulate(tmp_path / "raw", **{"customers": 5, **wrong})


def peak_memory_mb(customers: int, out: Path) -> float:
    """Peak resident memory of a simulation in chunks of 256 customers, in a process of its own."""
    code = (
        "import resource, sys, pathlib; from python_ml.simulate import run; "
        "run.CHUNK_CUSTOMERS = 256; "
        "run.simulate(pathlib.Path(sys.argv[2]), customers=int(sys.argv[1]), threads=1); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(customers), str(out)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


@pytest.mark.slow
def test_memory_does_not_grow_with_customers(tmp_path: Path) -> None:
    small = peak_memory_mb(512, tmp_path / "small")
    # A month of 2,560 customers is 1.9 million rows, or 60 MB; a frame of them would show, every
    # time. A busy machine adds to a peak now and then.
    tries = (peak_memory_mb(2560, tmp_path / f"large-{number}") for number in range(3))
    assert any(large < small + 40 for large in tries)


def draws(customers: int, text_signal: str) -> pd.DataFrame:
    index = np.arange(customers)
    traits, costs = draw_traits(5, index), province_costs(5)
    churned = draw_churn(5, traits, draw_panel(5, traits, costs), costs)
    found = draw_interactions(5, traits, churned, dt.date(2024, 12, 31), text_signal)
    frame = pd.DataFrame({"customer": found.customer, "summary": found.summary})
    # Any word that only complaints use will do.
    frame["complains"] = frame["summary"].str.contains("complain|escalat", case=False)
    newest = frame.groupby("customer").tail(1)
    return newest.assign(churned=churned[newest["customer"]])


def test_text_signal_sets_what_the_text_knows_of_the_outcome() -> None:
    lift = {}
    for signal in ("as-published", "weak", "none"):
        frame = draws(12000, signal)
        table = pd.crosstab(frame["churned"], frame["complains"])
        p_value = chi2_contingency(table).pvalue
        rate = frame.groupby("churned")["complains"].mean()
        lift[signal] = rate[True] - rate[False]
        assert p_value > 0.01 if signal == "none" else p_value < 1e-9
    assert lift["as-published"] > 2 * lift["weak"] > 4 * abs(lift["none"])


def test_contact_itself_goes_with_churn_in_every_setting() -> None:
    for signal in ("as-published", "none"):
        frame = draws(8000, signal)
        assert 0.14 < frame["churned"].mean() < 0.20


def test_hazard_follows_renewal_rivals_and_tenure() -> None:
    traits, costs = draw_traits(9, np.arange(20000)), province_costs(9)
    p = churn_probability(traits, draw_panel(9, traits, costs), costs)
    near = (traits.months_to_renewal > 0) & (traits.months_to_renewal <= 3)
    assert p[near].mean() > 2.5 * p[~near].mean()
    assert p[traits.is_high_competition].mean() > 1.4 * p[~traits.is_high_competition].mean()
    assert p[traits.tenure_months > 60].mean() < 0.7 * p[traits.tenure_months <= 60].mean()
    assert p.min() > 0.0 and p.max() < 1.0


def test_lifecycle_constants_are_those_that_the_fit_finds() -> None:
    fitted = fit_lifecycle(40_000, seed=123, rounds=25)
    traits, costs = draw_traits(6, np.arange(4000)), province_costs(6)
    panel = draw_panel(6, traits, costs)
    p = churn_probability(traits, panel, costs)
    again = expit(churn_logit(traits, panel, costs, fitted))
    # Other customers, so that groups of a few hundred move by chance; the whole does not.
    assert again.mean() == pytest.approx(p.mean(), abs=0.004)
    assert np.abs(again - p).mean() < 0.012
    assert np.corrcoef(again, p)[0, 1] > 0.99
