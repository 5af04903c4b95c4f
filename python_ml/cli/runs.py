"""Commands about runs: start or resume one, see what became of them, forget a person."""

from __future__ import annotations

import click

from python_ml.cli.options import common, print_json
from python_ml.config import Settings
from python_ml.errors import UsageError


@click.command()
@common
@click.option("--raw", metavar="SOURCE", help="Folder or s3:// prefix (default: raw/ in the home).")
@click.option(
    "--mode",
    type=click.Choice(["train", "score"]),
    help="Fit and gate a candidate (default), or use the champion.",
)
@click.option("--force", is_flag=True, help="Run a batch again that has been run.")
@click.option(
    "--resume", is_flag=True, help="Go on where the last run failed, with its source and mode."
)
def run(
    settings: Settings,
    as_json: bool,
    raw: str | None,
    mode: str | None,
    force: bool,
    resume: bool,
) -> None:
    """From raw files to scored customers, offers and a summary.

    A batch that the same code and settings have run already is not run again.
    """
    from python_ml.runs.pipeline import Run, run_pipeline
    from python_ml.runs.preview import refresh_preview

    this_run = Run(settings)
    try:
        run_pipeline(this_run, raw, mode=mode, force=force, resume=resume)
    finally:
        refresh_preview(this_run)
        if as_json:
            print_json(this_run.as_dict())
    if this_run.skipped:
        click.echo(this_run.skipped, err=as_json)
    elif not as_json:
        # Takes a second, which a batch that was done before need not take.
        from python_ml.cli import summary

        summary.show_run(this_run)


@click.command()
@common
@click.option("--last", type=click.IntRange(1), default=10, show_default=True, help="How many.")
def status(settings: Settings, as_json: bool, last: int) -> None:
    """Who holds the warehouse, what is published, and what became of the last runs."""
    from python_ml.runs.status import read_status, show_status

    found = read_status(settings, last)
    if as_json:
        print_json(found.as_dict())
    else:
        show_status(found)


@click.command()
@common
@click.argument("customer_id")
def forget(settings: Settings, as_json: bool, customer_id: str) -> None:
    """Remove a person from everything under the home, and keep the person out from now on.

    Rows, texts, scores, snapshots, reports and raw files under the home go; files outside it are
    the company's and stay. Afterwards every byte is searched; a find ends with exit code 1.
    """
    from python_ml.forget.command import forget_customer
    from python_ml.runs.workspace import Run

    result = forget_customer(Run(settings), customer_id)
    if as_json:
        print_json(result.as_dict())
    else:
        click.echo(
            f"{result.row_count:,} rows removed; {result.searched_files:,} files searched, and "
            "nothing of the customer found. Raw files outside the home are not ours and stay."
        )


@click.command()
@common
@click.option("--all", "show_all", is_flag=True, help="Show what is stable, too.")
def drift(settings: Settings, as_json: bool, show_all: bool) -> None:
    """What has changed since the champion was trained, and what only moves with the calendar."""
    from python_ml.drift.view import drift_document, read_drift, show_drift
    from python_ml.warehouse import open_warehouse

    with open_warehouse(settings) as warehouse:
        rows = read_drift(warehouse)
    if as_json:
        print_json(drift_document(rows))
    else:
        show_drift(rows, show_all)


@click.command()
@common
def doctor(settings: Settings, as_json: bool) -> None:
    """Check that a run can succeed here: machine, data home, and with --target athena the account.

    Says what is missing and how to mend it; exit code 1 when something required is missing.
    """
    from python_ml.doctor.diagnosis import diagnose, lines

    diagnosis = diagnose(settings)
    if as_json:
        print_json(diagnosis.as_dict())
    else:
        for line in lines(diagnosis):
            click.echo(line)
    diagnosis.raise_if_unhealthy()


@click.command()
@common
@click.option("--hours", type=click.FloatRange(0), help="Back (default: 24).")
@click.option("--dashboards", is_flag=True, help="Open every page once and count that instead.")
def cost(settings: Settings, as_json: bool, hours: float | None, dashboards: bool) -> None:
    """What the queries of the work group scanned and cost, by model, test and card (Athena only).

    The costs of each run are kept in mart_query_cost.
    """
    from datetime import UTC, datetime, timedelta

    from python_ml.cost import costs_since, dashboard_costs

    if settings.target != "athena":
        raise UsageError("only Athena bills by the bytes that a query scans: --target athena")
    if dashboards and hours is not None:
        raise UsageError("--hours does not go with --dashboards, which counts what it opens itself")
    since = datetime.now(UTC) - timedelta(hours=24.0 if hours is None else hours)
    report = dashboard_costs(settings) if dashboards else costs_since(settings.athena, since)
    if as_json:
        print_json(report.as_dict())
    else:
        for line in report.lines():
            click.echo(line)
