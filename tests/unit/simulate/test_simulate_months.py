"""Months after the first year: what is delivered, who stays, labels that mature, the shifts."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from python_ml.errors import UsageError
from python_ml.simulate.contacts import draw_month_contacts
from python_ml.simulate.lifecycle import Course, draw_course, label_probability
from python_ml.simulate.panel import province_costs
from python_ml.simulate.run import append_month, simulate
from python_ml.simulate.world import World
from tests.unit.simulate.test_simulate import digests

pytestmark = pytest.mark.thorough

CUSTOMERS = 150


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("base") / "raw"
    simulate(out, customers=CUSTOMERS, seed=3, readings="typical-days")
    return out


@pytest.fixture(scope="module")
def five_months(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("months") / "raw"
    simulate(out, customers=CUSTOMERS, seed=3, readings="typical-days", months=5)
    return out


@pytest.mark.slow
def test_appended_months_are_those_simulated_at_once(
    five_months: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("python_ml.simulate.month.CHUNK_CUSTOMERS", 17)
    out = tmp_path / "raw"
    simulate(out, customers=CUSTOMERS, seed=3, readings="typical-days")
    for month in range(1, 6):
        result = append_month(out, f"2025-{month:02d}")
    assert (result.months, result.as_of_date) == (5, "2025-05-31")
    appended, at_once = digests(out), digests(five_months)
    # The markers tell how many months were asked for at first.
    assert appended.pop("_simulation.json") != at_once.pop("_simulation.json")
    assert appended == at_once


def test_a_month_leaves_the_files_of_earlier_ones(base: Path, five_months: Path) -> None:
    before, after = digests(base), digests(five_months)
    hours = {name for name in before if name.startswith("consumption_hourly_2024")}
    assert len(hours) == 12 and all(before[name] == after[name] for name in hours)
    new = {name for name in after if name.startswith("consumption_hourly_2025")}
    assert new == {f"consumption_hourly_2025/month=2025-0{m}/part-0.parquet" for m in range(1, 6)}


@pytest.mark.parametrize("name", ["price_history", "costs_by_province_month"])
def test_full_exports_go_on_where_they_ended(base: Path, five_months: Path, name: str) -> None:
    old = (base / f"{name}.csv").read_text(encoding="utf-8")
    assert (five_months / f"{name}.csv").read_text(encoding="utf-8").startswith(old)


def test_interactions_go_on_and_lag_by_a_month(base: Path, five_months: Path) -> None:
    old = json.loads((base / "customer_interactions.json").read_text(encoding="utf-8"))
    new = json.loads((five_months / "customer_interactions.json").read_text(encoding="utf-8"))
    assert new[: len(old)] == old and len(new) > len(old)
    assert min(row["date"] for row in new[len(old) :]) >= "2024-12-01"
    assert max(row["date"] for row in new) <= "2025-04-30"


def test_labels_of_earlier_dates_mature(five_months: Path) -> None:
    labels = pd.read_csv(five_months / "churn_label.csv")
    assert sorted(labels["label_date"].unique()) == ["2024-12-31", "2025-01-31", "2025-02-28"]
    assert not labels.duplicated(["customer_id", "label_date"]).any()
    ends = pd.to_datetime(labels["label_date"]) + pd.to_timedelta(labels["horizon_days"], "D")
    assert ends.max() <= pd.Timestamp("2025-05-31")
    contracts = pd.read_csv(five_months / "customer_contracts.csv")
    here = contracts.groupby("snapshot_date")["customer_id"].agg(set)
    for date, part in labels.groupby("label_date"):
        end = str((pd.Timestamp(str(date)) + pd.offsets.MonthEnd(3)).date())
        assert set(part["customer_id"]) == here[date]
        # Who left is in no snapshot at the end of the horizon, who stayed is in it.
        left = set(part.loc[part["churn"] == 1, "customer_id"])
        assert here[date] - here[end] == left


def test_some_leave_and_some_arrive(five_months: Path) -> None:
    contracts = pd.read_csv(
        five_months / "customer_contracts.csv",
        parse_dates=["snapshot_date", "customer_first_activation_date", "next_renewal_date"],
    )
    snapshots = [set(part) for _, part in contracts.groupby("snapshot_date")["customer_id"]]
    assert len(snapshots) == 6
    for before, after in pairwise(snapshots):
        assert before - after and len(after - before) == 5
    everybody = contracts.groupby("customer_id")["snapshot_date"].agg(["min", "max", "count"])
    months = (everybody["max"].dt.to_period("M") - everybody["min"].dt.to_period("M")).map(
        lambda offset: offset.n + 1
    )
    assert (months == everybody["count"]).all()  # nobody comes back
    assert (contracts["customer_first_activation_date"] <= contracts["snapshot_date"]).all()
    # A contract that ran out is renewed within a month.
    days = (contracts["next_renewal_date"] - contracts["snapshot_date"]).dt.days
    assert days.min() >= -31 and days.max() <= 366
    attributes = pd.read_csv(five_months / "customer_attributes.csv")
    assert (attributes["customer_id"] == contracts["customer_id"]).all()


def test_hours_are_those_of_the_customers_at_the_end_of_the_month(five_months: Path) -> None:
    contracts = pd.read_csv(five_months / "customer_contracts.csv")
    for month, end in (("2025-01", "2025-01-31"), ("2025-02", "2025-02-28")):
        path = five_months / f"consumption_hourly_2025/month={month}/part-0.parquet"
        frame = duckdb.sql(f"select * from '{path}' where customer_id is not null").df()
        assert set(frame["customer_id"]) == set(
            contracts.loc[contracts["snapshot_date"] == end, "customer_id"]
        )
        assert (frame["timestamp"].dt.strftime("%Y-%m") == month).all()
        assert str(frame["timestamp"].max()) == f"{end} 23:00:00"


def test_typical_days_stand_for_the_month(base: Path, tmp_path: Path) -> None:
    simulate(tmp_path / "all", customers=CUSTOMERS, seed=3)
    sums = """
        select sum(greatest(consumption_elec_kwh, 0)) as elec,
            sum(greatest(consumption_gas_m3, 0)) as gas,
            sum(consumption_elec_kwh) filter (hour("timestamp") between 18 and 21
                and isodow("timestamp") <= 5) as peak
        from '{}/consumption_hourly_2024/*/*.parquet' where customer_id is not null
        group by customer_id order by customer_id
    """
    few, many = (duckdb.sql(sums.format(path)).df() for path in (base, tmp_path / "all"))
    used = many["elec"] > 50
    for column in ("elec", "gas", "peak"):
        ratio = few[column].sum() / many[column].sum()
        assert ratio == pytest.approx(1.0, abs=0.03)
    assert (few["elec"] / many["elec"])[used].between(0.9, 1.1).mean() > 0.95


@pytest.mark.parametrize(
    ("month", "message"),
    [
        ("2024-12", "has 2024-12 already; the next month is 2025-01"),
        ("2025-02", "2025-02 would leave a gap"),
        ("2025-1", "write it as YYYY-MM"),
        ("2025-13", "write it as YYYY-MM"),
    ],
)
def test_only_the_next_month_can_follow(base: Path, month: str, message: str) -> None:
    before = digests(base)
    with pytest.raises(UsageError, match=message):
        append_month(base, month)
    assert digests(base) == before
    assert [path.name for path in base.parent.iterdir()] == ["raw"]


def test_no_month_follows_files_of_others(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with pytest.raises(UsageError, match="no simulation wrote it"):
        append_month(tmp_path / "raw", "2025-01")


def test_no_month_follows_another_simulator(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("python_ml.simulate.run.simulator_hash", lambda: "other")
    with pytest.raises(UsageError, match="another version"):
        append_month(base, "2025-01")


def test_simulating_anew_takes_earlier_months_away(tmp_path: Path) -> None:
    out = tmp_path / "raw"
    simulate(out, customers=8, seed=1, readings="typical-days", months=1)
    (out / "note.txt").write_text("mine", encoding="utf-8")
    simulate(out, customers=8, year=2023, seed=1, readings="typical-days")
    assert {path.name for path in out.glob("consumption*")} == {"consumption_hourly_2023"}
    assert (out / "note.txt").read_text(encoding="utf-8") == "mine"


# The process: distributions at later as-of dates.


@pytest.fixture(scope="module")
def course() -> Course:
    world = World(customers=12000, year=2024, seed=21)
    index = np.arange(world.customer_count(12))
    return draw_course(world, index, province_costs(21), 12)


def test_the_customer_base_keeps_its_size_and_its_course(course: Course) -> None:
    sizes = np.array([course.is_customer(month).sum() for month in range(13)])
    assert (np.abs(sizes / 12000 - 1) < 0.12).all()
    first = course.panel.tier1_price[:, 11] / course.panel.tier1_price[:, 0]
    later = course.panel.tier1_price[:, 23] / course.panel.tier1_price[:, 12]
    assert ks_2samp(first, later).statistic < 0.12


def test_labels_follow_the_hazard_at_every_date(course: Course) -> None:
    for month in (0, 3, 6, 9, 12):
        here, label = course.is_customer(month), course.label(month)
        days = (course.renewals[month] - course.world.as_of(month)).astype(int)
        near = here & (days > 0) & (days <= 91)
        far = here & (days > 183)
        assert label[near].mean() > 0.14
        assert label[near].mean() > 3 * label[far].mean()


def test_overlapping_labels_agree(course: Course) -> None:
    for month in range(12):
        stayed = course.is_customer(month) & ~course.label(month)
        assert course.is_customer(month + 1)[stayed].all()
        gone = course.is_customer(month) & ~course.is_customer(month + 1)
        assert course.label(month)[gone].all()


def test_texts_know_of_later_outcomes_what_they_knew_at_first(course: Course) -> None:
    """Mood by outcome at a later as-of date is that of the published table."""
    month, moods = 6, {}
    for before in range(month - 2, month + 1):
        contacts = draw_month_contacts(course, before)
        for customer, summary in zip(contacts.customer, contacts.summary, strict=True):
            moods[customer] = summary
    here = course.is_customer(month)
    told = np.isin(np.arange(len(here)), list(moods))
    label = course.label(month)
    settled, joined = course.cohort <= month - 6, course.cohort > month - 3
    assert told[here & settled & label].mean() == pytest.approx(0.5485, abs=0.04)
    assert told[here & settled & ~label].mean() == pytest.approx(0.2941, abs=0.02)
    assert told[here & joined & label].mean() < 0.4, "exports lag, so that few notes are theirs"
    assert told[here & label].mean() == pytest.approx(0.51, abs=0.04)
    complains = {
        customer: "complain" in text.lower() or "escalat" in text.lower()
        for customer, text in moods.items()
    }
    among = pd.Series(complains)
    among = among[here[among.index]]
    rate = among.groupby(label[among.index]).mean()
    assert rate[True] > 0.25 and rate[False] < 0.02


# The shifts: each changes what it says and nothing before its month.


def shifted(shift: str, seed: int = 4, customers: int = 2000) -> Course:
    world = World(customers, 2024, seed, shifts={} if shift == "none" else {1: shift})
    return draw_course(world, np.arange(world.customer_count(1)), province_costs(seed), 1)


def test_price_shock_lasts_and_comes_with_its_month() -> None:
    plain, shock = shifted("none").prices(), shifted("price-shock").prices()
    assert np.array_equal(plain.tier1_price[:, :12], shock.tier1_price[:, :12])
    ratio = shock.tier1_price[:, 12:] / plain.tier1_price[:, 12:]
    assert ratio == pytest.approx(1.2, abs=0.002)


def test_channel_mix_moves_contracts() -> None:
    plain, moved = shifted("none"), shifted("channel-mix")
    assert np.array_equal(plain.traits_at(0).channel, moved.traits_at(0).channel)
    share = (moved.traits_at(1).channel == 2).mean() - (plain.traits_at(1).channel == 2).mean()
    assert share == pytest.approx(0.30 * 0.87, abs=0.03)


def test_text_style_brings_more_and_plainer_notes() -> None:
    plain = draw_month_contacts(shifted("none"), 1)
    styled = draw_month_contacts(shifted("text-style"), 1)
    assert len(styled.summary) > 2 * len(plain.summary)
    lengths = [np.array([len(text) for text in c.summary]) for c in (plain, styled)]
    assert np.quantile(lengths[1], 0.1) > np.quantile(lengths[0], 0.1)


def test_nobody_knows_of_a_shift_before_it() -> None:
    """What a month's files say of leavers does not change when the next month brings a shift."""
    for shift in ("price-shock", "channel-mix"):
        plain, other = shifted("none"), shifted(shift)
        assert np.array_equal(plain.label(0), other.label(0))
        assert np.array_equal(plain.leaves <= 3, other.leaves <= 3)


