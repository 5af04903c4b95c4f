"""The contract of gold_master decides what is a feature, and is enforced."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_ml.cli.main import main
from python_ml.contracts.gold import Column, read_contract, require_experiments, without_text
from python_ml.errors import SpanishGasError
from python_ml.judge.snapshot import (
    content_hash,
    read_gold,
    read_snapshot,
    snapshot_key,
    take_snapshot,
)
from python_ml.settings import load_settings
from tests.unit import gold_fixture as gold


def names(columns: Iterable[Column]) -> list[str]:
    return [column.name for column in columns]


def test_roles_tiers_and_fills_come_from_the_manifest() -> None:
    contract = gold.contract()
    assert contract.target == "churn"
    assert "avg_monthly_margin_eur" not in names(contract.features)
    fills = {column.name: column.fill for column in contract.features}
    assert fills["last_interaction_days_ago"] == 9999
    assert fills["customer_intent"] == "no_interaction"
    assert fills["gas_price_trend_12m"] is None


def test_meta_is_read_from_both_places_of_dbt() -> None:
    old_style = gold.manifest()
    for entry in old_style["nodes"]["model.spanishgas.gold_master"]["columns"].values():
        entry["meta"] = entry.pop("config")["meta"]
    assert read_contract(old_style) == gold.contract()


def test_experiments_select_by_tier(tmp_path: Path) -> None:
    settings = gold.settings_for(tmp_path)
    contract = gold.contract()
    full = names(contract.experiment(settings, "E5_full"))
    fallback = names(contract.experiment(settings, "E8_no_sentiment"))
    assert set(full) - set(fallback) == {"is_negative_sentiment"}
    assert names(contract.experiment(settings, "E0_baseline"))[0] == "months_to_renewal"


def test_an_experiment_with_a_tier_that_no_feature_has_is_refused(tmp_path: Path) -> None:
    settings = gold.settings_for(tmp_path)
    with pytest.raises(SpanishGasError, match="MP core"):
        gold.contract().experiment(settings, "E1_lifecycle_market")
    with pytest.raises(SpanishGasError, match="E99"):
        gold.contract().experiment(settings, "E99")


def test_without_text_drops_words_but_keeps_dates() -> None:
    kept = names(without_text(gold.contract().features))
    assert "customer_intent" not in kept and "is_negative_sentiment" not in kept
    assert "last_interaction_days_ago" in kept


@pytest.mark.parametrize("key", ["role", "tier", "fill"])
def test_a_feature_without_role_tier_or_fill_is_refused(key: str) -> None:
    columns = copy.deepcopy(gold.COLUMNS)
    del columns["segment"][1][key]
    with pytest.raises(SpanishGasError, match=r"gold_master\.segment"):
        read_contract(gold.manifest(columns))


def test_a_manifest_without_target_is_refused() -> None:
    columns = {name: value for name, value in gold.COLUMNS.items() if name != "churn"}
    with pytest.raises(SpanishGasError, match="target"):
        read_contract(gold.manifest(columns))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda frame: frame.drop(columns="segment"), "segment"),
        (lambda frame: frame.assign(surprise=1.0), "surprise"),
    ],
)
def test_a_missing_or_extra_column_stops(tmp_path: Path, change: Any, named: str) -> None:
    settings = gold.settings_for(tmp_path)
    warehouse = gold.warehouse_with(settings, change(gold.gold_frame(50)))
    with pytest.raises(SpanishGasError, match=named):
        read_gold(warehouse, gold.contract(), gold.AS_OF_DATE)


def test_a_customer_twice_or_no_row_stops(tmp_path: Path) -> None:
    settings = gold.settings_for(tmp_path)
    frame = gold.gold_frame(50)
    frame.loc[1, "customer_id"] = str(frame["customer_id"][0])
    warehouse = gold.warehouse_with(settings, frame)
    with pytest.raises(SpanishGasError, match="twice"):
        read_gold(warehouse, gold.contract(), gold.AS_OF_DATE)
    with pytest.raises(SpanishGasError, match="2023-12-31"):
        read_gold(warehouse, gold.contract(), gold.AS_OF_DATE.replace(year=2023))


def test_snapshot_is_written_once_and_a_changed_gold_is_noticed(tmp_path: Path) -> None:
    settings = gold.settings_for(tmp_path)
    frame = gold.gold_frame(60)
    shuffled = frame.sample(frac=1, random_state=1)
    arguments = (settings, gold.contract(), "run-1", gold.AS_OF_DATE)
    first = take_snapshot(gold.warehouse_with(settings, shuffled), *arguments)
    assert first.frame["customer_id"].is_monotonic_increasing
    written = (settings.layout.lake / snapshot_key("run-1")).stat().st_mtime_ns
    again = take_snapshot(gold.warehouse_with(settings, frame), *arguments)
    assert again.sha256 == first.sha256
    assert (settings.layout.lake / snapshot_key("run-1")).stat().st_mtime_ns == written
    frame.loc[3, "months_to_renewal"] = float(frame["months_to_renewal"][3]) + 1e-9
    with pytest.raises(SpanishGasError, match="changed"):
        take_snapshot(gold.warehouse_with(settings, frame), *arguments)


def test_a_snapshot_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    settings = gold.settings_for(tmp_path)
    warehouse = gold.warehouse_with(settings, gold.gold_frame(60))
    taken = take_snapshot(warehouse, settings, gold.contract(), "run-1", gold.AS_OF_DATE)
    path = settings.layout.lake / snapshot_key("run-1")
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.slice(1), path)
    with pytest.raises(SpanishGasError, match="not the snapshot"):
        read_snapshot(settings, "run-1", taken.sha256)
    with pytest.raises(SpanishGasError, match="run-2"):
        read_snapshot(settings, "run-2")


def test_content_hash_sees_values_names_types_and_nulls_but_not_chunks() -> None:
    table = pa.table({"a": [1.0, None, 2.0], "b": ["x", None, ""]})
    reference = content_hash(table)
    assert content_hash(pa.concat_tables([table.slice(0, 1), table.slice(1)])) == reference
    others = [
        pa.table({"a": [1.0, 0.0, 2.0], "b": ["x", None, ""]}),
        pa.table({"a": [1.0, None, 2.0], "b": ["x", "", None]}),
        pa.table({"c": [1.0, None, 2.0], "b": ["x", None, ""]}),
        table.set_column(0, "a", table["a"].cast(pa.float32())),
        table.take([1, 0, 2]),
    ]
    assert len({reference, *map(content_hash, others)}) == 6


@pytest.mark.parametrize(
    ("tiers", "message"), [("[1A, 9Z]", "the tier 9Z; tiers are 1A, "), ("[]", "names no tier")]
)
@pytest.mark.parametrize("line", ["run", "train", "evaluate", "score", "ladder", "backtest"])
def test_an_experiment_without_features_is_refused_before_anything_is_begun(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    line: str,
    tiers: str,
    message: str,
) -> None:
    (tmp_path / "raw").mkdir()
    monkeypatch.setenv("SPANISHGAS_EXPERIMENTS__E9_MINE", tiers)
    monkeypatch.setattr("sys.argv", ["spanishgas", line, "--home", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_the_experiments_that_we_ship_have_features() -> None:
    require_experiments(load_settings(environ={}))
