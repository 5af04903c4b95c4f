"""`spanishgas campaign …`: parses, calls, prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from python_ml.cli.options import common, print_json, refreshing_pages

if TYPE_CHECKING:  # pydantic: 0.2 s that --help need not wait
    from python_ml.settings import Settings


@click.group()
def campaign() -> None:
    """Plan, start and measure campaigns."""


def _terms(command: Callable[..., None]) -> Callable[..., None]:
    """Options of the commands that design a campaign."""
    for option in (
        click.option(
            "--budget",
            "budget_eur",
            type=click.FloatRange(0),
            metavar="EUR",
            help="Most that the offers may cost (default: the seed offer_campaign).",
        ),
        click.option(
            "--control-share",
            type=click.FloatRange(0, 1),
            help="Share of the control group (default: the seed offer_campaign).",
        ),
        click.option(
            "--policy",
            type=click.Choice(["fixed_tiers", "expected_value"]),
            help="Who may get an offer (default: the seed offer_campaign).",
        ),
    ):
        command = option(command)
    return command


@campaign.command()
@common
@click.argument("name")
@_terms
def plan(settings: Settings, as_json: bool, name: str, **terms: Any) -> None:
    """Design a campaign on the published scores; nothing is written.

    Shows the chance of each arm, the smallest effect that the campaign detects, and what other
    sizes of the control group detect and cost.
    """
    from python_ml.pipeline.campaigns import plan_campaign
    from python_ml.view.campaigns import show_design

    design = plan_campaign(settings, name, **terms)
    if as_json:
        print_json(design.as_dict())
    else:
        show_design(design)


@campaign.command()
@common
@click.argument("name")
@_terms
def start(settings: Settings, as_json: bool, name: str, **terms: Any) -> None:
    """Draw the arms of a campaign and freeze them.

    Starting it again changes nothing.
    """
    from python_ml.pipeline.campaigns import start_campaign
    from python_ml.pipeline.workspace import Run
    from python_ml.view.campaigns import show_started

    run = Run(settings)
    with refreshing_pages(run):
        started = start_campaign(run, name, **terms)
    if as_json:
        print_json(started.as_dict())
    else:
        show_started(started)


@campaign.command()
@common
@click.argument("name")
@click.option("--out", metavar="DIR", help="Where to write (default: reports/campaigns/NAME).")
def export(settings: Settings, as_json: bool, name: str, out: str | None) -> None:
    """Write the call list and the control group.

    Both are written as CSV and as Parquet.
    """
    from python_ml.pipeline.campaigns import export_campaign

    exported = export_campaign(settings, name, Path(out) if out else None)
    if as_json:
        print_json(exported.as_dict())
    else:
        click.echo(
            f"{exported.call_count:,} customers to contact, {exported.control_count:,} in the "
            "control group (do not contact)"
        )
        for file in exported.files:
            click.echo(f"  {file}")


@campaign.command()
@common
@click.argument("file")
def record(settings: Settings, as_json: bool, file: str) -> None:
    """Record what the CRM reports of contacts.

    FILE is CSV, Parquet or JSON with the columns of the raw table campaign_contacts. The same
    contacts again are counted once.
    """
    from python_ml.pipeline.campaigns import record_contacts
    from python_ml.pipeline.workspace import Run
    from python_ml.view.campaigns import show_findings

    run = Run(settings)
    with refreshing_pages(run):
        recorded = record_contacts(run, Path(file))
    if as_json:
        print_json(recorded.as_dict())
    else:
        show_findings(recorded.findings, recorded.file)


@campaign.command()
@common
@click.argument("name", required=False)
def status(settings: Settings, as_json: bool, name: str | None) -> None:
    """Show running and past campaigns.

    Says who takes part, what was done and what it cost.
    """
    from python_ml.pipeline.campaigns import campaign_status
    from python_ml.view.campaigns import show_status

    rows = campaign_status(settings, name)
    if as_json:
        print_json({"campaigns": rows})
    else:
        show_status(rows)


@campaign.command()
@common
@click.argument("name", required=False)
@click.option("--tiers", is_flag=True, help="Show each risk tier, too.")
def effect(settings: Settings, as_json: bool, name: str | None, tiers: bool) -> None:
    """Measure what campaigns have achieved.

    Counts customers whose outcome is known and ends with a verdict.

    NAME is a campaign (default: all). Intervals stay valid however often one looks.
    """
    from python_ml.pipeline.campaigns import measure_campaigns
    from python_ml.pipeline.workspace import Run
    from python_ml.view.campaigns import show_effects

    run = Run(settings)
    with refreshing_pages(run):
        measured = measure_campaigns(run, name)
    if as_json:
        print_json(measured.as_dict())
    else:
        show_effects(measured.rows, tiers, measured.uplift.reason)


@campaign.command()
@common
@click.argument("name")
@click.option("--reason", default="", help="Recorded with the stop.")
def stop(settings: Settings, as_json: bool, name: str, reason: str) -> None:
    """Stop a campaign.

    Its lists are no longer exported; its effect is measured all the same.
    """
    from python_ml.pipeline.campaigns import stop_campaign
    from python_ml.pipeline.workspace import Run

    run = Run(settings)
    with refreshing_pages(run):
        stopped = stop_campaign(run, name, reason)
    if as_json:
        print_json(stopped.as_dict())
    else:
        again = "" if stopped.is_new else " before; nothing was changed"
        click.echo(f"Campaign {stopped.campaign} was stopped on {stopped.stopped_on}{again}")
