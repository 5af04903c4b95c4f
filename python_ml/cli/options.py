"""What all commands share: the options that every one has, and how a document is printed."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from python_ml.config import load_settings
from python_ml.console import can_show


def common(command: Callable[..., None]) -> Callable[..., None]:
    """Options that every command has; hands it `settings` and `as_json`."""

    @click.option("--home", metavar="DIR", help="Where all data lies (default: data).")
    @click.option("--target", type=click.Choice(["duckdb", "athena"]), help="Engine.")
    @click.option("--threads", type=click.IntRange(1), help="Of DuckDB and XGBoost.")
    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
    @functools.wraps(command)
    def wrapped(
        home: str | None, target: str | None, threads: int | None, as_json: bool, **own: Any
    ) -> None:
        settings = load_settings({"home": home, "target": target, "threads": threads})
        os.umask(settings.umask)  # of this process and those that it starts
        command(settings=settings, as_json=as_json, **own)

    return wrapped


def print_json(document: Mapping[str, Any]) -> None:
    """Print a document; characters that stdout lacks are escaped, as JSON can, and not lost."""
    text = json.dumps(document, indent=2, ensure_ascii=False, default=str, allow_nan=False)
    if not can_show(sys.stdout, text):
        text = json.dumps(document, indent=2, default=str, allow_nan=False)
    click.echo(text)
