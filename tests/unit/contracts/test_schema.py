"""The schema file as Python sees it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from python_ml.contracts.schema import load_source
from python_ml.errors import SpanishGasError


def test_raw_tables_are_the_seven_files_with_key_file_and_partition() -> None:
    tables = load_source("raw")
    assert [name for name, table in tables.items() if table.meta.get("supplementary")] == [
        "campaign_contacts"
    ]
    assert [name for name, table in tables.items() if not table.meta.get("supplementary")] == [
        "churn_label",
        "customer_attributes",
        "customer_contracts",
        "price_history",
        "costs_by_province_month",
        "consumption_hourly",
        "customer_interactions",
    ]
    hourly = tables["consumption_hourly"]
    assert (hourly.file, hourly.partition) == ("consumption_hourly_{year}", "month")
    assert hourly.key == ("customer_id", "timestamp")
    assert hourly.arrow_schema() == pa.schema(
        {
            "customer_id": pa.string(),
            "timestamp": pa.timestamp("us"),
            "consumption_elec_kwh": pa.float64(),
            "consumption_gas_m3": pa.float64(),
        }
    )


def test_columns_know_their_defaults_and_other_names() -> None:
    label = load_source("raw")["churn_label"]
    assert label.column("churn").names == ("churn", "churned_within_horizon", "label")
    assert label.column("churn").required
    assert not label.column("churn").nullable
    assert not label.column("label_date").required
    with pytest.raises(KeyError, match=r"churn_label\.mood"):
        label.column("mood")


def test_no_name_or_alias_stands_for_two_columns_of_a_table() -> None:
    for table in load_source("raw").values():
        names = [name for column in table.columns for name in column.names]
        assert len(names) == len(set(names)), table.name


def test_unknown_source_and_unknown_type(tmp_path: Path) -> None:
    with pytest.raises(SpanishGasError, match="no source named bronze"):
        load_source("bronze")
    path = tmp_path / "sources.yml"
    path.write_text(
        "sources:\n- name: raw\n  tables:\n  - name: t\n"
        "    columns: [{name: c, data_type: money}]\n"
    )
    with pytest.raises(SpanishGasError, match=r"t\.c has the type money; known are varchar"):
        load_source("raw", path)
