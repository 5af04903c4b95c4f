"""Commands of campaigns. Those that write are runs of their own: recorded, and published whole.

The frozen draw is one file, written in one step: a campaign has started exactly if it is there.
What the marts show follows from it, and is built again by whatever command or run comes next.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from python_ml.campaigns.assign import draw
from python_ml.campaigns.contacts import Findings, check_contacts, read_contacts
from python_ml.campaigns.export import Exported, export_lists
from python_ml.campaigns.plan import Design, Terms, make_design
from python_ml.campaigns.uplift import Verdict
from python_ml.documents import json_rows
from python_ml.engines import Warehouse, open_engine, open_warehouse
from python_ml.engines.published import published_run
from python_ml.engines.sql import literal
from python_ml.errors import UsageError
from python_ml.pipeline.campaign_effects import write_effects
from python_ml.pipeline.context import Published
from python_ml.pipeline.on_published import marts_step, on_shown_scores, require_published
from python_ml.pipeline.workspace import Run
from python_ml.settings import Settings

ASSIGNMENT, STOP, CONTACT = "campaign_assignment", "campaign_stop", "campaign_contact"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
# What shows campaigns, and everything that follows from it.
MODELS = "bronze_campaign_assignment+ bronze_campaign_contact+ mart_offer_rate+"


@dataclass(frozen=True)
class Started:
    """A campaign that has started. `is_new` is false if it had started before."""

    campaign: str
    is_new: bool
    as_of_date: str
    customer_count: int
    treated_count: int
    control_count: int
    over_budget_count: int
    planned_cost_eur: float
    arms: dict[str, int]
    run_id: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Recorded:
    """Contacts that were recorded from a file."""

    file: str
    findings: Findings

    def as_dict(self) -> dict[str, Any]:
        return {"file": self.file, **self.findings.as_dict()}


@dataclass(frozen=True)
class Stopped:
    """A campaign that was stopped; `is_new` is false if it was stopped before."""

    campaign: str
    is_new: bool
    stopped_on: str
    reason: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Effects:
    """Rows of ml.campaign_effect, and whether what campaigns teach is used by customer."""

    rows: list[dict[str, Any]]
    uplift: Verdict

    def as_dict(self) -> dict[str, Any]:
        return {"effects": self.rows, "uplift": asdict(self.uplift)}


def plan_campaign(
    settings: Settings,
    campaign: str,
    *,
    policy: str | None,
    control_share: float | None,
    budget_eur: float | None,
) -> Design:
    """Design a campaign on the published scores; nothing is written.

    Args:
        settings: which warehouse, and the limits of the draw.
        campaign: name.
        policy: by default that of the seed offer_campaign; so for what follows.
        control_share: share of the control group.
        budget_eur: most that may be spent on those who are contacted.

    Raises:
        UsageError: nothing has been published, or the terms are impossible.
    """
    require_published(settings)
    _require_name(campaign)
    with open_warehouse(settings) as warehouse, warehouse.held():
        terms = _terms(warehouse, campaign, policy, control_share, budget_eur)
        return _design(warehouse, settings, terms)


def start_campaign(
    run: Run,
    campaign: str,
    *,
    policy: str | None,
    control_share: float | None,
    budget_eur: float | None,
) -> Started:
    """Draw the arms of a campaign and freeze them. Starting it again changes nothing.

    Raises:
        UsageError: nothing has been published, or the terms are impossible.
        QualityGateError: the draw breaks a guardrail; nothing was started.
        LeaseHeldError: another run holds the warehouse.
    """
    settings = run.settings
    require_published(settings)
    _require_name(campaign)
    if (found := _frozen(settings, campaign)) is not None and _is_shown(settings, campaign):
        return _started(found, campaign, is_new=False, over_budget_count=0)
    run.mode = "campaign_start"
    over_budget = 0
    with on_shown_scores(run) as published:
        as_of_date = published.as_of_date
        found = _frozen(settings, campaign)  # the lease is ours from here on
        is_new = found is None
        if is_new:
            with run.step("draw") as (step, _), run.warehouse() as warehouse:
                terms = _terms(warehouse, campaign, policy, control_share, budget_eur)
                design = _design(warehouse, settings, terms)
                tiers = warehouse.read_table("risk_tiers").set_index("risk_tier")["tier_rank"]
                drawn = draw(
                    warehouse.read_table("mart_offer_value"),
                    design,
                    settings.campaigns,
                    as_of_date,
                    tiers,
                )
                warehouse.write_external(ASSIGNMENT, drawn.rows, run.run_id)
                step.rows, over_budget = len(drawn.rows), drawn.over_budget_count
        _publish(run)
    found = _frozen(settings, campaign)
    assert found is not None
    return _started(found, campaign, is_new=is_new, over_budget_count=over_budget)


def record_contacts(run: Run, path: Path) -> Recorded:
    """Record what a CRM reports of contacts. The same contacts again are counted once.

    Raises:
        BadInputError: the file was refused; nothing was recorded.
        UsageError: no campaign has started.
    """
    settings = run.settings
    require_published(settings)
    rows, rejected = read_contacts(path, settings)
    with open_warehouse(settings) as warehouse:
        assignments = warehouse.read_external(ASSIGNMENT)
        known = warehouse.read_external(CONTACT)
    if assignments.empty:
        raise UsageError("no campaign has started yet; `spanishgas campaign start` starts one")
    kept, findings = check_contacts(rows, rejected, assignments, known, path)
    run.mode, run.source = "campaign_record", str(path)
    with on_shown_scores(run):
        with run.step("record") as (step, _), run.warehouse() as warehouse:
            warehouse.write_external(CONTACT, kept, run.run_id)
            step.rows = len(kept)
        _publish(run)
    return Recorded(str(path), findings)


def export_campaign(settings: Settings, campaign: str, folder: Path | None) -> Exported:
    """Write call list and control list of a campaign that has started.

    Raises:
        UsageError: there is no such campaign, or it was stopped.
    """
    require_published(settings)
    shown = campaign_status(settings, campaign)
    if shown[0]["stopped_on"] is not None:
        raise UsageError(
            f"campaign {campaign} was stopped on {shown[0]['stopped_on']}: nobody is to be called"
        )
    with open_warehouse(settings) as warehouse:
        customers = warehouse.read_table(
            "mart_campaign_customer", f"campaign = {literal(campaign)}"
        )
    target = folder or settings.layout.reports / "campaigns" / campaign
    return export_lists(customers, campaign, target)


def measure_campaigns(run: Run, campaign: str | None) -> Effects:
    """Measure the effects of all campaigns as far as outcomes are known; publish and return them.

    Args:
        run: a fresh run.
        campaign: return only its effects; by default all.

    Raises:
        UsageError: no campaign has started, or there is no such campaign.
    """
    require_published(run.settings)
    if not campaign_status(run.settings, campaign):
        raise UsageError("no campaign has started yet; `spanishgas campaign start` starts one")
    run.mode = "campaign_effect"
    with on_shown_scores(run):
        with run.step("effect") as (step, _), run.warehouse() as warehouse:
            scored, published = published_run(run.settings), run.results.require(Published)
            assert scored is not None
            contract = run.context.contract(published)
            measured = write_effects(warehouse, run.settings, contract, run.run_id, scored[0])
            step.rows = 0 if measured is None else len(measured.effects)
        _publish(run, "mart_campaign_effect mart_offer_rate+")
    assert measured is not None
    effects = measured.effects
    rows = effects[(effects["campaign"] == campaign) | (campaign is None)]
    return Effects(_records(rows), measured.uplift)


def stop_campaign(run: Run, campaign: str, reason: str) -> Stopped:
    """Stop a campaign: its lists are no longer exported. Its customers stay apart as before.

    Raises:
        UsageError: there is no such campaign.
    """
    settings = run.settings
    require_published(settings)
    shown = campaign_status(settings, campaign)[0]
    if shown["stopped_on"] is not None:
        with open_warehouse(settings) as warehouse:
            stops = warehouse.read_external(STOP)
        first = stops[stops["campaign"] == campaign].sort_values("run_id").iloc[0]
        return Stopped(campaign, False, str(first["stopped_on"]), str(first["reason"]))
    run.mode = "campaign_stop"
    with on_shown_scores(run) as published:
        as_of_date = published.as_of_date
        with run.step("stop") as (step, _), run.warehouse() as warehouse:
            row = {"campaign": campaign, "stopped_on": as_of_date, "reason": reason}
            warehouse.write_external(STOP, pd.DataFrame([row]), run.run_id)
            step.rows = 1
        _publish(run)
    return Stopped(campaign, True, as_of_date.isoformat(), reason)


def campaign_status(settings: Settings, campaign: str | None = None) -> list[dict[str, Any]]:
    """Rows of mart_campaign, newest first, of one campaign or of all.

    Raises:
        UsageError: there is no such campaign.
    """
    require_published(settings)
    with open_warehouse(settings) as warehouse:
        rows = warehouse.read_table("mart_campaign")
    rows = rows.sort_values(["as_of_date", "campaign"], ascending=[False, True])
    if campaign is not None:
        known = ", ".join(rows["campaign"]) or "none"
        rows = rows[rows["campaign"] == campaign]
        if rows.empty:
            raise UsageError(f"no campaign {campaign!r} has started; started are: {known}")
    return _records(rows)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON has them, with dates as text."""
    rows = frame.copy()
    for column in rows.columns[rows.dtypes.astype(str).str.startswith("datetime64")]:
        rows[column] = rows[column].dt.strftime("%Y-%m-%d")
    return [
        {name: v.isoformat() if isinstance(v, date) else v for name, v in row.items()}
        for row in json_rows(rows)
    ]


