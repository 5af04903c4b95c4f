"""A model that learns from several as-of dates: nobody is on two sides, and nobody counts twice."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from python_ml.contracts.gold import without_text
from python_ml.engines import Warehouse
from python_ml.judge.snapshot import SCORED_ROWS, TRAINING_ROWS, read_training_rows
from python_ml.judge.split import of_date, split_hash, stratified_split
from python_ml.pipeline.evaluate import OUT_OF_TIME, evaluate, stored_rows
from python_ml.pipeline.rebuild import rebuild_version
from python_ml.pipeline.train import fit_by_protocol, labelled_rows, train
from python_ml.registry import open_registry
from python_ml.registry.base import RegisteredModel
from python_ml.settings import Settings
from tests.unit import gold_fixture as gold

pytestmark = pytest.mark.thorough

EARLIEST, EARLIER, NEWEST = date(2024, 6, 30), date(2024, 9, 30), gold.AS_OF_DATE
DATES = (EARLIEST, EARLIER, NEWEST)
Trained = tuple[Settings, Warehouse, RegisteredModel]


def several(customers: int = 1500) -> pd.DataFrame:
    """Gold of three dates; who left is gone on the next, and every date has others join."""
    parts: list[pd.DataFrame] = []
    gone: set[str] = set()
    for number, day in enumerate(DATES):
        frame = gold.gold_frame(customers + 50 * number, seed=number)
        frame = frame.assign(as_of_date=pd.Timestamp(day))
        frame = frame[~frame["customer_id"].isin(gone)]
        gone |= set(frame.loc[frame["churn"] == 1, "customer_id"])
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def rows_of(frame: pd.DataFrame, home: Path) -> pd.DataFrame:
    return labelled_rows(frame, gold.contract(), gold.settings_for(home), NEWEST)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    settings = gold.settings_for(tmp_path_factory.mktemp("home"))
    warehouse = gold.warehouse_with(settings, several())
    result = train(
        warehouse, settings, gold.contract(), "run-1", NEWEST, earlier=(EARLIEST, EARLIER)
    )
    return settings, warehouse, open_registry(settings).load(result.model_version)


def test_no_customer_is_on_two_sides(tmp_path: Path) -> None:
    rows = rows_of(several(), tmp_path)
    assert rows["customer_id"].duplicated().any()
    sides = rows.assign(cv_fold=rows["cv_fold"].fillna(0)).groupby("customer_id")
    assert (sides["split_part"].nunique() == 1).all()
    assert (sides["cv_fold"].nunique() == 1).all()
    test = rows[rows["split_part"] == "test"]
    assert set(test["as_of_date"]) == {pd.Timestamp(NEWEST)}


def test_what_customers_of_the_test_part_were_earlier_is_not_learned_from(tmp_path: Path) -> None:
    """Without groups, a customer of the test part would be known from an earlier date."""
    settings, frame = gold.settings_for(tmp_path), several()
    columns = gold.contract().experiment(settings, "E5_full")

    def fitted(gold_rows: pd.DataFrame) -> str:
        rows = rows_of(gold_rows, tmp_path)
        training = rows[rows["split_part"] == "train"].reset_index(drop=True)
        return fit_by_protocol(training, columns, "churn", "E5_full", settings).model.sha256()

    rows = rows_of(frame, tmp_path)
    tested = set(rows.loc[rows["split_part"] == "test", "customer_id"])
    planted = frame["customer_id"].isin(tested) & (frame["as_of_date"] < pd.Timestamp(NEWEST))
    assert planted.sum() > 400
    changed = frame.copy()
    changed.loc[planted, "months_to_renewal"] = 1000.0
    assert fitted(changed) == fitted(frame)


def test_a_customer_who_has_left_is_no_row_later(tmp_path: Path) -> None:
    frame = several()
    left = frame[(frame["as_of_date"] == pd.Timestamp(EARLIEST)) & (frame["churn"] == 1)]
    back = left.assign(as_of_date=pd.Timestamp(EARLIER), churn=0)
    rows = rows_of(pd.concat([frame, back], ignore_index=True), tmp_path)
    assert len(rows) == len(rows_of(frame, tmp_path))
    churned = rows.groupby("customer_id")["churn"].agg(["sum", "last"])
    assert churned["sum"].max() == 1
    assert (churned["sum"] == churned["last"]).all(), "the last row is the one that left"


def test_as_many_of_an_earlier_date_have_left_as_in_gold(tmp_path: Path) -> None:
    """Customers of the test part stayed until the newest date; those who left before are split
    alike, or too many of those learned from would have left."""
    frame = several(4000)
    rows = rows_of(frame, tmp_path)
    for day in (EARLIEST, EARLIER):
        learned, everybody = (of_date(part, day) for part in (rows, frame))
        assert len(learned) == pytest.approx(0.8 * len(everybody), rel=0.02)
        assert learned["churn"].mean() == pytest.approx(everybody["churn"].mean(), rel=0.06)


def test_other_dates_move_nobody_of_the_newest(tmp_path: Path) -> None:
    frame = several()
    newest = of_date(frame, NEWEST)
    alone = rows_of(newest, tmp_path)
    columns = ["customer_id", "split_part", "cv_fold"]
    beside = of_date(rows_of(frame, tmp_path), NEWEST)
    assert split_hash(alone[columns]) == split_hash(beside[columns])
    split = stratified_split(
        newest["customer_id"], newest["churn"], seed=42, test_share=0.2, folds=5
    )
    assert split_hash(split) == split_hash(alone[columns])


def test_a_version_names_its_dates_and_is_rebuilt_from_them(trained: Trained) -> None:
    settings, warehouse, registered = trained
    origin = registered.origin
    assert origin["training_as_of_dates"] == [f"{day}" for day in DATES]
    assert origin["as_of_date"] == f"{NEWEST}"
    kept = read_training_rows(settings, origin)
    assert set(kept.frame["as_of_date"]) == set(DATES)
    assert set(kept.of(EARLIER)["as_of_date"]) == {EARLIER}
    assert (settings.layout.lake / "ml" / TRAINING_ROWS).exists()
    assert not (settings.layout.lake / "ml" / SCORED_ROWS).exists()
    rebuilt = rebuild_version(warehouse, settings, registered.version)
    assert rebuilt.is_identical
    rows = stored_rows(warehouse, settings, registered)
    is_training = rows["split_part"] == "train"
    assert int(is_training.sum()) == origin["train_count"]
    assert int((~is_training).sum()) == origin["test_count"]


def test_the_figure_out_of_time_knows_neither_the_date_nor_the_customers(trained: Trained) -> None:
    settings, warehouse, registered = trained
    contract = gold.contract()
    result = evaluate(warehouse, settings, contract, "run-1", registered.version)
    found = result.out_of_time
    assert found is not None and found.training_as_of_dates == (EARLIEST, EARLIER)
    rows = stored_rows(warehouse, settings, registered)
    test = rows[rows["split_part"] == "test"]
    past = rows[(rows["split_part"] == "train") & (rows["as_of_date"] != NEWEST)]
    assert not set(past["customer_id"]) & set(test["customer_id"])
    columns = contract.experiment(settings, "E5_full")
    for used, figures in (
        (columns, found.metrics),
        (without_text(columns), found.metrics_without_text),
    ):
        model = fit_by_protocol(past.reset_index(drop=True), used, "churn", "again", settings).model
        flagged = model.predict(test)["is_flagged"].to_numpy()
        recall = flagged[test["churn"].to_numpy() == 1].mean()
        assert figures["recall"].value == pytest.approx(recall)
    metrics = warehouse.read_external("model_metric", "run-1")
    stored = metrics[(metrics["feature_set"] == OUT_OF_TIME) & (metrics["metric"] == "pr_auc")]
    assert list(stored["metric_value"]) == [found.metrics["pr_auc"].value]
    document = result.as_dict()["out_of_time"]
    assert document["training_as_of_dates"] == [f"{EARLIEST}", f"{EARLIER}"]


def test_who_was_treated_is_left_out_on_the_dates_of_the_campaign_alone(tmp_path: Path) -> None:
    settings = gold.settings_for(tmp_path)
    frame = several()
    warehouse = gold.warehouse_with(settings, frame)
    people = sorted(of_date(frame, EARLIER)["customer_id"])[:600]
    control = set(people[::2])
    with duckdb.connect(str(settings.layout.warehouse)) as connection:
        connection.executemany(
            "insert into silver_campaign_customer values (?, ?, 0.5, ?, ?, ?)",
            [
                (name, arm, arm != "control", EARLIER, date(2024, 12, 29))
                for name in people
                for arm in (["control"] if name in control else ["offer_large"])
            ],
        )
    trained = train(warehouse, settings, gold.contract(), "r1", NEWEST, earlier=(EARLIEST, EARLIER))
    registered = open_registry(settings).load(trained.model_version)
    rows = stored_rows(warehouse, settings, registered)
    assert int((rows["split_part"] == "train").sum()) == trained.train_count
    counts = {day: of_date(rows, day)["customer_id"].value_counts() for day in DATES}
    treated = set(people) - control
    assert not set(counts[EARLIER].index) & treated
    assert counts[EARLIER].reindex(sorted(control)).dropna().eq(2).all()
    for day in (EARLIEST, NEWEST):
        assert set(counts[day].index) & treated
        assert counts[day].eq(1).all()
    assert rebuild_version(warehouse, settings, trained.model_version).is_identical


def test_of_one_date_there_is_no_figure_out_of_time(tmp_path: Path) -> None:
    settings = gold.settings_for(tmp_path)
    warehouse = gold.warehouse_with(settings, gold.gold_frame())
    version = train(warehouse, settings, gold.contract(), "run-1", NEWEST).model_version
    assert open_registry(settings).load(version).origin["training_as_of_dates"] == [f"{NEWEST}"]
    result = evaluate(warehouse, settings, gold.contract(), "run-1", version)
    assert result.out_of_time is None and result.as_dict()["out_of_time"] is None
    assert not np.isin(
        warehouse.read_external("model_metric", "run-1")["feature_set"], OUT_OF_TIME
    ).any()
