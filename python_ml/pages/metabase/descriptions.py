"""What dbt says of the marts, shown in Metabase beside tables and columns.

dbt-metabase does the pushing. Whether there is anything to push is found here first: it would wait
five seconds and ask for a sync even when nothing has changed.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from python_ml.errors import SpanishGasError
from python_ml.pages.metabase.client import MetabaseClient
from python_ml.settings import Settings
from python_ml.transform.dbt import DbtRunner

Manifest = Mapping[str, Any]


def mart_manifest(settings: Settings) -> Manifest:
    """dbt's manifest of the marts alone, in the schema where Metabase finds them.

    Raises:
        SpanishGasError: the dbt project does not parse.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        manifest = DbtRunner(settings, work / "none.duckdb", work / "dbt", {}).manifest()
    schema = settings.marts.schema if settings.metabase.engine == "postgres" else None
    nodes = {
        name: node | {"schema": schema or settings.athena.schema, "database": ""}
        for name, node in manifest["nodes"].items()
        if node["resource_type"] == "model" and node["name"].startswith("mart_")
    }
    # Without tests of relationships: those of the marts lead to seeds too, which Metabase has not.
    children: dict[str, list[str]] = {name: [] for name in nodes}
    return {
        "nodes": nodes,
        "sources": {},
        "child_map": children,
        "metadata": manifest["metadata"],
    }


def undescribed(client: MetabaseClient, database: int, manifest: Manifest) -> list[str]:
    """Tables known to the server of which it says something else than dbt does."""
    tables = client.get(f"/api/database/{database}/metadata", include_hidden="true")["tables"]
    there = {(str(table["schema"]).lower(), table["name"].lower()): table for table in tables}
    found = []
    for node in manifest["nodes"].values():
        table = there.get((node["schema"].lower(), node["alias"].lower()))
        if table is None or not _is_described(node, table):
            found.append(node["alias"])
    return sorted(found)


def describe(client: MetabaseClient, database_name: str, manifest: Manifest) -> int:
    """Push descriptions and semantic types; returns how many requests changed something.

    Raises:
        SpanishGasError: a mart or a column of one is not in the database that Metabase reads.
    """
    import requests  # with dbt-metabase 0.2 s that only a server with descriptions needs
    from dbtmetabase import DbtMetabase
    from dbtmetabase.errors import MetabaseStateError

    # It warns of log-in by session, which an administrator without a key has to use.
    logging.getLogger("dbtmetabase.metabase").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.json"
        path.write_text(json.dumps(manifest), encoding="utf-8")
        pusher = DbtMetabase(
            path,
            client.url,
            metabase_api_key=client.headers.get("x-api-key"),
            metabase_session_id=client.headers.get("X-Metabase-Session"),
        )
        sent = _count_writes(pusher.metabase.session)
        try:
            pusher.export_models(metabase_database=database_name)
        except (MetabaseStateError, requests.RequestException) as error:
            raise SpanishGasError(
                f"descriptions of the marts: {error}; are all marts in {database_name} as Metabase "
                "reads it? `spanishgas dashboards publish-marts` loads those of Postgres"
            ) from error
    client.writes += sent
    return len(sent)


def _texts(table: Mapping[str, Any]) -> dict[str, Any]:
    fields = {field["name"].lower(): field for field in table["fields"]}
    return {"": table.get("description")} | {
        name: (field.get("description"), field.get("semantic_type"))
        for name, field in fields.items()
    }


def _is_described(node: Mapping[str, Any], table: Mapping[str, Any]) -> bool:
    there = _texts(table)
    if there[""] != (node["description"] or None):
        return False
    for name, column in node["columns"].items():
        description, semantic_type = there.get(name.lower(), (None, None))
        wanted_type = column.get("meta", {}).get("metabase.semantic_type", semantic_type)
        if (description, semantic_type) != (column["description"] or None, wanted_type):
            return False
    return True


def _count_writes(session: Any) -> list[str]:
    """Listen to the session of dbt-metabase: its PUTs, as our client lists its own."""
    sent: list[str] = []

    def heard(response: Any, **_: Any) -> None:
        if response.request.method == "PUT":
            sent.append(f"PUT {response.request.path_url}")

    session.hooks["response"].append(heard)
    return sent
