"""How often drift alarms when nothing has drifted, and how often it finds what has.

    python -m tests.proof.drift_pairs --customers 20000 --home /tmp/drift

One population is simulated and built by the real dbt models for each of six cases: December 2024,
and January 2025 without a shift and with each of the four. Samples are drawn out of it without
replacement: both of a pair from the same permutation of the customers, so that no customer is in
both, and permutation after permutation until there are pairs enough. The simulator draws customers
independently of each other (a hash of seed and customer), so two disjoint sets of them are two
independent draws of the process; what all share are the costs of provinces, which are constants of
the simulated world. Pairs of different permutations share customers, which makes the rate's
interval a little too narrow, not the rate wrong.

In pairs of the same month, changes are planted in one of the two: twice as many customers complain;
one value in 25 of a feature is lost; and consumption and prices change hands between customers, so
that each feature alone, and these among each other, are as they were.

Exit code 1 if a claim fails: at most 2 % of pairs of the same month alarm, and each shift and each
planted change is found in at least 95 of 100 pairs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from python_ml.contracts.gold import Column, read_contract
from python_ml.judge.drift.monitor import months_between
from python_ml.judge.drift.samples import JOINT, Finding, Sample, compare_samples
from python_ml.model.churn_model import ChurnModel
from python_ml.settings import Settings, load_settings

DECEMBER, JANUARY = date(2024, 12, 31), date(2025, 1, 31)
NO_SHIFT = "none"
# Where each shift must show: an alarm elsewhere, such as by chance, does not count as finding it.
TOUCHES = {
    "price-shock": {"elec_price_vs_province_cost_spread"},
    "channel-mix": {"sales_channel", "is_digital_channel", "is_comparison_channel"},
    "province-outage": {"active_months_count"},
    "text-style": {"has_interaction", "customer_intent", "sentiment_label"},
}
# What is planted in the current sample of pairs of the same month, and where it must show.
PLANTED = {
    "complaints doubled": {("numeric_feature", "is_complaint_intent")},
    "4% of values lost": {("missing_values", "avg_monthly_elec_kwh")},
    "joint permutation": {("dependence", JOINT)},
}
MODEL_CUSTOMERS = 3000  # the model learns from these, and they are in no pair
MOST_FALSE_ALARMS, LEAST_FOUND = 0.02, 0.95


@dataclass(frozen=True)
class Case:
    """Rows of gold_master and the model's scores of them, by customer."""

    frame: pd.DataFrame
    scores: pd.Series

    def sample(self, customers: np.ndarray) -> Sample:
        rows = self.frame.loc[customers]
        return Sample(rows.reset_index(), self.scores.loc[customers].to_numpy())


