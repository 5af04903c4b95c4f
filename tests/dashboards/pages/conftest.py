"""A real run of a small company, which the pages are held to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, sync_playwright

from python_ml.engines import Warehouse, open_warehouse
from python_ml.settings import Settings, load_settings
from tests.dashboards import postgres
from tests.open_gate import OPEN_GATE, as_variables

CUSTOMERS = 600
QUICK = as_variables(OPEN_GATE | {"evaluate.bootstrap_count": 100})


def spanishgas(
    *arguments: str | bytes,
    home: Path,
    exit_code: int = 0,
) -> str:
    command = [sys.executable, "-m", "python_ml.cli", *arguments, "--home", str(home)]
    variables = {**os.environ, **QUICK}
    done = subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
    assert done.returncode == exit_code, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data home after a run and a second scoring, so that there is a run before."""
    home = tmp_path_factory.mktemp("company")
    spanishgas("simulate", "--customers", str(CUSTOMERS), home=home)
    (home / "run.txt").write_text(spanishgas("run", home=home), encoding="utf-8")
    (home / "score.txt").write_text(spanishgas("score", home=home), encoding="utf-8")
    return home


@pytest.fixture(scope="session")
def company_settings(company: Path) -> Settings:
    return load_settings({"home": str(company)})


@pytest.fixture(scope="session")
def warehouse(company_settings: Settings) -> Iterator[Warehouse]:
    with open_warehouse(company_settings) as opened, opened.held():
        yield opened


@pytest.fixture(scope="session")
def marts_in_postgres(
    warehouse: Warehouse, company_settings: Settings, server: postgres.Postgres
) -> Iterator[psycopg.Connection]:
    """The same marts in a Postgres of their own schema, to read as Metabase reads them."""
    from python_ml.pages.metabase.publish import publish

    settings = company_settings.with_overrides(
        {"marts.host": "127.0.0.1", "marts.port": server.port, "marts.schema": "company"}
    )
    publish(warehouse, settings, environ={**os.environ, **server.environment})
    options = "-c search_path=company"
    with psycopg.connect(server.connect_as(postgres.READER), options=options) as connection:
        yield connection


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    )
    with sync_playwright() as playwright:
        # A container has no sandbox of its own for root.
        yield playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
