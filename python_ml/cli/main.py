"""The command and its exit codes."""

from __future__ import annotations

import sys

import click

from python_ml.cli.batches import land, simulate
from python_ml.cli.dashboards import dashboards
from python_ml.cli.models import (
    backtest,
    evaluate,
    explain,
    ladder,
    promote,
    rebuild,
    score,
    train,
)
from python_ml.cli.runs import cost, doctor, drift, forget, run, status
from python_ml.config import project
from python_ml.console import harmless, open_streams, writing_to_stdout
from python_ml.errors import InterruptedRunError, UsageError, foreseen

# Stages are imported inside the commands: `--help` must not wait for dbt and XGBoost.


def _show_version(context: click.Context) -> None:
    click.echo(f"spanishgas, version {project()['version']}")
    context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, is_asked: _show_version(context) if is_asked else None,
    help="Show the version and exit.",
)
def cli() -> None:
    """Who is about to leave, why, what it costs, and which offer is worth making."""


for command in (
    simulate,
    land,
    run,
    status,
    train,
    evaluate,
    promote,
    score,
    drift,
    explain,
    ladder,
    backtest,
    rebuild,
    dashboards,
    forget,
    doctor,
    cost,
):
    cli.add_command(command)


def main() -> None:
    """Run the command; errors that we foresaw become one line and their exit code."""
    open_streams()
    try:
        with writing_to_stdout():
            cli.main(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(UsageError.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(InterruptedRunError.exit_code)
    except InterruptedRunError as error:
        click.echo(harmless(str(error)), err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        if (told := foreseen(error)) is None:
            raise
        click.echo(harmless(f"error: {told}"), err=True)
        sys.exit(told.exit_code)
