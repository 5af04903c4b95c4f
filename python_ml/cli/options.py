"""What all commands share: the options that every one has, and how a document is printed."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from python_ml import progress
from python_ml.console import can_show, writing_to_stdout
from python_ml.errors import InterruptedRunError, UsageError

if TYPE_CHECKING:
    from python_ml.pipeline.workspace import Run


def common(command: Callable[..., None]) -> Callable[..., None]:
    """Options that every command has; hands it `settings` and `as_json`.

    `--home` and `--target` may also stand before the command.
    """

    @click.option(
        "--home",
        metavar="DIR",
        help="Data home: folder with everything that is read and written (default: data).",
    )
    @click.option(
        "--target",
        type=click.Choice(["duckdb", "athena"]),
        help="Engine that holds the warehouse (default: duckdb).",
    )
    @click.option(
        "--threads",
        type=click.IntRange(1),
        help="Number of threads for DuckDB and XGBoost (default: all cores).",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
    @click.option("-q", "--quiet", is_flag=True, help="Print no progress, only results and errors.")
    @click.option("-v", "--verbose", is_flag=True, help="Print every message of progress.")
    @functools.wraps(command)
    def wrapped(
        home: str | None,
        target: str | None,
        threads: int | None,
        as_json: bool,
        quiet: bool,
        verbose: bool,
        **own: Any,
    ) -> None:
        from python_ml.settings import load_settings  # pydantic: 0.2 s that --help need not wait

        if quiet and verbose:
            raise UsageError("--quiet and --verbose exclude each other")
        progress.set_level(is_quiet=quiet, is_verbose=verbose)
        before = click.get_current_context().find_root().params
        home, target = home or before.get("home"), target or before.get("target")
        settings = load_settings({"home": home, "target": target, "threads": threads})
        os.umask(settings.umask)  # of this process and those that it starts
        command(settings=settings, as_json=as_json, **own)

    return wrapped


mapping_option = click.option(
    "--mapping",
    metavar="FILE",
    help="File, here or s3://, that maps your own files and columns to the expected ones "
    "(docs/own-files.md).",
)


def print_json(document: Mapping[str, Any]) -> None:
    """Print a document; characters that stdout lacks are escaped, as JSON can, and not lost."""
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str, allow_nan=False)
    if not can_show(sys.stdout, text):
        text = json.dumps(document, indent=2, default=str, allow_nan=False)
    click.echo(text)


@contextmanager
def refreshing_pages(run: Run) -> Iterator[None]:
    """Around a run: afterwards the pages show it, whether it succeeded or failed."""
    from python_ml.pipeline.preview import refresh_preview

    try:
        yield
    except Exception as error:
        if not isinstance(error, InterruptedRunError):
            refresh_preview(run)
        raise
    refresh_preview(run)


@contextmanager
def shown(run: Run, as_json: bool, extra: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Around a run: afterwards its pages, and its document or its summary.

    They are for people. Where they cannot be shown, that is a warning: what the run did stays done.

    Args:
        run: fills in as it goes.
        as_json: print the document, also of a run that failed.
        extra: what the document says first; may fill in as well.
    """
    from python_ml.pipeline.closing import Closing

    def document() -> None:
        with run.surviving("the document could not be printed"), writing_to_stdout():
            print_json({**(extra or {}), **run.as_dict()})

    try:
        with refreshing_pages(run):
            yield
    except BaseException:
        if as_json:
            document()
        raise
    if as_json:
        document()
    if run.skipped:
        click.echo(run.skipped, err=as_json)
    elif run.results.get(Closing) and not as_json:
        # Takes a second, which a batch that was done before need not take.
        from python_ml.view import summary

        with run.surviving("the summary could not be shown"), writing_to_stdout():
            summary.show_run(run)
