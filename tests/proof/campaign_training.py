"""Does training go on while campaigns run? A company with campaigns beside the same one without.

Both worlds have the same customers, month after month. In one of them a campaign is started on the
scores of each of six months, and the simulated team makes its calls. As soon as the labels of a
month have matured, both companies train on it by the commands that every company runs. Both models
then score the customers of the newest month of the world without campaigns, of whom the simulator
knows how probable it is that they leave if nobody makes them an offer.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from python_ml.contracts.gold import GoldContract, read_contract
from python_ml.judge.snapshot import read_snapshot, read_training_rows
from python_ml.judge.split import TRAIN
from python_ml.model.churn_model import ChurnModel
from python_ml.pipeline.campaigns import start_campaign
from python_ml.pipeline.run import run_pipeline
from python_ml.pipeline.train import fit_by_protocol, labelled_rows
from python_ml.pipeline.workspace import Run
from python_ml.registry import open_registry
from python_ml.registry.base import RegisteredModel
from python_ml.settings import Settings, load_settings
from python_ml.simulate.batch import read_campaigns
from python_ml.simulate.lifecycle import draw_course, label_probability
from python_ml.simulate.offers import Conduct
from python_ml.simulate.panel import province_costs
from python_ml.simulate.run import append_month, simulate
from python_ml.simulate.world import World
from python_ml.transform.dbt import DbtRunner
from tests.proof.faults_world import LENIENT

CAMPAIGNS, HORIZON_MONTHS = 6, 3
MOST_LOST = 0.02  # PR-AUC
# The gate is lenient, the model is the product's own.
SETTINGS = {name: value for name, value in LENIENT.items() if name.startswith("gate.")}
SETTINGS |= {"quality.data_docs": False}
CERTAIN = 0.7  # from this probability on a customer leaves nearly surely without an offer
LEAST_KEPT = 0.9  # of the score of such customers


@dataclass(frozen=True)
class Company:
    """A world with its home; `has_campaigns` is all that two of them differ in."""

    home: Path
    customers: int
    seed: int
    has_campaigns: bool

    @property
    def settings(self) -> Settings:
        return load_settings({"home": str(self.home), **SETTINGS}, environ={})

    @property
    def raw(self) -> Path:
        return self.home / "raw"

    def run(self, mode: str) -> None:
        run_pipeline(Run(self.settings), str(self.raw), mode=mode)

    def begin(self) -> None:
        simulate(self.raw, customers=self.customers, seed=self.seed, readings="typical-days")
        self.run("train")

    def start_campaign(self, number: int) -> None:
        if self.has_campaigns:
            terms: dict[str, Any] = {"policy": "expected_value", "control_share": 0.2}
            start_campaign(Run(self.settings), f"month-{number}", budget_eur=None, **terms)

    def next_month(self, month: int, mode: str) -> None:
        campaigns = read_campaigns(self.settings, Conduct()) if self.has_campaigns else None
        append_month(self.raw, f"{pd.Period('2024-12', 'M') + month}", campaigns=campaigns)
        self.run(mode)

    def newest(self) -> RegisteredModel:
        """The version that the last run has trained and made the champion."""
        registry = open_registry(self.settings)
        return registry.load(registry.require_champion())

    def scored_rows(self) -> pd.DataFrame:
        """Gold of the customers whom the last run has scored."""
        return read_snapshot(self.settings, self.newest().origin["run_id"]).frame

    def model_of_all_labels(self, contract: GoldContract) -> ChurnModel:
        """What the protocol makes of the labels of the newest version as they are, treated or
        not."""
        origin = self.newest().origin
        frame = read_training_rows(self.settings, origin).frame
        newest = date.fromisoformat(origin["as_of_date"])
        rows = labelled_rows(frame, contract, self.settings, newest)
        training = rows[rows["split_part"] == TRAIN].reset_index(drop=True)
        experiment = self.settings.model.experiment
        columns = contract.learned(self.settings, experiment)
        return fit_by_protocol(training, columns, contract.target, experiment, self.settings).model

    def contract(self) -> GoldContract:
        with tempfile.TemporaryDirectory() as folder:
            place = self.settings.layout.warehouse
            runner = DbtRunner(self.settings, place, Path(folder), {"run_id": "proof"})
            return read_contract(runner.manifest())


def true_probability(company: Company, month: int) -> pd.Series:
    """By customer, how probable it is to leave within the horizon if nobody makes an offer."""
    world = World(customers=company.customers, year=2024, seed=company.seed)
    costs = province_costs(company.seed)
    index = np.arange(world.customer_count(month), dtype=np.int64)
    course = draw_course(world, index, costs, month)
    here = course.is_customer(month)
    chance = label_probability(course, month, costs)[here]
    return pd.Series(chance, index=course.traits.customer_id[here])


def expected_pr_auc(score: np.ndarray, probability: np.ndarray) -> float:
    """Average precision if each customer left with its own probability, without the chance of one
    draw: a row that leaves and one that stays, with their weights."""
    leaves = np.repeat([1, 0], len(score))
    weights = np.concatenate([probability, 1 - probability])
    return float(average_precision_score(leaves, np.tile(score, 2), sample_weight=weights))


def training(customers: int, seed: int) -> bool:
    """Whether no model of the company with campaigns is worse than the limit allows."""
    started = time.perf_counter()
    lost, kept = [], []
    with tempfile.TemporaryDirectory(prefix="training-") as folder:
        left_alone = Company(Path(folder) / "alone", customers, seed, has_campaigns=False)
        treating = Company(Path(folder) / "treating", customers, seed, has_campaigns=True)
        for company in (left_alone, treating):
            company.begin()
        contract = left_alone.contract()
        for month in range(1, CAMPAIGNS + HORIZON_MONTHS):
            mode = "train" if month >= HORIZON_MONTHS else "score"
            if month <= CAMPAIGNS:
                treating.start_campaign(month)
            left_alone.next_month(month, mode)
            treating.next_month(month, mode)
            if mode == "score":
                continue
            rows = left_alone.scored_rows()
            truth = true_probability(left_alone, month).reindex(rows["customer_id"]).to_numpy()
            versions = {
                "alone": left_alone.newest().model,
                "campaigns": treating.newest().model,
                "all labels": treating.model_of_all_labels(contract),
            }
            scores = {
                name: model.predict(rows)["churn_probability"].to_numpy()
                for name, model in versions.items()
            }
            found = {name: expected_pr_auc(score, truth) for name, score in scores.items()}
            certain = truth >= CERTAIN
            means = {name: float(score[certain].mean()) for name, score in scores.items()}
            lost.append(found["alone"] - found["campaigns"])
            kept.append(means["campaigns"] / means["alone"])
            print(
                f"labels of {treating.newest().origin['as_of_date']}: PR-AUC without campaigns "
                f"{found['alone']:.3f}, with {found['campaigns']:.3f}, with all labels as they are "
                f"{found['all labels']:.3f}; mean score of {certain.sum()} customers who leave "
                f"nearly surely {means['alone']:.3f}, {means['campaigns']:.3f}, "
                f"{means['all labels']:.3f} ({time.perf_counter() - started:.0f} s)",
                flush=True,
            )
    print(
        f"training beside campaigns, {customers:,} customers, seed {seed}: PR-AUC lower by "
        f"{np.mean(lost):.3f} on average, {max(lost):.3f} at most (limit {MOST_LOST}); the score "
        f"of who leaves nearly surely is {min(kept):.3f} to {max(kept):.3f} times that without "
        f"campaigns (limits {LEAST_KEPT} to {2 - LEAST_KEPT:.1f})"
    )
    return max(lost) <= MOST_LOST and all(LEAST_KEPT <= one <= 2 - LEAST_KEPT for one in kept)
