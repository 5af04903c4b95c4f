"""Commands about runs: start or resume one, see what became of them, forget a person."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from python_ml.cli.options import common, mapping_option, print_json, shown
from python_ml.errors import UsageError

if TYPE_CHECKING:  # pydantic: 0.2 s that --help need not wait
    from collections.abc import Callable

    from python_ml.pipeline.forget_result import ForgetResult, Survey
    from python_ml.settings import Settings


@click.command()
@common
@click.option(
    "--raw",
    metavar="SOURCE",
    help="Folder or s3:// prefix with the raw files (default: raw/ in the data home).",
)
@click.option(
    "--mode",
    type=click.Choice(["train", "score"]),
    help="Train and test a candidate, or score with the champion (default: train).",
)
@click.option("--force", is_flag=True, help="Run a batch that has been run already.")
@click.option(
    "--resume", is_flag=True, help="Continue the last failed run at the step that failed."
)
@mapping_option
def run(
    settings: Settings,
    as_json: bool,
    raw: str | None,
    mode: str | None,
    force: bool,
    resume: bool,
    mapping: str | None,
) -> None:
    """Run the pipeline from raw files to offers and pages.

    A batch that the same code and settings have run already is not run again.
    """
    from python_ml.pipeline.run import Run, run_pipeline

    this_run = Run(settings.with_overrides({"land.mapping": mapping}))
    with shown(this_run, as_json):
        run_pipeline(this_run, raw, mode=mode, force=force, resume=resume)


@click.command()
@common
@click.option(
    "--last", type=click.IntRange(1), default=10, show_default=True, help="Number of runs to show."
)
def status(settings: Settings, as_json: bool, last: int) -> None:
    """Show the lease, what is published, and the last runs."""
    from python_ml.pipeline.status import read_status, show_status

    found = read_status(settings, last)
    if as_json:
        print_json(found.as_dict())
    else:
        show_status(found)


@click.command()
@common
@click.argument("customer_id")
@click.option(
    "--dry-run", is_flag=True, help="List what would be removed without changing anything."
)
@click.option("--yes", is_flag=True, help="Skip the confirmation.")
def forget(settings: Settings, as_json: bool, customer_id: str, dry_run: bool, yes: bool) -> None:
    """Remove a person from everything that the product keeps.

    Rows, texts, scores, snapshots, reports and raw files are removed: those under the home or, with
    the target athena, in the buckets, with every version, in the table of runs and in the logs.
    Afterwards everything is searched, and the command fails with exit code 1 if something of the
    person is left. Files elsewhere stay. It cannot be undone.
    """
    from python_ml.engines import open_engine
    from python_ml.pipeline.renew import renew_totals
    from python_ml.pipeline.workspace import Run

    if dry_run and yes:
        raise UsageError("--yes does not go with --dry-run, which changes nothing")
    if not (dry_run or yes or sys.stdin.isatty()):
        raise UsageError("forget cannot be undone: --yes confirms it, --dry-run lists the files")
    this_run = Run(settings)
    if open_engine(settings).lies_in_home:
        from python_ml.pipeline.forget import forget_customer, survey_customer

        find: Callable[[str], Survey] = partial(survey_customer, this_run)
        remove: Callable[[Survey], ForgetResult] = partial(forget_customer, this_run)
        elsewhere = [("files outside the home", "what your company delivered", "yours to delete")]
    else:
        from python_ml.aws.forget import OUT_OF_REACH, Account

        account = Account(this_run)
        find, remove = account.survey, account.forget
        elsewhere = [(each.where, each.what, each.kept_for) for each in OUT_OF_REACH]
    survey = find(customer_id)
    if dry_run and as_json:
        print_json(survey.as_dict())
        return
    if dry_run or not yes:
        for place in survey.places:
            click.echo(f"  {place}", err=as_json)
        click.echo(
            f"{len(survey.places):,} places in {survey.file_count:,} files {survey.where} "
            f"hold something of {customer_id}."
            + _left_to_people(sum(place.is_by_hand for place in survey.places))
            + _not_searched(survey.traces.short_text_count),
            err=as_json,
        )
    if dry_run:
        click.echo("Nothing was changed.")
        return
    if not yes and not click.confirm("Remove all of it? This cannot be undone.", err=True):
        raise UsageError("not confirmed; nothing was changed")
    result = renew_totals(settings, remove(survey))
    if as_json:
        print_json(result.as_dict())
        return
    pages = " The dashboards were written anew." if result.pages_written else ""
    pages += " The totals no longer count the customer." if result.totals_renewed else ""
    click.echo(
        f"Removed from {len(result.places):,} places; {result.searched_files:,} files were "
        f"searched, and nothing of the customer was found.{pages}"
        + _not_searched(result.short_texts)
    )
    click.echo("Out of reach, and not searched:")
    for where, what, kept_for in elsewhere:
        click.echo(f"  {where}: {what} ({kept_for})")


def _left_to_people(count: int) -> str:
    if not count:
        return ""
    return (
        f" {count:,} of them are workbooks or of unknown formats, which are searched and not "
        "edited: edit or delete these files yourself, before or after."
    )


def _not_searched(count: int) -> str:
    if not count:
        return ""
    return (
        f" {count:,} texts of fewer than three words go with the records that say whose they are; "
        "quoted elsewhere they would give nobody away, and are not searched for."
    )


@click.command()
@common
@click.option("--all", "show_all", is_flag=True, help="Show stable features as well.")
def drift(settings: Settings, as_json: bool, show_all: bool) -> None:
    """Show what has changed since the champion was trained."""
    from python_ml.engines import open_warehouse
    from python_ml.view.drift import drift_document, read_drift, show_drift

    with open_warehouse(settings) as warehouse:
        rows = read_drift(warehouse)
    if as_json:
        print_json(drift_document(rows))
    else:
        show_drift(rows, show_all)


@click.command()
@common
def doctor(settings: Settings, as_json: bool) -> None:
    """Check that a run can succeed here.

    Looks at the machine, the data home, and with --target athena the account.

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
@click.option("--hours", type=click.FloatRange(0), help="Hours to look back (default: 24).")
@click.option("--dashboards", is_flag=True, help="Open every page once and count that instead.")
def cost(settings: Settings, as_json: bool, hours: float | None, dashboards: bool) -> None:
    """Show what queries scanned and cost (Athena only).

    The costs of each run are kept in mart_query_cost.
    """
    from datetime import UTC, datetime, timedelta

    from python_ml.cost import dashboard_costs
    from python_ml.engines import open_engine

    engine = open_engine(settings)
    if not engine.bills_queries:
        raise UsageError("only Athena bills by the bytes that a query scans: --target athena")
    if dashboards and hours is not None:
        raise UsageError("--hours does not go with --dashboards, which counts what it opens itself")
    since = datetime.now(UTC) - timedelta(hours=24.0 if hours is None else hours)
    report = dashboard_costs(settings) if dashboards else engine.costs_since(since)
    if as_json:
        print_json(report.as_dict())
    else:
        for line in report.lines():
            click.echo(line)