def _require_name(campaign: str) -> None:
    if not NAME.fullmatch(campaign):
        raise UsageError(
            f"campaign {campaign!r}: a name has letters, digits, - and _, at most 63, and begins "
            "with a letter or digit"
        )


def _publish(run: Run, select: str = MODELS) -> None:
    """Build what shows campaigns, with its guardrails, and make it visible."""
    marts_step(run, select)
    run.publish()


def _terms(
    warehouse: Warehouse,
    campaign: str,
    policy: str | None,
    control_share: float | None,
    budget_eur: float | None,
) -> Terms:
    seed = warehouse.read_table("offer_campaign").iloc[0]
    if budget_eur is None and pd.notna(seed["budget_eur"]):
        budget_eur = float(seed["budget_eur"])
    share = float(seed["control_share"]) if control_share is None else control_share
    return Terms(campaign, policy or str(seed["policy"]), share, budget_eur)


def _design(warehouse: Warehouse, settings: Settings, terms: Terms) -> Design:
    offers = warehouse.read_table("mart_offer_value")
    return make_design(offers, terms, settings.campaigns, settings.evaluate.confidence)


def _frozen(settings: Settings, campaign: str) -> pd.DataFrame | None:
    """The frozen draw of a campaign, or None before it has started."""
    with open_engine(settings).warehouse() as warehouse:
        rows = warehouse.read_external(ASSIGNMENT)
    rows = rows[rows["campaign"] == campaign]
    return None if rows.empty else rows


def _is_shown(settings: Settings, campaign: str) -> bool:
    """Whether the published marts show the campaign; a start that was killed may be missing."""
    with open_warehouse(settings) as warehouse:
        return campaign in set(warehouse.read_table("mart_campaign")["campaign"])


def _started(rows: pd.DataFrame, campaign: str, *, is_new: bool, over_budget_count: int) -> Started:
    arms = {str(arm): int(count) for arm, count in rows["arm"].value_counts().items()}
    control = arms.get("control", 0)
    as_of = rows["as_of_date"].iloc[0]
    return Started(
        campaign=campaign,
        is_new=is_new,
        as_of_date=as_of.isoformat() if isinstance(as_of, date) else str(as_of),
        customer_count=len(rows),
        treated_count=len(rows) - control,
        control_count=control,
        over_budget_count=over_budget_count,
        planned_cost_eur=float((rows["contact_cost_eur"] + rows["offer_budget_eur"]).sum()),
        arms=dict(sorted(arms.items())),
        run_id=str(rows["run_id"].iloc[0]),
    )
