"""What is planted in the sources after the as-of date leaves gold as it was, and is counted."""

from __future__ import annotations

import os
import shutil
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from python_ml.land import land
from python_ml.simulate.run import simulate
from tests.integration.dbt_home import build, dbt, query, settings_of

AS_OF = date(2025, 1, 31)
LAYERS = "resource_type:seed bronze silver gold"
PLANTED = 100
GOLD = "select * from gold_master order by customer_id"
# Rows that join a landed table, with the column of silver_source_date that counts them.
LATER = {
    "contract snapshots of the future": (
        "customer_contracts",
        "max_contract_date",
        f"""select * replace (snapshot_date + 365 as snapshot_date, date '2028-01-31' as
        next_renewal_date) from old where snapshot_date = date '{AS_OF}'""",
    ),
    "contracts that start later": (
        "customer_contracts",
        "max_contract_date",
        f"""select * replace (date '2025-02-01' as contract_start_date, date '2028-01-31' as
        next_renewal_date, 'Telemarketing' as sales_channel) from old
        where snapshot_date = date '{AS_OF}' order by customer_id limit {PLANTED}""",
    ),
    "attribute snapshots of the future": (
        "customer_attributes",
        "max_attribute_date",
        f"""select * replace (snapshot_date + 365 as snapshot_date, 99e0 as contracted_power_kw)
        from old where snapshot_date = date '{AS_OF}'""",
    ),
    "costs of later months": (
        "costs_by_province_month",
        "max_cost_date",
        """select * replace ('2025-02' as month, 4e0 as elec_var_cost_eur_kwh) from old
        where month = '2025-01'""",
    ),
    "prices of later": (
        "price_history",
        "max_price_date",
        f"""select * replace (date '2025-02-01' as pricing_date, 4e0 as
        variable_price_tier1_eur_kwh) from old
        where pricing_date = date '2025-01-01' order by customer_id limit {PLANTED}""",
    ),
    "contacts recorded later": (
        "customer_interactions",
        "max_contact_date",
        f"""select * replace (date '2025-01-30' as date, date '2025-02-01' as recorded_date,
        'Wants to cancel, complains.' as interaction_summary) from old
        order by customer_id, date, channel, interaction_summary limit {PLANTED}""",
    ),
    "contacts of later": (
        "customer_interactions",
        "max_contact_date",
        f"""select * replace (date '2025-02-01' as date, null::date as recorded_date,
        'Wants to cancel, complains.' as interaction_summary) from old
        order by customer_id, date, channel, interaction_summary limit {PLANTED}""",
    ),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two dated snapshots, 31 December and 31 January; gold as of the newer."""
    home = tmp_path_factory.mktemp("home")
    simulate(home / "raw", customers=300, seed=11, readings="typical-days", months=1)
    land(home / "raw", settings_of(home))
    build(home, LAYERS)
    return home


def left_out(home: Path) -> pd.Series:
    counts = query(home, "select date_column, later_count from silver_source_date")
    return counts.set_index("date_column")["later_count"]


def with_rows(home: Path, folder: Path, plants: dict[str, tuple[str, str, str]]) -> Path:
    """A home beside, whose lake has more rows."""
    raw = folder / "lake" / "raw"
    shutil.copytree((home / "lake" / "raw").resolve(), raw, copy_function=os.link)
    shutil.copy(home / "warehouse.duckdb", folder)
    for table, _, rows in plants.values():
        file = next((raw / table).glob("*.parquet"))
        old = file.with_suffix(".old")
        file.rename(old)
        duckdb.execute(
            f"copy (with old as (select * from read_parquet('{old}')) select * from old"
            f" union all by name ({rows})) to '{file}' (format parquet)"
        )
        old.unlink()
    return folder


def test_rows_after_the_as_of_date_are_left_out_and_counted(home: Path, tmp_path: Path) -> None:
    before = left_out(home)
    assert not before.any(), "nothing of the batch lies after its end"
    planted = with_rows(home, tmp_path, LATER)
    build(planted, LAYERS, "--vars", f"{{as_of_date: '{AS_OF}'}}")
    pd.testing.assert_frame_equal(query(home, GOLD), query(planted, GOLD), check_exact=True)
    counts = left_out(planted)
    customers = len(query(home, GOLD))
    assert counts["max_contract_date"] == PLANTED + customers
    assert counts["max_attribute_date"] == customers
    assert counts["max_cost_date"] == 52
    assert counts["max_price_date"] == PLANTED
    assert PLANTED < counts["max_contact_date"] <= 2 * PLANTED, "same-day copies are one contact"
    assert counts["max_reading_date"] == 0


def test_a_month_that_is_read_again_keeps_nobody_who_left_its_file(
    home: Path, tmp_path: Path
) -> None:
    beside = with_rows(home, tmp_path, {})
    part = next((beside / "lake/raw/consumption_hourly/month=2025-01").glob("*.parquet"))
    kept = part.with_suffix(".kept")
    duckdb.execute(
        f"copy (select * from '{part}' where customer_id <> 'C00007') to '{kept}' (format parquet)"
    )
    kept.replace(part)
    months = "select month_start from bronze_customer_month where customer_id = 'C00007' order by 1"
    before = query(beside, months)["month_start"].dt.strftime("%Y-%m").tolist()
    assert before[-1] == "2025-01"
    count = "select count(*) as n from bronze_customer_month"
    untouched = int(query(beside, count)["n"].item())
    variables = "{touched_months: ['2025-01']}"
    done = dbt(beside, "run", "--select", "bronze_customer_month", "--vars", variables)
    assert done.success, done.names
    assert query(beside, months)["month_start"].dt.strftime("%Y-%m").tolist() == before[:-1]
    assert query(beside, count)["n"].item() == untouched - 1
