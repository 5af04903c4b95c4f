from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from python_ml.pages.metabase.publish import Published
from python_ml.settings import Settings, load_settings
from tests.dashboards import marts, postgres
from tests.dashboards.fake import FakeMetabase
from tests.dashboards.fake.contract import Contract
from tests.dashboards.postgres import Postgres

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def contract() -> Contract:
    """The official description of the API of a Metabase server."""
    (wheel,) = (HERE / ".tools").glob("mcp_for_metabase-*.whl")
    return Contract.from_wheel(wheel)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data home with a published warehouse of made-up marts."""
    folder = tmp_path_factory.mktemp("home")
    marts.build(folder / "warehouse.duckdb")
    return folder


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """A Postgres with the roles of the compose file."""
    with postgres.running() as running:
        yield running


@pytest.fixture(scope="session")
def environment(server: Postgres, home: Path) -> Iterator[dict[str, str]]:
    """What the command needs to reach that Postgres, and who its administrator is."""
    variables = {
        **server.environment,
        "SPANISHGAS_HOME": str(home),
        "SPANISHGAS_MARTS__HOST": "127.0.0.1",
        "SPANISHGAS_MARTS__PORT": str(server.port),
        "SPANISHGAS_METABASE_EMAIL": "admin@spanishgas.example",
        "SPANISHGAS_METABASE_PASSWORD": "correct horse battery",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield variables


@pytest.fixture(scope="session")
def settings(environment: dict[str, str]) -> Settings:
    return load_settings()


@pytest.fixture(scope="session")
def published(settings: Settings) -> Published:
    """The marts, loaded into Postgres."""
    from python_ml.engines import open_warehouse
    from python_ml.pages.metabase.publish import publish

    with open_warehouse(settings) as warehouse:
        return publish(warehouse, settings)


@pytest.fixture(scope="module")
def fake(server: Postgres, published: Published) -> FakeMetabase:
    """A Metabase, blank at first, that runs its queries in that Postgres, as the reader."""

    def run(sql: str) -> tuple[list[str], list[list[str]]]:
        options = "-c search_path=marts"  # what currentSchema of the connection does
        with psycopg.connect(server.connect_as(postgres.READER), options=options) as connection:
            cursor = connection.execute(sql)
            assert cursor.description is not None
            names = [column.name for column in cursor.description]
            return names, [[str(value) for value in row] for row in cursor.fetchall()]

    with psycopg.connect(server.connect_as(postgres.READER)) as connection:
        columns = connection.execute(
            "select table_schema, table_name, column_name, data_type "
            "from information_schema.columns where table_schema = 'marts' "
            "order by table_name, ordinal_position"
        ).fetchall()
    warehouse: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for schema, table, column, data_type in columns:
        warehouse.setdefault(schema, {}).setdefault(table, []).append((column, f"type/{data_type}"))
    return FakeMetabase(runner=run, warehouse=warehouse)
