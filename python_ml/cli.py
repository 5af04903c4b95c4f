"""The `spanishgas` command: parses, calls a stage, prints."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from python_ml.cli_options import common as _common
from python_ml.cli_options import print_json as _print_json
from python_ml.cli_runs import drift, forget, run, status
from python_ml.config import Settings
from python_ml.dashboards.commands import dashboards
from python_ml.errors import SpanishGasError, UsageError

# Stages are imported inside the commands: `--help` must not wait for dbt and XGBoost.


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="spanishgas")
def cli() -> None:
    """Who is about to leave, why, what it costs, and which offer is worth making."""


cli.add_command(dashboards)
cli.add_command(run)
cli.add_command(status)
cli.add_command(forget)
cli.add_command(drift)


@cli.command()
@_common
@click.option("--out", metavar="DIR", help="Where to write (default: raw/ under the home).")
@click.option("--customers", type=click.IntRange(1), help="How many (default: 20,099).")
@click.option("--year", type=click.IntRange(1990, 2100), help="Calendar year (default: 2024).")
@click.option("--seed", type=int, help="Same seed, same files.")
@click.option(
    "--text-signal",
    type=click.Choice(["as-published", "weak", "none"]),
    help="How much the interaction texts know of the outcome.",
)
@click.option(
    "--readings",
    type=click.Choice(["all-hours", "typical-days"]),
    help="All hours, or 48 that stand for a month: fifteen times smaller.",
)
@click.option("--months", type=click.IntRange(0), help="To go on after the year (default: none).")
@click.option("--append", metavar="YYYY-MM", help="Add this month to the files that are there.")
@click.option(
    "--shift",
    type=click.Choice(["none", "price-shock", "channel-mix", "province-outage", "text-style"]),
    default="none",
    help="What changes with the month appended.",
)
@click.option("--reuse", is_flag=True, help="Keep the files if the same settings made them.")
@click.option("--report", is_flag=True, help="Compare with the published aggregates.")
def simulate(
    settings: Settings,
    as_json: bool,
    out: str | None,
    customers: int | None,
    year: int | None,
    seed: int | None,
    text_signal: str | None,
    readings: str | None,
    months: int | None,
    append: str | None,
    shift: str,
    reuse: bool,
    report: bool,
) -> None:
    """Write the company's seven raw files, dirt included, or the month that follows."""
    from python_ml import summary
    from python_ml.progress import reporting
    from python_ml.simulate import append_month
    from python_ml.simulate.batch import simulate_batch
    from python_ml.simulate.report import simulation_report

    settings = settings.with_overrides(
        {
            "simulate.customers": customers,
            "simulate.year": year,
            "simulate.seed": seed,
            "simulate.text_signal": text_signal,
            "simulate.readings": readings,
            "simulate.months": months,
        }
    )
    own = (customers, year, seed, text_signal, readings, months, reuse or None, report or None)
    if append and any(value is not None for value in own):
        raise UsageError(
            "--append goes on with the files that are there: only --shift goes with it"
        )
    if shift != "none" and not append:
        raise UsageError("--shift needs --append: it says what changes with the month appended")
    folder = Path(out) if out else settings.layout.raw
    with reporting("simulate") as say:
        if append:
            result, was_there = append_month(folder, append, shift=shift, progress=say), False
        else:
            result, was_there = simulate_batch(settings, folder, reuse=reuse, progress=say)
        rows = simulation_report(folder, threads=settings.threads) if report else []
    if as_json:
        _print_json({**result.as_dict(), "report": [row.as_dict() for row in rows]})
    else:
        summary.show_simulation(result, was_there, rows)


@cli.command()
@_common
@click.argument("source", required=False)
def land(settings: Settings, as_json: bool, source: str | None) -> None:
    """Check a raw batch and write it to the lake.

    SOURCE is a folder or s3:// prefix with the seven files (default: raw/ under the home).
    """
    from python_ml import summary
    from python_ml.commands import Run, land_batch

    landed = land_batch(Run(settings), source or str(settings.layout.raw))
    if as_json:
        _print_json(landed.as_dict())
    else:
        summary.show_landing(landed)


@cli.command()
@_common
def train(settings: Settings, as_json: bool) -> None:
    """Fit a candidate on the published gold and register it, pending approval."""
    from python_ml import summary
    from python_ml.commands import Run, train_candidate

    this_run = Run(settings)
    trained = train_candidate(this_run)
    if as_json:
        _print_json(trained.as_dict())
    else:
        summary.show_training(trained)


@cli.command()
@_common
@click.argument("version", required=False)
def evaluate(settings: Settings, as_json: bool, version: str | None) -> None:
    """Hold a candidate against the gate on its stored test part.

    VERSION is a registered model (default: the newest). A rejected one ends with exit code 4.
    """
    from python_ml import summary
    from python_ml.commands import Run, evaluate_candidate

    evaluated = evaluate_candidate(Run(settings), version)
    if as_json:
        _print_json(evaluated.as_dict())
    else:
        summary.show_evaluation(evaluated)
    evaluated.raise_if_rejected()


@cli.command()
@_common
@click.option("--version", help="An approved model (default: the champion).")
def score(settings: Settings, as_json: bool, version: str | None) -> None:
    """Score every customer of the published gold again, and publish scores and offers.

    With another version than the champion, that version becomes the champion.
    """
    from python_ml import summary
    from python_ml.commands import Run, rescore
    from python_ml.dashboards.preview import refresh_preview

    this_run = Run(settings)
    try:
        rescore(this_run, version)
    finally:
        refresh_preview(this_run)
        if as_json:
            _print_json(this_run.as_dict())
    if not as_json:
        summary.show_run(this_run)


