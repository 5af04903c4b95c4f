"""Months go by, more customers leave than the scores say, and the calibration is refitted: found
by the comparison with labels, mended by `train --recalibrate`, judged by the gate."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from python_ml.engines import open_warehouse
from python_ml.registry import open_registry
from python_ml.settings import Settings, load_settings
from python_ml.simulate.run import append_month, simulate
from tests.integration.command import spanishgas
from tests.open_gate import FEW_TREES, OPEN_GATE, as_variables

QUICK = {
    **as_variables(OPEN_GATE | FEW_TREES),
    "SPANISHGAS_EVALUATE__BOOTSTRAP_COUNT": "100",
    "SPANISHGAS_BACKTEST__MINIMUM_CHURNER_COUNT": "10",
    "SPANISHGAS_GATE__DIRECTION_CUSTOMERS": "100",
    # Who gets in touch once, in later months, is mostly about to leave (docs/simulator.md).
    "SPANISHGAS_AUDIT__MAXIMUM_TRACE_AUC": "1",
    "SPANISHGAS_AUDIT__MAXIMUM_TRACE_PR_AUC": "1",
    "SPANISHGAS_AUDIT__MAXIMUM_TRACE_SHARE": "1",
    "SPANISHGAS_ALERTS__SINKS": '["file"]',
}
LURED = 0.15  # of those who would have stayed


def lure(raw: Path, dates: list[str]) -> None:
    """From the labels of some dates on, customers leave who would have stayed."""
    path = raw / "churn_label.csv"
    rows = pd.read_csv(path, dtype=str)
    draw = np.random.default_rng(1).random(len(rows))
    lured = rows["label_date"].isin(dates) & (draw < LURED)
    rows.loc[lured, "churn"] = "1"
    rows.to_csv(path, index=False, lineterminator="\n")


def done(*arguments: str, home: Path, code: int = 0) -> dict[str, Any]:
    """The document of a command that ends with `code`."""
    finished = spanishgas(*arguments, home=home, **QUICK)
    assert finished.returncode == code, finished.stderr
    document: dict[str, Any] = json.loads(finished.stdout) if finished.stdout else {}
    return document | {"stderr": finished.stderr}


class Company:
    """A model of December has scored in April; the labels of January and April are known in July.

    Attributes:
        raw: files as of the end of July, as they were simulated.
    """

    def __init__(self, folder: Path) -> None:
        self.home, self.raw = folder / "home", folder / "raw"
        simulate(self.raw, customers=500, seed=5, readings="typical-days")
        self.champion = self.run("train")["training"]["model_version"]
        for month in range(1, 5):
            append_month(self.raw, f"2025-{month:02}", shift="none")
        self.run("score")
        for month in range(5, 8):
            append_month(self.raw, f"2025-{month:02}", shift="none")

    def run(self, mode: str) -> dict[str, Any]:
        return done("run", "--raw", str(self.raw), "--mode", mode, home=self.home)

    def after(self, folder: Path, lured_on: list[str]) -> Company:
        """A copy in which July has been scored, with labels that a rival has changed."""
        copy = Company.__new__(Company)
        copy.home, copy.raw, copy.champion = folder / "home", folder / "raw", self.champion
        shutil.copytree(self.home, copy.home, symlinks=True)
        shutil.copytree(self.raw, copy.raw)
        lure(copy.raw, lured_on)
        copy.run("score")
        return copy

    @property
    def settings(self) -> Settings:
        return load_settings({"home": str(self.home)}, environ={})

    def alert(self) -> str:
        (newest,) = sorted(self.settings.layout.reports.glob("alerts/*-outcomes.json"))[-1:]
        return newest.read_text(encoding="utf-8")

    def mean_risk(self) -> float:
        with open_warehouse(self.settings) as warehouse:
            return float(warehouse.read_table("mart_customer_risk")["churn_probability"].mean())


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return Company(tmp_path_factory.mktemp("company"))


def test_a_level_that_is_off_is_found_mended_and_promoted(company: Company, tmp_path: Path) -> None:
    off = company.after(tmp_path, ["2025-01-31", "2025-04-30"])
    assert f"spanishgas train --recalibrate {company.champion}," in off.alert()
    before = off.mean_risk()
    made = done("train", "--recalibrate", company.champion, home=off.home)
    version = made["model_version"]
    assert made["recalibrated_from"] == company.champion
    assert made["as_of_date"] == "2025-04-30" and "2025-01-31" in made["message"]
    judged = done("evaluate", version, home=off.home)
    names = [check["check_name"] for check in judged["checks"] if check["is_passed"]]
    assert "log_loss_difference_to_parent" in names and judged["status"] == "Approved"
    assert open_registry(off.settings).champion() == company.champion, "a person promotes"
    done("promote", version, "--reason", "the level was off", home=off.home)
    assert open_registry(off.settings).champion() == version
    assert off.mean_risk() > 1.3 * before
    assert done("rebuild", home=off.home)["is_identical"]
    done("promote", "--rollback", home=off.home)
    assert off.mean_risk() == before


def test_a_recalibration_on_months_that_are_over_is_refused(
    company: Company, tmp_path: Path
) -> None:
    """The rival has lured customers away in January, and was gone in April."""
    calm = company.after(tmp_path, ["2025-01-31"])
    risk = calm.mean_risk()
    version = done("train", "--recalibrate", company.champion, home=calm.home)["model_version"]
    refused = done("evaluate", version, home=calm.home, code=4)
    assert "log_loss_difference_to_parent" in refused["stderr"]
    assert open_registry(calm.settings).champion() == company.champion
    assert calm.mean_risk() == risk


def test_it_needs_labels_that_have_matured_since(company: Company) -> None:
    """What is published is of April, by when labels of January alone were known."""
    told = done("train", "--recalibrate", company.champion, home=company.home, code=3)["stderr"]
    assert "2024-12-31" in told and "2025-01-31" in told and "spanishgas run" in told
    unknown = done("train", "--recalibrate", "churn-x", home=company.home, code=2)["stderr"]
    assert "churn-x" in unknown and company.champion in unknown
