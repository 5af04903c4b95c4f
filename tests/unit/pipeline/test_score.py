"""Every customer gets a score, the same one each time, from an approved model only."""

from __future__ import annotations

import json
import math
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from python_ml.contracts.gold import read_contract
from python_ml.engines import Warehouse, open_engine, open_warehouse
from python_ml.errors import SpanishGasError, TransientError
from python_ml.judge.snapshot import gold_parts, read_gold, read_snapshot
from python_ml.judge.tiers import assign_tier, read_tiers
from python_ml.pipeline import scored_parts
from python_ml.pipeline.context import Share
from python_ml.pipeline.evaluate import evaluate
from python_ml.pipeline.results import ScoreResult
from python_ml.pipeline.score import score, score_share
from python_ml.pipeline.scored_parts import HandedOn
from python_ml.pipeline.train import train
from python_ml.registry import APPROVED, REJECTED, open_registry
from python_ml.settings import Settings
from tests.unit import gold_fixture as gold

pytestmark = pytest.mark.slow


Trained = tuple[Settings, Warehouse, str]


@pytest.fixture(scope="module")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with an approved model, one customer without a label, and quiet customers."""
    home = tmp_path_factory.mktemp("home")
    settings = gold.settings_for(home)
    frame = gold.gold_frame()
    frame["churn"] = frame["churn"].astype("Int64")
    frame.loc[7, "churn"] = None
    warehouse = gold.warehouse_with(settings, frame)
    version = train(warehouse, settings, gold.contract(), "run-1", gold.AS_OF_DATE).model_version
    evaluate(warehouse, settings, gold.contract(), "run-1", version).raise_if_rejected()
    return home, version


@pytest.fixture
def trained(trained_home: tuple[Path, str], tmp_path: Path) -> Trained:
    """A copy of it."""
    home, version = trained_home
    settings = gold.settings_for(shutil.copytree(home, tmp_path / "home"))
    return settings, open_warehouse(settings), version


def run(trained: Trained, run_id: str = "run-1", **changes: Any) -> ScoreResult:
    settings, warehouse, version = trained
    arguments: dict[str, Any] = {
        "settings": settings,
        "contract": gold.contract(),
        "model_version": version,
    }
    arguments |= changes
    return score(warehouse, run_id=run_id, as_of_date=gold.AS_OF_DATE, **arguments)


def test_every_customer_is_scored_once_with_tier_and_decision(trained: Trained) -> None:
    settings, warehouse, version = trained
    result = run(trained)
    scores = warehouse.read_external("customer_score", "run-1")
    assert len(scores) == result.customer_count == 1500
    assert scores["customer_id"].is_unique
    assert scores["churn_probability"].between(0, 1).all()
    names = [str(name) for name in scores]
    assert not any("interval" in name or name.endswith(("_low", "_high")) for name in names)
    threshold = open_registry(settings).load(version).model.threshold
    assert (scores["is_flagged"] == (scores["churn_probability"] >= threshold)).all()
    assert scores["is_flagged"].sum() == result.flagged_count > 0
    assert list(result.tier_counts) == ["Low", "Medium", "High", "Critical"]
    assert sum(result.tier_counts.values()) == 1500
    lowest = scores.groupby("risk_tier")["churn_probability"].min()
    assert lowest["Medium"] >= 0.4 > scores.query("risk_tier == 'Low'")["churn_probability"].max()
    assert json.loads(json.dumps(result.as_dict()))["model_version"] == version


def test_what_the_scores_promise_is_kept_with_them(trained: Trained) -> None:
    _, warehouse, version = trained
    run(trained)
    scores = warehouse.read_external("customer_score", "run-1")
    promised = warehouse.read_external("score_estimate", "run-1")
    assert set(promised["model_version"]) == {version}
    overall = promised[promised["dimension"] == "all customers"].set_index("measure")
    share = overall.loc["churn_share"]
    assert share["estimate"] == pytest.approx(scores["churn_probability"].mean())
    assert share["ci_low"] < share["estimate"] < share["ci_high"]
    assert share["calibration_sd"] > 0, "the version knows how uncertain its calibration is"
    assert set(promised["group_name"]) == {"all", *scores["risk_tier"], *scores["segment"]}


def test_reasons_belong_to_scored_customers(trained: Trained) -> None:
    _, warehouse, _ = trained
    run(trained)
    reasons = warehouse.read_external("score_reason", "run-1")
    assert not reasons.duplicated(["customer_id", "reason_rank"]).any()
    assert set(reasons["reason_rank"]) >= {1, 2, 3}
    assert (reasons["contribution_log_odds"] > 0).all()
    scored = warehouse.read_external("customer_score", "run-1")["customer_id"]
    assert reasons["customer_id"].isin(scored).all()


def test_scores_come_again_bit_for_bit_from_snapshot_and_artifact(trained: Trained) -> None:
    settings, warehouse, version = trained
    run(trained)
    stored = warehouse.read_external("customer_score", "run-1")
    model = open_registry(settings).load(version).model
    frame = read_snapshot(settings, "run-1").frame
    again = model.predict(frame)
    for column in again.columns.drop("is_flagged"):
        assert stored[column].to_numpy().tobytes() == again[column].to_numpy().tobytes()
    run(trained, run_id="run-2")
    other = warehouse.read_external("customer_score", "run-2")
    pd.testing.assert_frame_equal(stored.drop(columns="run_id"), other.drop(columns="run_id"))


def written(trained: Trained, run_id: str) -> dict[str, pd.DataFrame]:
    """What a run has written, without its id."""
    settings, warehouse, _ = trained
    tables = {
        name: warehouse.read_external(name, run_id).drop(columns="run_id")
        for name in ("customer_score", "score_reason", "score_estimate")
    }
    return {**tables, "feature_snapshot": read_snapshot(settings, run_id).frame}


@pytest.mark.parametrize("parts", [2, 8])
def test_parts_come_out_as_the_whole_cell_by_cell(trained: Trained, parts: int) -> None:
    settings, warehouse, _ = trained
    result = run(trained, run_id="run-2")
    reads: list[str | None] = []

    def read_table(relation: str, where: str | None = None) -> pd.DataFrame:
        reads.append(where)
        return type(warehouse).read_table(warehouse, relation, where)

    small = settings.with_overrides({"customers_per_part": math.ceil(1500 / parts)})
    with mock.patch.object(warehouse, "read_table", read_table):
        in_parts = run(trained, run_id="run-3", settings=small)
    assert replace(in_parts, seconds=result.seconds) == result
    of_gold = [where for where in reads if where is not None]
    assert len(of_gold) == len(set(of_gold)) == parts
    whole, together = written(trained, "run-2"), written(trained, "run-3")
    for name, expected in whole.items():
        pd.testing.assert_frame_equal(together[name], expected, check_exact=True, obj=name)
    hashes = {read_snapshot(settings, run_id).sha256 for run_id in ("run-2", "run-3")}
    assert len(hashes) == 1


def test_rows_that_a_run_has_trained_on_are_compared_part_by_part(trained: Trained) -> None:
    settings, _, version = trained  # run-1 has trained, and so has taken its snapshot
    small = settings.with_overrides({"customers_per_part": 400})
    assert run(trained, settings=small).customer_count == 1500
    for change in (pd.DataFrame.head, lambda frame, _: frame.replace({"segment": {"SME": "Firm"}})):
        other = gold.warehouse_with(settings, change(gold.gold_frame(), 1499))
        with pytest.raises(SpanishGasError, match="has changed since run run-1"):
            run((settings, other, version), settings=small)
    more = gold.warehouse_with(settings, gold.gold_frame().head(1200))
    with pytest.raises(SpanishGasError, match="has changed since run run-1"):
        run((settings, more, version), settings=small)


def test_a_part_that_fails_leaves_nothing_to_be_seen(trained: Trained) -> None:
    settings, warehouse, _ = trained
    before = sorted(path for path in settings.layout.lake.rglob("*") if path.is_file())
    small = settings.with_overrides({"customers_per_part": 400})

    calls: list[object] = []

    def fail_third(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 3:
            raise SpanishGasError("out of memory")
        return read_gold(*arguments)

    with (
        mock.patch("python_ml.pipeline.score.read_gold", fail_third),
        pytest.raises(SpanishGasError, match="out of memory"),
    ):
        run(trained, run_id="run-2", settings=small)
    for table in ("customer_score", "score_reason", "score_estimate"):
        assert warehouse.read_external(table, "run-2").empty
    assert sorted(path for path in settings.layout.lake.rglob("*") if path.is_file()) == before
    assert run(trained, run_id="run-2", settings=small).customer_count == 1500


def test_a_customer_at_the_border_of_two_parts_is_not_there_twice(trained: Trained) -> None:
    settings, _, version = trained
    frame = gold.gold_frame()
    frame["customer_id"] = frame["customer_id"].replace("C00751", "C00750")
    other = gold.warehouse_with(settings, frame)
    small = settings.with_overrides({"customers_per_part": 750})
    with pytest.raises(SpanishGasError, match="holds a customer twice"):
        run((settings, other, version), run_id="run-2", settings=small)


def test_gold_that_changes_between_two_parts_is_noticed(trained: Trained) -> None:
    settings, warehouse, version = trained
    small = settings.with_overrides({"customers_per_part": 750})

    def read_late(*arguments: Any) -> Any:
        gold.warehouse_with(settings, gold.gold_frame().drop(index=1400))
        return read_gold(*arguments)

    with (
        mock.patch("python_ml.pipeline.score.read_gold", read_late),
        pytest.raises(SpanishGasError, match="was changed while it was read"),
    ):
        run((settings, warehouse, version), run_id="run-2", settings=small)


def test_a_date_without_customers_has_no_parts(trained: Trained) -> None:
    _, warehouse, _ = trained
    with pytest.raises(SpanishGasError, match="no row for the as-of date 2023-12-31"):
        gold_parts(warehouse, gold.AS_OF_DATE.replace(year=2023), 400)
    parts = gold_parts(warehouse, gold.AS_OF_DATE, 5000, fewest=4)
    assert [part and part.customer_count for part in parts] == [375] * 4


def test_a_quiet_customer_scores_as_one_whose_gaps_were_filled(trained: Trained) -> None:
    """The fill is applied in scoring as in training, not only where SQL remembered to."""
    settings, warehouse, version = trained
    run(trained)
    filled = gold.gold_frame().fillna(
        {"last_interaction_days_ago": 9999.0, "customer_intent": "no_interaction"}
    )
    assert gold.gold_frame()["customer_intent"].isna().any()
    other = gold.warehouse_with(settings, filled)
    run((settings, other, version), run_id="run-2")
    first, second = (warehouse.read_external("customer_score", run) for run in ("run-1", "run-2"))
    assert (first["raw_score"] == second["raw_score"]).all()


def test_a_rejected_model_does_not_score(trained: Trained) -> None:
    settings, warehouse, version = trained
    open_registry(settings).decide(version, REJECTED, "withdrawn", "maria")
    with pytest.raises(SpanishGasError, match="Rejected"):
        run(trained)
    assert warehouse.read_external("customer_score").empty


def test_the_champion_scores_by_default(trained: Trained) -> None:
    settings, _, version = trained
    with pytest.raises(SpanishGasError, match="no champion"):
        run(trained, model_version=None)
    open_registry(settings).promote(version, "run-1")
    assert run(trained, model_version=None).model_version == version


@pytest.mark.parametrize(
    "change",
    [
        {"surprise": ("double", {"role": "feature", "tier": "1A", "fill": "keep"})},
        {"segment": ("varchar", {"role": "business"})},
        {"is_dual_fuel": ("integer", {"role": "feature", "tier": "1A", "fill": 1})},
    ],
)
def test_a_changed_feature_contract_stops_scoring(trained: Trained, change: Any) -> None:
    contract = read_contract(gold.manifest({**gold.COLUMNS, **change}))
    with pytest.raises(SpanishGasError, match=next(iter(change))):
        run(trained, contract=contract)


def test_sentiment_read_otherwise_than_in_training_stops_scoring(trained: Trained) -> None:
    settings = trained[0].with_overrides({"sentiment.backend": "none"})
    with pytest.raises(SpanishGasError, match="vader-1"):
        run(trained, settings=settings)


def test_tier_borders_belong_to_the_higher_tier() -> None:
    tiers = pd.DataFrame(
        {
            "risk_tier": ["Low", "Medium", "High", "Critical"],
            "minimum_probability": [0.0, 0.4, 0.6, 0.8],
        }
    )
    found = assign_tier(np.array([0.0, 0.39999, 0.4, 0.6, 0.79, 0.8, 1.0]), tiers)
    assert found.tolist() == ["Low", "Low", "Medium", "High", "High", "Critical", "Critical"]


@pytest.mark.parametrize("minima", [[0.1, 0.4], [0.0, 0.0]])
def test_tiers_that_leave_a_gap_are_refused(minima: list[float]) -> None:
    seeds = mock.Mock(spec=Warehouse)
    seeds.read_table.return_value = pd.DataFrame(
        {"risk_tier": ["Low", "High"], "minimum_probability": minima}
    )
    with pytest.raises(SpanishGasError, match="risk_tiers"):
        read_tiers(seeds)


class TestSeveralMachines:
    """Each scores its share and hands it on; the one that leads writes them as one run's rows."""

    @staticmethod
    def handed_on(settings: Settings, machine: int, machines: int, attempt: str = "1") -> HandedOn:
        store = open_engine(settings).handover("run-3")
        return HandedOn(store, Share(machine, machines, attempt))

    def share(self, trained: Trained, machine: int, machines: int, attempt: str = "1") -> int:
        settings, warehouse, version = trained
        handed_on = self.handed_on(settings, machine, machines, attempt)
        return score_share(
            warehouse, settings, gold.contract(), gold.AS_OF_DATE, version, handed_on
        )

    @pytest.mark.parametrize("machines", [2, 8])
    def test_together_they_score_as_one_cell_by_cell(self, trained: Trained, machines: int) -> None:
        settings, warehouse, _ = trained
        alone = run(trained, run_id="run-2")
        shares = [self.share(trained, machine, machines) for machine in range(machines)]
        assert sum(shares) == 1500 and max(shares) - min(shares) <= 1
        assert warehouse.external_runs("customer_score") == ["run-2"], "nothing is seen as yet"
        together = run(trained, run_id="run-3", handed_on=self.handed_on(settings, 0, machines))
        assert replace(together, seconds=alone.seconds) == alone
        found = written(trained, "run-3")
        for name, expected in written(trained, "run-2").items():
            pd.testing.assert_frame_equal(found[name], expected, check_exact=True, obj=name)

    def test_the_one_that_leads_waits_for_the_others(self, trained: Trained) -> None:
        settings = trained[0]
        self.share(trained, 0, 2)
        late = threading.Timer(1.0, self.share, (trained, 1, 2))
        late.start()
        scored = run(trained, run_id="run-3", handed_on=self.handed_on(settings, 0, 2))
        late.join()
        assert scored.customer_count == 1500

    def test_a_share_that_does_not_come_is_named_and_nothing_is_seen(
        self, trained: Trained, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings, warehouse, _ = trained
        self.share(trained, 0, 2)
        self.share(trained, 1, 2, attempt="0")  # of a job that failed
        monkeypatch.setattr(scored_parts, "WAIT_SECONDS", 0.0)
        with pytest.raises(TransientError, match=r"machine 2 of 2: no .*part-1"):
            run(trained, run_id="run-3", handed_on=self.handed_on(settings, 0, 2))
        assert warehouse.read_external("customer_score").empty

    def test_shares_of_another_model_are_refused(self, trained: Trained) -> None:
        settings, warehouse, version = trained
        self.share(trained, 0, 1)
        registry = open_registry(settings)
        again = train(warehouse, settings, gold.contract(), "run-4", gold.AS_OF_DATE).model_version
        registry.decide(again, APPROVED, "better", "maria")
        with pytest.raises(SpanishGasError, match=f"part 0 was scored with {version}, not {again}"):
            run(
                trained,
                run_id="run-3",
                model_version=again,
                handed_on=self.handed_on(settings, 0, 1),
            )