def test_an_outage_is_in_the_month_of_its_provinces_alone(base: Path, tmp_path: Path) -> None:
    out = tmp_path / "raw"
    simulate(out, customers=CUSTOMERS, seed=3, readings="typical-days")
    append_month(out, "2025-01", shift="province-outage")
    append_month(out, "2025-02")
    by_province = (
        duckdb.sql(
            f"""
        select month, province_code in ('28', '08') as dark, sum(consumption_elec_kwh) as kwh
        from read_parquet('{out}/consumption_hourly_2025/*/*.parquet', hive_partitioning = true)
        inner join (select distinct customer_id, province_code
            from read_csv('{out}/customer_attributes.csv', all_varchar = true)) using (customer_id)
        group by all
        """
        )
        .df()
        .set_index(["month", "dark"])["kwh"]
    )
    assert by_province["2025-01", True] == 0
    assert by_province["2025-01", False] > 0 and by_province["2025-02", True] > 0


def test_independent_draws_without_shift_are_alike_and_shifts_are_not() -> None:
    """Two draws of one month differ by chance only; the channel tells the shift."""
    first, second = shifted("none", seed=31), shifted("none", seed=32)
    moved = shifted("channel-mix", seed=33)

    def table(a: Course, b: Course) -> float:
        counts = [np.bincount(c.traits_at(1).channel, minlength=6) for c in (a, b)]
        return float(chi2_contingency(np.array(counts) + 1).pvalue)

    assert table(first, second) > 0.001
    assert table(first, moved) < 1e-20


def test_as_many_leave_as_the_true_probabilities_say() -> None:
    world, costs = World(customers=6000, year=2024, seed=11), province_costs(11)
    course = draw_course(world, np.arange(world.customer_count(5), dtype=np.int64), costs, 5)
    for month in range(6):
        here = course.is_customer(month)
        p = label_probability(course, month, costs)[here]
        assert (p > 0).all() and (p < 1).all()
        spread = np.sqrt((p * (1 - p)).sum())
        assert abs(course.label(month)[here].sum() - p.sum()) < 3.5 * spread, month
