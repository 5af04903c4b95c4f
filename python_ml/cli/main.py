"""The command and its exit codes."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any, NoReturn

import click

from python_ml.cli.batches import inspect, land, simulate
from python_ml.cli.campaigns import campaign
from python_ml.cli.dashboards import dashboards, open_pages
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
from python_ml.console import harmless, open_streams, writing_to_stdout
from python_ml.errors import InterruptedRunError, UsageError, foreseen
from python_ml.interrupts import remember_interrupts, was_interrupted

# Stages are imported inside the commands: `--help` must not wait for dbt and XGBoost.


def _show_version(context: click.Context) -> None:
    from python_ml.settings import pyproject  # pydantic: 0.2 s that --help need not wait

    click.echo(f"spanishgas, version {pyproject()['project']['version']}")
    context.exit()


class _Commands(click.Group):
    """Commands whose reader may have seen enough; click would end them with exit code 1."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with writing_to_stdout():  # --help and --version are printed here
            return super().make_context(*arguments, **options)
        raise click.exceptions.Exit(0)

    def invoke(self, ctx: click.Context) -> Any:
        with writing_to_stdout():
            return super().invoke(ctx)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, is_asked: _show_version(context) if is_asked else None,
    help="Show the version and exit.",
)
@click.option("--home", metavar="DIR", help="Data home of the command (default: data).")
@click.option("--target", type=click.Choice(["duckdb", "athena"]), help="Engine of the command.")
def cli(**_options: str | None) -> None:
    """Predict which customers are about to leave, explain why, and recommend offers."""


for command in (
    simulate,
    inspect,
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
    campaign,
    dashboards,
    open_pages,
    forget,
    doctor,
    cost,
):
    cli.add_command(command)


def main() -> None:
    """Run the command; errors that we foresaw become one line and their exit code."""
    open_streams()
    remember_interrupts()
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        with suppress(BrokenPipeError):
            error.show()
        sys.exit(UsageError.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _end("interrupted", InterruptedRunError.exit_code)
    except InterruptedRunError as error:
        _end(str(error), error.exit_code)
    except Exception as error:
        if was_interrupted():
            _end("interrupted", InterruptedRunError.exit_code)
        if (told := foreseen(error)) is None:
            raise
        _end(f"error: {told}", told.exit_code)


def _end(said: str, exit_code: int) -> NoReturn:
    with suppress(BrokenPipeError):  # who has stopped reading still gets the exit code
        click.echo(harmless(said), err=True)
    sys.exit(exit_code)
