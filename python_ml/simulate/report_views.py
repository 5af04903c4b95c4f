"""Opens a simulated batch in DuckDB and computes one row a customer for the report."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import duckdb
import pandas as pd

from python_ml.duckdb_connection import open_duckdb
from python_ml.engines.sql import files
from python_ml.errors import BadInputError
from python_ml.settings import PROJECT_DIR
from python_ml.simulate.reference import REFERENCE_DIR
from python_ml.transform.sentiment import label_texts

_FILES = {
    "labels": "churn_label.csv",
    "attributes": "customer_attributes.csv",
    "contracts": "customer_contracts.csv",
    "prices": "price_history.csv",
    "costs": "costs_by_province_month.csv",
    "interactions": "customer_interactions.json",
}
_TEXT_COLUMNS = {
    "labels": ("customer_id",),
    "attributes": ("customer_id", "province_code"),
    "contracts": ("customer_id",),
    "prices": ("customer_id",),
    "costs": ("month", "province"),
}
_PRICE_COLUMNS = (
    "tier1_price",
    "tier2_price",
    "tier3_price",
    "fee",
    "fee_cost",
    "gas_price",
    "gas_revenue",
    "gas_cost",
)


def open_batch(
    raw: Path, *, threads: int, memory_limit: str
) -> tuple[duckdb.DuckDBPyConnection, dict[str, str]]:
    """A connection with the tables `customer`, `prices`, `costs` and `province`.

    Returns also the names that `published.yml` may use in a column: `hours`, those of the year.

    Raises:
        BadInputError: a file is missing.
    """
    hours_folder, year = _hours(raw)
    connection = open_duckdb(threads=threads, memory_limit=memory_limit)
    for view, name in _FILES.items():
        path = raw / name
        if not path.exists():
            raise BadInputError(f"{path}: file not found; `spanishgas simulate` writes it")
        if name.endswith(".csv"):
            # Codes keep their leading zero, months stay text.
            types = dict.fromkeys(_TEXT_COLUMNS[view], "varchar")
            connection.execute(
                f"create view {view} as "
                f"select * from read_csv({files(path)}, header = true, types = {types})"
            )
        else:
            connection.execute(
                f"create view {view} as select * from read_json({files(path)}, format = 'auto', "
                "columns = {customer_id: 'varchar', date: 'date', channel: 'varchar', "
                "interaction_summary: 'varchar'})"
            )
    connection.execute(
        f"create view hourly as select * from "
        f"read_parquet({files(hours_folder, '*/*.parquet')}, hive_partitioning = false)"
    )
    connection.register("hour", _hour_calendar(year))
    connection.register("newest", _newest_interactions(connection))
    query = (REFERENCE_DIR / "report_features.sql").read_text(encoding="utf-8")
    filled = ",\n        ".join(_filled(column) for column in _PRICE_COLUMNS)
    connection.execute(query.replace("{filled}", filled).replace("{as_of_date}", f"{year}-12-31"))
    connection.execute(
        """
        create view province as
        select province, avg(elec_var_cost_eur_kwh) as elec_cost,
            max_by(elec_var_cost_eur_kwh, month) / min_by(elec_var_cost_eur_kwh, month) - 1
                as elec_cost_trend
        from costs group by province
        """
    )
    days = (dt.date(year + 1, 1, 1) - dt.date(year, 1, 1)).days
    return connection, {"hours": str(days * 24)}


def _hours(raw: Path) -> tuple[Path, int]:
    folders = sorted(raw.glob("consumption_hourly_[0-9][0-9][0-9][0-9]"))
    if not folders:
        raise BadInputError(f"{raw}: no consumption_hourly_<year>; `spanishgas simulate` writes it")
    return folders[-1], int(folders[-1].name[-4:])


def _filled(column: str) -> str:
    frame = "(partition by months.customer_id order by months.month rows between"
    last = f"last_value({column} ignore nulls) over {frame} unbounded preceding and current row)"
    later = f"first_value({column} ignore nulls) over {frame} current row and unbounded following)"
    return f"coalesce({last}, {later}) as {column}"


def _hour_calendar(year: int) -> pd.DataFrame:
    """Each hour of the year with its month and price tier, by the seeds that SQL uses."""
    with (PROJECT_DIR / "seeds" / "national_holidays.csv").open(encoding="utf-8") as file:
        rest = {(int(r["month_of_year"]), int(r["day_of_month"])) for r in csv.DictReader(file)}
    with (PROJECT_DIR / "seeds" / "tariff_periods.csv").open(encoding="utf-8") as file:
        tier = {
            (r["day_type"], int(r["hour_of_day"])): int(r["price_tier"])
            for r in csv.DictReader(file)
        }
    hours = pd.date_range(f"{year}-01-01", f"{year}-12-31 23:00", freq="h")
    kinds = [
        "rest_day" if h.weekday() >= 5 or (h.month, h.day) in rest else "working_day" for h in hours
    ]
    return pd.DataFrame(
        {
            "timestamp": hours,
            "month": hours.strftime("%Y-%m"),
            "price_tier": [tier[k, h.hour] for k, h in zip(kinds, hours, strict=True)],
        }
    )


def _newest_interactions(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Newest interaction of each customer: customer_id, interaction_date, intent, sentiment."""
    keywords = PROJECT_DIR / "seeds" / "intent_keywords.csv"
    newest = connection.execute(
        f"""
        with newest as (
            select customer_id, max(date) as interaction_date,
                max_by(interaction_summary, (date, interaction_summary)) as summary
            from interactions group by customer_id
        ),
        worded as (
            select *, ' ' || regexp_replace(lower(summary), '[^a-z0-9]+', ' ', 'g') || ' ' as words
            from newest
        ),
        found as (
            select customer_id, min_by(customer_intent, intent_priority) as intent
            from worded inner join read_csv({files(keywords)}) as keywords on contains(
                words, ' ' || keyword || case when is_prefix then '' else ' ' end)
            group by customer_id
        )
        select customer_id, interaction_date, summary, coalesce(intent, 'Other') as intent
        from worded left join found using (customer_id)
        order by customer_id
        """
    ).df()
    newest["sentiment"] = label_texts(newest["summary"].tolist())[0]
    return newest.drop(columns="summary")
