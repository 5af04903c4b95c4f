"""The files that a retention team works from: a call list, and the list of whom not to call."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from python_ml.errors import on_disk

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_CALL = {
    "campaign": "campaign",
    "customer_id": "customer_id",
    "arm_name": "offer",
    "contact_from_date": "contact_from",
    "contact_until_date": "contact_until",
    "discount_eur_month": "discount_eur_per_month",
    "risk_tier": "risk_tier",
    "churn_probability": "churn_probability",
    "reasons": "reasons",
}
_CONTROL = {
    "campaign": "campaign",
    "customer_id": "customer_id",
    "arm_name": "instruction",
    "outcome_date": "do_not_contact_until",
}


@dataclass(frozen=True)
class Exported:
    """The files written, and the rows of each list."""

    campaign: str
    call_count: int
    control_count: int
    files: list[str]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def export_lists(customers: pd.DataFrame, campaign: str, folder: Path) -> Exported:
    """Write the call list and the control list of a campaign as CSV and Parquet.

    Args:
        customers: rows of mart_campaign_customer of the campaign.
        campaign: its name.
        folder: to write to; files of the same name are replaced, each in one step.

    Raises:
        ServiceError: a file cannot be written.
    """
    treated = customers[customers["is_treated"].astype(bool)]
    control = customers[~customers["is_treated"].astype(bool)]
    # The likeliest to leave first; sums of equal chances by id.
    order = ["churn_probability", "customer_id"]
    calls = treated.sort_values(order, ascending=[False, True])[list(_CALL)].rename(columns=_CALL)
    calls = calls.assign(
        discount_eur_per_month=calls["discount_eur_per_month"].round(2),
        churn_probability=calls["churn_probability"].round(3),
    )
    left = control.sort_values("customer_id")[list(_CONTROL)].rename(columns=_CONTROL)
    day = f"{pd.Timestamp(customers['as_of_date'].iloc[0]):%Y-%m-%d}"
    files = []
    with on_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for kind, rows in (("call-list", calls), ("control-group", left)):
            named = folder / f"{campaign}-{kind}-{day}"
            files += [_write_csv(_dated(rows), named.with_name(f"{named.name}.csv"))]
            files += [_write_parquet(rows, named.with_name(f"{named.name}.parquet"))]
    return Exported(campaign, len(calls), len(left), files)


def _dated(rows: pd.DataFrame) -> pd.DataFrame:
    """Dates without a time, and no cell that a spreadsheet would run as a formula."""
    shown = rows.copy()
    for column in shown.columns:
        if pd.api.types.is_datetime64_any_dtype(shown[column]):
            shown[column] = shown[column].dt.strftime("%Y-%m-%d")
        elif pd.api.types.is_string_dtype(shown[column]) or shown[column].dtype == object:
            shown[column] = [
                ("'" + value) if isinstance(value, str) and value.startswith(_FORMULA) else value
                for value in shown[column]
            ]
    return shown


def _write_csv(rows: pd.DataFrame, path: Path) -> str:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    # The mark at the beginning lets spreadsheets read UTF-8.
    rows.to_csv(unfinished, index=False, encoding="utf-8-sig", lineterminator="\r\n")
    unfinished.replace(path)
    return str(path)


def _write_parquet(rows: pd.DataFrame, path: Path) -> str:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    rows.to_parquet(unfinished, index=False)
    unfinished.replace(path)
    return str(path)