def build_case(
    settings: Settings, raw: Path, as_of_date: date
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Land a batch, build up to gold, and read it; also dbt's manifest."""
    from python_ml.engines import open_warehouse
    from python_ml.land import land
    from python_ml.transform.dbt import DbtRunner
    from python_ml.transform.sentiment import label_sentiment, sentiment_backend

    home = settings.layout.home
    shutil.rmtree(home, ignore_errors=True)
    landed = land(raw, settings)
    assert landed.as_of_date == as_of_date
    variables = {
        "as_of_date": as_of_date.isoformat(),
        "run_id": "proof",
        "sentiment_backend": sentiment_backend(settings),
    }
    dbt = DbtRunner(settings, settings.layout.warehouse, home / "dbt", variables)
    warehouse = open_warehouse(settings)
    warehouse.declare_external_tables()
    dbt.build("resource_type:seed bronze")
    label_sentiment(warehouse, settings, "proof")
    dbt.build("silver gold")
    frame, manifest = warehouse.read_table("gold_master"), dbt.manifest()
    shutil.rmtree(home)
    return frame, manifest


def build_cases(
    home: Path, customers: int, seed: int
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """All six cases; what is there from an earlier call is read."""
    from python_ml.simulate.run import append_month, simulate

    folder = home / f"{customers}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    settings = load_settings({"home": str(folder / "home")}, environ={})
    raw, manifest = folder / "raw", folder / "manifest.json"
    cases = {}
    for name in ("december", NO_SHIFT, *TOUCHES):
        kept = folder / f"{name}.parquet"
        if not kept.exists():
            if not (raw / "churn_label.csv").exists():
                print(f"simulating {customers:,} customers", flush=True)
                simulate(raw, customers=customers, seed=seed, readings="typical-days")
            batch, as_of_date = raw, DECEMBER
            if name != "december":
                batch, as_of_date = folder / "shifted", JANUARY
                shutil.rmtree(batch, ignore_errors=True)
                shutil.copytree(raw, batch)
                append_month(batch, f"{JANUARY:%Y-%m}", shift=name)
            print(f"building {name}", flush=True)
            frame, document = build_case(settings, batch, as_of_date)
            manifest.write_text(json.dumps(document), encoding="utf-8")
            frame.to_parquet(kept)
            if batch is not raw:
                shutil.rmtree(batch)
        cases[name] = pd.read_parquet(kept)
    return cases, json.loads(manifest.read_text(encoding="utf-8"))


def fit_model(frame: pd.DataFrame, columns: tuple[Column, ...], settings: Settings) -> ChurnModel:
    """The champion's protocol on customers that are kept out of all pairs."""
    from python_ml.pipeline.train import fit_by_protocol

    rows = frame.sort_values("customer_id", ignore_index=True)
    rows = rows.assign(cv_fold=np.arange(len(rows)) % settings.model.folds + 1)
    return fit_by_protocol(rows, columns, "churn", settings.model.experiment, settings).model


def pairs(
    first: np.ndarray, second: np.ndarray, size: int, count: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`count` pairs of samples of `size` customers, out of those there are on either date."""
    random = np.random.default_rng(seed)
    everybody = np.union1d(first, second)
    in_first, in_second = np.isin(everybody, first), np.isin(everybody, second)
    made = 0
    while True:
        order = random.permutation(len(everybody))
        half = len(order) // 2
        ones = everybody[order[:half][in_first[order[:half]]]]
        twos = everybody[order[half:][in_second[order[half:]]]]
        for start in range(0, min(len(ones), len(twos)) - size + 1, size):
            yield ones[start : start + size], twos[start : start + size]
            made += 1
            if made == count:
                return
        if not made:
            raise SystemExit(f"{len(everybody):,} customers are too few for pairs of {size:,}")


def plant(kind: str, sample: Sample, columns: tuple[Column, ...], seed: int) -> Sample:
    """The sample with a change planted in its features; its scores are left out."""
    frame, random = sample.frame.copy(), np.random.default_rng(seed)
    if kind == "complaints doubled":
        complains = frame["is_complaint_intent"].to_numpy() == 1
        others = np.flatnonzero(~complains & (frame["has_interaction"].to_numpy() == 1))
        chosen = random.choice(others, complains.sum(), replace=False)
        intent = frame.loc[complains, "customer_intent"].iloc[0]
        place = frame.columns.tolist().index
        frame.iloc[chosen, place("is_complaint_intent")] = 1
        frame.iloc[chosen, place("customer_intent")] = intent
    elif kind == "4% of values lost":
        frame["avg_monthly_elec_kwh"] = frame["avg_monthly_elec_kwh"].mask(
            random.random(len(frame)) < 0.04
        )
    else:
        moved = [it.name for it in columns if it.tier in ("MP core", "MP risk")]
        frame[moved] = frame[moved].iloc[random.permutation(len(frame))].to_numpy()
        frame = frame.astype({name: sample.frame[name].dtype for name in moved})
    return Sample(frame)


def compare_planted(
    kind: str,
    columns: tuple[Column, ...],
    case: Case,
    chosen: Iterator[tuple[np.ndarray, np.ndarray]],
    settings: Settings,
) -> int:
    """Pairs of the same month in which a planted change is found where it must show."""
    hits = 0
    for number, (first, second) in enumerate(chosen):
        changed = plant(kind, case.sample(second), columns, number)
        reference = Sample(case.sample(first).frame)
        found = compare_samples(columns, reference, changed, 0, settings.drift)
        told = {(it.subject_kind, it.subject) for it in found if it.is_alarm}
        hits += bool(told & PLANTED[kind])
    return hits


def rate(hits: int, count: int) -> str:
    interval = stats.binomtest(hits, count).proportion_ci(method="exact")
    return f"{hits:4d} of {count} ({hits / count:6.1%}, {interval.low:.1%} to {interval.high:.1%})"


def compare(
    columns: tuple[Column, ...],
    reference: Case,
    current: Case,
    months: float,
    chosen: Iterator[tuple[np.ndarray, np.ndarray]],
    settings: Settings,
) -> list[list[Finding]]:
    return [
        compare_samples(
            columns, reference.sample(first), current.sample(second), months, settings.drift
        )
        for first, second in chosen
    ]


def alarms(findings: list[Finding]) -> set[str]:
    return {finding.subject for finding in findings if finding.is_alarm}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--customers", type=int, default=20000)
    parser.add_argument("--home", type=Path, default=Path("data/proof/drift"))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--pairs", type=int, default=200, help="of the same month")
    parser.add_argument("--size", type=int, default=500)
    parser.add_argument("--shift-pairs", type=int, default=100)
    parser.add_argument("--shift-size", type=int, default=2000)
    parser.add_argument("--planted-size", type=int, default=4000)
    asked = parser.parse_args()
    settings = load_settings({"home": str(asked.home)}, environ={})
    frames, manifest = build_cases(asked.home, asked.customers, asked.seed)
    contract = read_contract(manifest)
    columns = contract.learned(settings, settings.model.experiment)
    december = frames["december"].sort_values("customer_id", ignore_index=True)
    kept_out = december["customer_id"].sample(MODEL_CUSTOMERS, random_state=asked.seed)
    model = fit_model(december[december["customer_id"].isin(kept_out)], columns, settings)
    cases = {}
    for name, frame in frames.items():
        rows = frame[~frame["customer_id"].isin(kept_out)].sort_values("customer_id")
        scores = model.predict(rows)["churn_probability"].to_numpy()
        customers = rows["customer_id"].to_numpy(dtype=object)
        cases[name] = Case(rows.set_index("customer_id"), pd.Series(scores, index=customers))

    here = cases["december"].frame.index.to_numpy(dtype=object)
    failed = []
    print(f"\n{len(columns) + 1} subjects; {len(here):,} customers to draw from")
    print("\nSame month, no shift: pairs with any alarm")
    chosen = pairs(here, here, asked.size, asked.pairs, asked.seed)
    found = compare(columns, cases["december"], cases["december"], 0, chosen, settings)
    ours = sum(bool(alarms(one)) for one in found)
    plain = sum(any(f.is_alarm_plain for f in one) for one in found)
    print(f"  our rule      {rate(ours, len(found))} at {asked.size} customers")
    print(f"  plain p<0.01  {rate(plain, len(found))}")
    if ours > MOST_FALSE_ALARMS * len(found):
        failed.append("false alarms")

    failed += _report_planted(columns, cases["december"], here, settings, asked)
    months = months_between(DECEMBER, JANUARY)
    print(f"\nA month later, at {asked.shift_size} customers")
    for name in (NO_SHIFT, *TOUCHES):
        there = cases[name].frame.index.to_numpy(dtype=object)
        chosen = pairs(here, there, asked.shift_size, asked.shift_pairs, asked.seed)
        found = compare(columns, cases["december"], cases[name], months, chosen, settings)
        touched = TOUCHES.get(name)
        if touched is None:
            _report_calendar(found)
            continue
        hits = sum(bool(alarms(one) & touched) for one in found)
        print(f"  {name:<16} found in {rate(hits, len(found))}, by {', '.join(sorted(touched))}")
        if hits < LEAST_FOUND * len(found):
            failed.append(name)
    print(f"\n{'FAILED: ' + ', '.join(failed) if failed else 'all claims hold'}")
    return 1 if failed else 0


def _report_planted(
    columns: tuple[Column, ...],
    case: Case,
    customers: np.ndarray,
    settings: Settings,
    asked: argparse.Namespace,
) -> list[str]:
    """How often each planted change is found; those that are missed too often."""
    failed = []
    print(f"\nSame month, planted changes, at {asked.planted_size} customers")
    for planted, where in PLANTED.items():
        chosen = pairs(customers, customers, asked.planted_size, asked.shift_pairs, asked.seed)
        hits = compare_planted(planted, columns, case, chosen, settings)
        subjects = ", ".join(f"{subject} ({kind})" for kind, subject in sorted(where))
        print(f"  {planted:<20} found in {rate(hits, asked.shift_pairs)}, by {subjects}")
        if hits < LEAST_FOUND * asked.shift_pairs:
            failed.append(planted)
    return failed


def _report_calendar(found: list[list[Finding]]) -> None:
    """What a month brings by itself: who alarms without the calendar's part, and with it."""
    for title, hits in (
        ("plain p<0.01", [{f.subject for f in one if f.is_alarm_plain} for one in found]),
        (
            "our limits, calendar ignored",
            [{f.subject for f in one if f.is_alarm or f.verdict == "calendar"} for one in found],
        ),
        ("our rule", [alarms(one) for one in found]),
    ):
        counts = pd.Series([name for one in hits for name in one], dtype=object).value_counts()
        often = ", ".join(f"{name} {count}" for name, count in counts.head(8).items())
        print(f"  no shift, {title}: {rate(sum(map(bool, hits)), len(found))} {often}")


if __name__ == "__main__":
    sys.exit(main())
