"""The quality gates on real layers: clean data passes, a planted fault stops the run."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_ml.engines import open_warehouse
from python_ml.errors import QualityGateError
from python_ml.land import land
from python_ml.land.result import LandResult
from python_ml.quality import QualityProcess, QualityResult, check_layer
from python_ml.quality.rules import LAYERS, load_rules
from python_ml.settings import Settings, load_settings
from python_ml.simulate.run import simulate
from python_ml.transform.dbt import DbtRunner

AS_OF_DATE = date(2024, 12, 31)
CLEAN, SPOILT = "20250101T000000-aaaaaa", "20250108T000000-bbbbbb"


@dataclass(frozen=True)
class Built:
    """A home with all layers up to gold, and what the gates read beside its tables."""

    settings: Settings
    landed: LandResult
    manifest: dict[str, Any]
    examiner: QualityProcess

    def check(self, layer: str, run_id: str = SPOILT, /, **changed: Any) -> QualityResult:
        settings = self.settings.with_overrides({"quality.data_docs": False, **changed})
        given: dict[str, Any] = {
            "batch": settings.layout.lake / "raw" if layer == "raw" else None,
            "landed": self.landed,
            "manifest": self.manifest,
            "examiner": self.examiner,
        }
        warehouse = open_warehouse(settings)
        try:
            return check_layer(warehouse, settings, layer, run_id, AS_OF_DATE, **given)
        finally:
            self.examiner.settle()

    def results(self, run_id: str = SPOILT) -> pd.DataFrame:
        return open_warehouse(self.settings).read_external("quality_check", run_id)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    home = tmp_path_factory.mktemp("home")
    settings = load_settings({"home": str(home)}, environ={})
    simulate(home / "raw", customers=120, seed=5)
    landed = land(home / "raw", settings)
    dbt = DbtRunner(settings, settings.layout.warehouse, home / "dbt", {"as_of_date": "2024-12-31"})
    warehouse = open_warehouse(settings)
    warehouse.declare_external_tables()
    dbt.build("resource_type:seed bronze silver gold")
    with closing(QualityProcess()) as examiner:
        built = Built(settings, landed, dbt.manifest(), examiner)
        for layer in LAYERS:
            built.check(layer, CLEAN)
        yield built


@pytest.fixture
def built(clean: Built, tmp_path: Path) -> Built:
    """A copy to spoil; the clean run is the one before."""
    home = tmp_path / "home"
    shutil.copytree(clean.settings.layout.home, home, symlinks=True)
    return replace(clean, settings=clean.settings.with_overrides({"home": str(home)}))


def spoil(built: Built, sql: str) -> None:
    with duckdb.connect(str(built.settings.layout.warehouse)) as connection:
        connection.execute(sql)


def rewrite(built: Built, table: str, change: Any) -> None:
    """Put another frame in the place of a landed table; links to raw files are not followed."""
    for file in (built.settings.layout.lake / "raw" / table).rglob("*.parquet"):
        frame = change(pq.ParquetFile(file).read().to_pandas())
        file.unlink()
        schema = pa.Schema.from_pandas(frame, preserve_index=False)
        for index, entry in enumerate(schema):
            if pa.types.is_large_string(entry.type):
                schema = schema.set(index, entry.with_type(pa.string()))
        pq.write_table(pa.Table.from_pandas(frame, schema, preserve_index=False), file)


def test_clean_layers_pass_without_a_warning(clean: Built) -> None:
    rows = clean.results(CLEAN)
    assert rows["is_passed"].all()
    assert set(rows["layer"]) == set(LAYERS)
    assert {"null_share", "row_count", "missing_columns", "age_days"} <= set(rows["check_name"])
    limits = rows[(rows["check_name"] == "null_share") & ~rows["detail"].str.startswith("struct")]
    assert limits.groupby("layer")["limit_value"].agg(["min", "max"]).loc[list(LAYERS)].to_numpy(
        dtype=float
    ).tolist() == [[0.8, 0.8], [0.2, 0.2], [0.05, 0.05], [0.02, 0.02]]


def test_a_second_clean_run_is_compared_with_the_first(built: Built) -> None:
    for layer in LAYERS:
        built.check(layer)
    rows = built.results()
    volumes = rows[rows["check_name"] == "volume_change"]
    assert set(volumes["layer"]) == set(LAYERS)
    assert (volumes["observed_value"] == 0).all()


@pytest.mark.parametrize(
    ("layer", "name", "sql"),
    [
        (
            "bronze",
            "bronze_customer_attribute.missing_columns",
            "alter table bronze_customer_attribute drop region",
        ),
        ("bronze", "bronze_hour.row_count", "delete from bronze_hour"),
        ("bronze", "bronze_interaction.row_count", "drop table bronze_interaction"),
        (
            "bronze",
            "bronze_price_month.variable_price_tier2_eur_kwh.null_share",
            "update bronze_price_month set variable_price_tier2_eur_kwh = null"
            " where month_start <= date '2024-03-01'",
        ),
        (
            "bronze",
            "bronze_churn_label.null_keys",
            "update bronze_churn_label set customer_id = null where customer_id = 'C00007'",
        ),
        (
            "bronze",
            "bronze_customer_attribute.duplicate_keys",
            "insert into bronze_customer_attribute select * from bronze_customer_attribute limit 1",
        ),
        (
            "bronze",
            "bronze_customer_month.reading_count.maximum",
            "update bronze_customer_month set reading_count = 5000 where customer_id = 'C00007'",
        ),
        (
            "bronze",
            "bronze_province_cost_month.month_start.age_days",
            "delete from bronze_province_cost_month where month_start > date '2024-08-01'",
        ),
        (
            "bronze",
            "bronze_churn_label.volume_change",
            "delete from bronze_churn_label where customer_id > 'C00050'",
        ),
        ("silver", "silver_customer.missing_columns", "alter table silver_customer drop segment"),
        (
            "silver",
            "silver_customer.next_renewal_date.null_share",
            "update silver_customer set next_renewal_date = null where customer_id <= 'C00007'",
        ),
        (
            "silver",
            "silver_customer_month.duplicate_keys",
            "insert into silver_customer_month select * from silver_customer_month limit 1",
        ),
        (
            "silver",
            "silver_customer_month.margin_eur.maximum",
            "update silver_customer_month set margin_eur = 'nan' where customer_id = 'C00007'",
        ),
        (
            "silver",
            "silver_customer_month.month_start.age_days",
            "delete from silver_customer_month where month_start = date '2024-12-01'",
        ),
        (
            "silver",
            "silver_interaction.volume_change",
            "delete from silver_interaction where recency_rank = 1 and customer_id > 'C00040'",
        ),
        (
            "gold",
            "gold_master.wrong_types",
            "alter table gold_master alter tenure_months type varchar",
        ),
        (
            "gold",
            "gold_master.months_to_renewal.null_share",
            "update gold_master set months_to_renewal = null where customer_id <= 'C00003'",
        ),
        (
            "gold",
            "gold_master.null_keys",
            "update gold_master set customer_id = null where customer_id = 'C00007'",
        ),
        (
            "gold",
            "gold_master.duplicate_keys",
            "insert into gold_master select * from gold_master limit 1",
        ),
        (
            "gold",
            "gold_master.gas_share_of_revenue.maximum",
            "update gold_master set gas_share_of_revenue = 7 where customer_id = 'C00007'",
        ),
        (
            "gold",
            "gold_master.row_count",
            "update gold_master set as_of_date = date '2024-11-30'",
        ),
        (
            "gold",
            "gold_master.volume_change",
            "delete from gold_master where customer_id > 'C00050'",
        ),
    ],
)
def test_a_fault_in_a_table_stops_the_run(built: Built, layer: str, name: str, sql: str) -> None:
    spoil(built, sql)
    with pytest.raises(QualityGateError, match=rf"{layer}\.{re.escape(name)}: ") as stopped:
        built.check(layer)
    assert stopped.value.exit_code == 5
    failed = built.results().query("severity == 'stop' and not is_passed")
    found = (failed["table_name"] + "." + failed["column_name"] + "." + failed["check_name"]).str
    assert name in set(found.replace("..", "."))


Change = Callable[[pd.DataFrame], pd.DataFrame]


def _without(column: str) -> Change:
    return lambda frame: frame.drop(columns=column)


def _set(column: str, value: Any, share: float) -> Change:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(**{column: frame[column].mask(frame.index < share * len(frame), value)})

    return change


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("customer_attributes.missing_columns", _without("region")),
        (
            "customer_attributes.wrong_types",
            lambda frame: frame.assign(is_urban=frame["is_urban"].astype("str")),
        ),
        (
            "price_history.elec_fixed_fee_eur_month.null_share",
            _set("elec_fixed_fee_eur_month", float("nan"), 0.85),
        ),
        (
            "customer_attributes.contracted_power_kw.maximum",
            _set("contracted_power_kw", 4e6, 0.05),
        ),
        (
            "price_history.pricing_date.age_days",
            lambda frame: frame[frame["pricing_date"] < date(2024, 8, 1)],
        ),
        (
            "consumption_hourly.volume_change",
            lambda frame: frame[frame["customer_id"] < "C00040"],
        ),
        ("churn_label.row_count", lambda frame: frame[:0]),
    ],
)
def test_a_fault_in_a_landed_table_stops_the_run(built: Built, name: str, change: Any) -> None:
    rewrite(built, name.split(".", maxsplit=1)[0], change)
    with pytest.raises(QualityGateError, match=rf"raw\.{re.escape(name)}: "):
        built.check("raw")


def test_what_landing_counted_is_judged(built: Built) -> None:
    tables = dict(built.landed.tables)
    tables["churn_label"] = replace(tables["churn_label"], duplicate_key_rows=1)
    tables["price_history"] = replace(tables["price_history"], set_aside={"no price": 400})
    spoilt = replace(built, landed=replace(built.landed, tables=tables))
    with pytest.raises(QualityGateError, match=r"raw\.churn_label\.duplicate_keys: 1, limit 0"):
        spoilt.check("raw")
    failed = built.results().query("not is_passed")
    aside = failed[failed["check_name"] == "set_aside_share"]
    assert list(aside["severity"]) == ["warn"]
    assert aside["failed_count"].item() == 400


def test_notes_of_landing_are_told_by_the_run_in_their_order(built: Built) -> None:
    notes = ["price_history.csv: the most serious", "b.csv and c.csv: 2 customers: another"]
    noted = replace(built, landed=replace(built.landed, warnings=notes))
    assert noted.check("raw").warnings == notes
    rows = built.results().query("not is_passed")
    assert list(rows["check_name"]) == ["landing_note"] * 2
    assert list(rows["table_name"]) == ["price_history.csv", "b.csv and c.csv"]
    assert list(rows["detail"]) == ["the most serious", "2 customers: another"]


def test_customers_without_a_margin_are_counted_with_the_reason(built: Built) -> None:
    spoil(
        built,
        "update gold_master set avg_monthly_margin_eur = null"
        " where customer_id in ('C00007', 'C00008');"
        "update silver_customer_month set elec_variable_cost_eur = null"
        " where customer_id = 'C00007';"
        "update silver_customer_month set revenue_eur = null where customer_id = 'C00008'",
    )
    assert built.check("gold").warnings == [
        "the margin of 2 of 120 customers is not known (1 in a province without costs, 1 without a "
        "price): neither is their expected loss, and they get no offer"
    ]
    (row,) = built.results().query("not is_passed").to_dict("records")
    assert (row["check_name"], row["severity"]) == ("unknown_margin", "warn")
    assert (row["failed_count"], row["row_count"]) == (2, 120)


def test_a_margin_that_rests_on_absent_data_is_no_reason_to_stop(built: Built) -> None:
    spoil(built, "update gold_master set avg_monthly_margin_eur = null")
    lacking = replace(built, landed=replace(built.landed, absent=["costs_by_province_month"]))
    assert lacking.check("gold").warnings == [
        "the margin of 120 of 120 customers is not known (the batch lacks "
        "costs_by_province_month): neither is their expected loss, and they get no offer"
    ]


def test_a_warning_lets_the_run_go_on(built: Built) -> None:
    spoil(built, "update gold_master set elec_price_trend_12m = 99 where customer_id = 'C00007'")
    result = built.check("gold")
    assert len(result.warnings) == 1
    assert result.warnings[0].startswith("gold.gold_master.elec_price_trend_12m.maximum: 99")


def test_what_is_accepted_by_name_stops_nothing(built: Built) -> None:
    spoil(built, "delete from bronze_churn_label where customer_id > 'C00050'")
    named = ["bronze.bronze_churn_label.volume_change"]
    result = built.check("bronze", SPOILT, **{"quality.accepted": named})
    assert len(result.warnings) == 2, "both severities of the check are shown"
    rows = built.results().query("not is_passed")
    assert rows["is_accepted"].all()


def test_a_stopped_run_is_no_measure_for_the_next(built: Built) -> None:
    spoil(built, "delete from bronze_churn_label where customer_id > 'C00050'")
    for run in (SPOILT, "20250115T000000-cccccc"):
        with pytest.raises(QualityGateError, match="volume_change"):
            built.check("bronze", run)


def test_the_clock_is_looked_at_when_asked(built: Built) -> None:
    assert "clock_age_days" not in set(built.results(CLEAN)["check_name"])
    with pytest.raises(QualityGateError, match=r"raw\.clock_age_days: .*looked at on"):
        built.check("raw", SPOILT, **{"quality.check_clock": True})


def test_data_docs_are_pages_that_need_no_network(built: Built) -> None:
    spoil(built, "update gold_master set gas_share_of_revenue = 7 where customer_id = 'C00007'")
    for layer in ("raw", "bronze"):
        built.check(layer)
    with pytest.raises(QualityGateError, match="Data Docs: "):
        built.check("gold", SPOILT, **{"quality.data_docs": True})
    docs = built.settings.layout.reports / "data_docs" / SPOILT
    pages = {page.stem: page.read_text(encoding="utf-8") for page in docs.rglob("*.html")}
    assert {"warehouse-raw", "warehouse-bronze", "warehouse-gold", "index"} <= set(pages)
    assert "gas_share_of_revenue" in pages["warehouse-gold"]
    for target in re.findall(r'href="([^"#]+)"', pages["index"]):
        assert (docs / target).exists()
    for text in pages.values():
        assert not re.search(r'<(script|link|img)[^>]*(src|href)="https?://', text)


def test_every_table_has_rules_and_every_rule_a_column(clean: Built) -> None:
    """A model that nobody gates, or a rule for a column that is gone, shows here."""
    models = {
        node["name"]: (node["path"].split("/")[0], set(node["columns"]))
        for node in clean.manifest["nodes"].values()
        # Views hold nothing; a batch may be without dates of labels, campaigns and absent inputs.
        if node["resource_type"] == "model"
        and node["config"]["materialized"] != "view"
        and node["name"] not in ("bronze_label_date", "silver_as_of_date", "bronze_missing_input")
        and "_campaign_" not in node["name"]
    }
    for layer in ("bronze", "silver", "gold"):
        tables = load_rules(clean.settings, layer).tables
        expected = {name for name, (of, _) in models.items() if of == layer}
        # Columns of the tier models are those of gold_master.
        assert set(tables) == {n for n in expected if not n.startswith("gold_features")}
        for name, rules in tables.items():
            named = {*rules.nulls, *rules.ranges, rules.month_column, rules.fresh_column} - {None}
            assert named <= models[name][1], name