@cli.command()
@_common
@click.argument("version", required=False)
@click.option("--rollback", is_flag=True, help="To the champion before the present one.")
@click.option("--reason", default="", help="Recorded with the decision.")
@click.option("--by", metavar="NAME", help="Who decides (default: your user name).")
@click.option(
    "--force", is_flag=True, help="A version that the gate has not passed, with --reason."
)
def promote(
    settings: Settings,
    as_json: bool,
    version: str | None,
    rollback: bool,
    reason: str,
    by: str | None,
    force: bool,
) -> None:
    """Make a version the champion by hand, score with it and publish.

    VERSION is a registered model: one that waits for approval, an earlier champion, or with --force
    and --reason any other. The decision is recorded with its evidence.
    """
    from python_ml import commands, summary
    from python_ml.dashboards.preview import refresh_preview

    this_run = commands.Run(settings)
    promoted = commands.promote(
        this_run, version, is_roll_back=rollback, reason=reason, decided_by=by, force=force
    )
    refresh_preview(this_run)
    if as_json:
        _print_json({"champion": promoted, **this_run.as_dict()})
    elif "closing" in this_run.results:
        summary.show_run(this_run)
    else:
        click.echo(f"champion: {promoted}; the next run scores with it")


@cli.command()
@_common
@click.argument("version", required=False)
def rebuild(settings: Settings, as_json: bool, version: str | None) -> None:
    """Fit a version anew from its snapshot, split and settings, and compare it with the registered.

    VERSION is a registered model (default: the champion). A difference ends with exit code 1.
    """
    from python_ml.rebuild import rebuild_version
    from python_ml.warehouse import open_warehouse

    with open_warehouse(settings) as warehouse:
        rebuilt = rebuild_version(warehouse, settings, version)
    if as_json:
        _print_json(rebuilt.as_dict())
    else:
        click.echo(rebuilt.message)
    rebuilt.raise_if_different()


@cli.command()
@_common
@click.argument("customer_id")
def explain(settings: Settings, as_json: bool, customer_id: str) -> None:
    """Why a customer scores as it does, and what has changed since the run before.

    CUSTOMER_ID is one of those scored, for example C01234.
    """
    from python_ml.customer import explain_customer
    from python_ml.customer_view import show_customer
    from python_ml.warehouse import open_warehouse

    with open_warehouse(settings) as warehouse:
        explained = explain_customer(warehouse, settings, customer_id)
    if as_json:
        _print_json(explained.as_dict())
    else:
        show_customer(explained)


@cli.command()
@_common
@click.argument("version", required=False)
def ladder(settings: Settings, as_json: bool, version: str | None) -> None:
    """What each group of features adds, to three kinds of model, beside the published ladder.

    VERSION is the model whose rows and split are used (default: the champion).
    """
    from python_ml import summary_model
    from python_ml.commands import Run, climb

    this_run = Run(settings)
    climb(this_run, version)
    climbed = this_run.results["ladder"]
    if as_json:
        _print_json(climbed.as_dict())
    else:
        summary_model.show_ladder(climbed)


@cli.command()
@_common
@click.option("--raw", metavar="SOURCE", help="Folder or s3:// prefix (default: raw/ in the home).")
def backtest(settings: Settings, as_json: bool, raw: str | None) -> None:
    """Train on the past, test on a later as-of date, for every date with labels.

    The raw batch needs labels of several as-of dates; `simulate --months 24` writes such a one.
    """
    from python_ml import commands, summary_backtest

    this_run = commands.Run(settings)
    commands.backtest(this_run, raw or str(settings.layout.raw))
    tested = this_run.results["backtest"]
    if as_json:
        _print_json(tested.as_dict())
    else:
        summary_backtest.show_backtest(tested)


@cli.command()
@_common
def doctor(settings: Settings, as_json: bool) -> None:
    """Check that a run can succeed here: machine, data home, and with --target athena the account.

    Says what is missing and how to mend it; exit code 1 when something required is missing.
    """
    from python_ml.doctor import diagnose, lines

    diagnosis = diagnose(settings)
    if as_json:
        _print_json(diagnosis.as_dict())
    else:
        for line in lines(diagnosis):
            click.echo(line)
    diagnosis.raise_if_unhealthy()


@cli.command()
@_common
@click.option("--hours", type=click.FloatRange(0), default=24.0, show_default=True, help="Back.")
@click.option("--dashboards", is_flag=True, help="Open every page once and count that instead.")
def cost(settings: Settings, as_json: bool, hours: float, dashboards: bool) -> None:
    """What the queries of the work group scanned and cost, by model, test and card (Athena only).

    The costs of each run are kept in mart_query_cost.
    """
    from datetime import UTC, datetime, timedelta

    from python_ml.aws.cost import costs_since, dashboard_costs

    if settings.target != "athena":
        raise UsageError("only Athena bills by the bytes that a query scans: --target athena")
    since = datetime.now(UTC) - timedelta(hours=hours)
    report = dashboard_costs(settings) if dashboards else costs_since(settings.athena, since)
    if as_json:
        _print_json(report.as_dict())
    else:
        for line in report.lines():
            click.echo(line)


def main() -> None:
    """Run the command; errors that we foresaw become one line and their exit code."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(UsageError.exit_code)
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except SpanishGasError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
