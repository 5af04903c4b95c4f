"""What a CRM reports of the contacts of campaigns, checked by the rules of the raw table."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from python_ml.campaigns import CONTROL
from python_ml.contracts.schema import load_source
from python_ml.duckdb_connection import open_duckdb
from python_ml.errors import BadInputError
from python_ml.land.check import judge, materialise
from python_ml.land.discover import raw_file
from python_ml.land.read import DAMAGED, open_raw, unreadable
from python_ml.land.result import Problem, Refusal
from python_ml.settings import Settings

TABLE = "campaign_contacts"
UNKNOWN_CHANNEL = "unknown"
# Of two outcomes of one contact the higher one stays, as in bronze_campaign_contact.
_SAYS = {"not_reached": 1, "reached": 2, "refused": 3, "accepted": 4}


@dataclass(frozen=True)
class Findings:
    """What the contacts of a file say about the campaigns; counts are of contacts."""

    contact_count: int
    rejected: dict[str, int] = field(default_factory=dict)  # by reason
    known_count: int = 0  # recorded before; they count once
    called_control_count: int = 0
    other_offer_count: int = 0  # another offer than that of the arm was made

    def warnings(self) -> list[str]:
        """What a person should look at, one sentence each."""
        told = [f"{count:,} contacts were rejected: {why}" for why, count in self.rejected.items()]
        if self.called_control_count:
            told.append(
                f"{self.called_control_count:,} contacts were with customers of the control group, "
                "who must not be contacted"
            )
        if self.other_offer_count:
            told.append(f"{self.other_offer_count:,} contacts made another offer than that drawn")
        return told

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "warnings": self.warnings()}


def read_contacts(path: Path, settings: Settings) -> tuple[pd.DataFrame, dict[str, int]]:
    """The contacts of a file, typed, one row per contact, and the rejected rows by reason.

    Args:
        path: CSV, Parquet or JSON with the columns of the raw table campaign_contacts.
        settings: limits of landing.

    Raises:
        BadInputError: the file cannot be read, or breaks the rules of landing.
    """
    raw = raw_file(path, load_source("raw")[TABLE])
    try:
        with (
            open_duckdb(threads=settings.threads) as connection,
            tempfile.TemporaryDirectory() as scratch,
        ):
            connection.execute("set timezone = 'UTC'")
            source = open_raw(connection, raw, [path], settings.land, Path(scratch))
            checked, counts = materialise(connection, source)
            names = ", ".join(raw.table.column_names)
            rows = connection.execute(
                f"select {names} from {checked} where reason is null order by all"
            ).df()
    except Refusal as refusal:
        raise _refused(path, list(refusal.problems)) from refusal
    except DAMAGED as error:
        raise _refused(path, [unreadable(raw, error)]) from error
    if problems := judge(raw.label, raw.table, counts, settings):
        raise _refused(path, problems)
    rows["channel"] = rows["channel"].fillna(UNKNOWN_CHANNEL)
    rows["contact_date"] = pd.to_datetime(rows["contact_date"]).dt.date
    return rows, counts.set_aside


def check_contacts(
    rows: pd.DataFrame,
    rejected: dict[str, int],
    assignments: pd.DataFrame,
    known: pd.DataFrame,
    path: Path,
) -> tuple[pd.DataFrame, Findings]:
    """The contacts to record, and what they say.

    Contacts of customers who do not take part, and contacts before the start, are rejected.
    Contacts with the control group are kept: they are what contaminates the comparison.

    Args:
        rows: as `read_contacts` returns them.
        rejected: rows that landing's rules have rejected, by reason.
        assignments: ml.campaign_assignment.
        known: ml.campaign_contact as recorded so far.
        path: of the file, for messages.

    Raises:
        BadInputError: a campaign is unknown, or no contact can be recorded.
    """
    names = sorted(set(rows["campaign"]) - set(assignments["campaign"]))
    if names:
        count = int(rows["campaign"].isin(names).sum())
        started = ", ".join(sorted(set(assignments["campaign"]))) or "none"
        raise _refused(
            path,
            [
                Problem(
                    path.name,
                    f"no such campaign has been started: {', '.join(names[:5])}",
                    f"Started are: {started}.",
                    column="campaign",
                    rows=count,
                )
            ],
        )
    drawn = assignments[["campaign", "customer_id", "arm", "as_of_date"]]
    joined = rows.merge(drawn, on=["campaign", "customer_id"], how="left", validate="many_to_one")
    is_unknown = joined["arm"].isna()
    is_early = ~is_unknown & (
        pd.to_datetime(joined["contact_date"]) < pd.to_datetime(joined["as_of_date"])
    )
    rejected = dict(rejected)
    for reason, bad in (
        ("customer_id: does not take part in the campaign", is_unknown),
        ("contact_date: before the campaign started", is_early),
    ):
        if bad.any():
            rejected[reason] = int(bad.sum())
    kept = joined[~is_unknown & ~is_early]
    if kept.empty:
        told = "; ".join(f"{reason} ({count:,})" for reason, count in rejected.items())
        raise _refused(
            path, [Problem(path.name, f"no contact can be recorded: {told}", "Export it again.")]
        )
    key = ["campaign", "customer_id", "contact_date", "channel"]
    ranked = kept.assign(rank=kept["outcome"].map(_SAYS))
    unique = ranked.sort_values([*key, "rank"]).drop_duplicates(key, keep="last")
    seen = unique.merge(known[key].drop_duplicates(), on=key) if len(known) else unique.iloc[:0]
    is_other = unique["offer"].notna() & (unique["offer"] != unique["arm"])
    findings = Findings(
        contact_count=len(unique),
        rejected=rejected,
        known_count=len(seen),
        called_control_count=int((unique["arm"] == CONTROL).sum()),
        other_offer_count=int((is_other & (unique["arm"] != CONTROL)).sum()),
    )
    columns = [*key, "outcome", "offer", "cost_eur"]
    return unique[columns].reset_index(drop=True), findings


def _refused(path: Path, problems: list[Problem]) -> BadInputError:
    listing = "\n".join(f"  - {problem}" for problem in problems)
    return BadInputError(f"{path} was refused and nothing was recorded:\n{listing}")
