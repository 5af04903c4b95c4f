"""The server around the dashboards: first start, connection to the marts, who may see what."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from python_ml.errors import UsageError
from python_ml.pages.metabase.client import Credentials, Json, MetabaseClient, MetabaseError
from python_ml.pages.metabase.state import Names
from python_ml.settings import Settings

ALL_USERS = "all-internal-users"  # as Metabase calls the groups that every server has
ADMINISTRATORS = "admin"
API_KEY_NAME = "spanishgas"
_GRAPHS = {"collections": "/api/collection/graph", "data": "/api/permissions/graph"}


def names_of(settings: Settings) -> Names:
    metabase = settings.metabase
    return Names(
        database=metabase.database,
        groups={"viewers": metabase.viewer_group, "analysts": metabase.analyst_group},
        collections={"root": metabase.collection, "cards": "Questions"},
        schema=settings.marts.schema if metabase.engine == "postgres" else settings.athena.schema,
    )


def is_blank(client: MetabaseClient) -> bool:
    """Nobody has set the server up yet."""
    properties = client.properties()
    return not properties.get("has-user-setup") and bool(properties.get("setup-token"))


def set_up(client: MetabaseClient, credentials: Credentials, site_name: str) -> None:
    """Make the first administrator of a blank server, and log in as that.

    Raises:
        UsageError: there are no e-mail and password to give it.
    """
    if not (credentials.email and credentials.password):
        raise UsageError(
            f"{client.url} is blank: set SPANISHGAS_METABASE_EMAIL and "
            "SPANISHGAS_METABASE_PASSWORD, its first administrator is made with them"
        )
    token = client.properties()["setup-token"]
    user = {"email": credentials.email, "password": credentials.password}
    user |= {"first_name": "SpanishGas", "last_name": "Administrator"}
    prefs = {"site_name": site_name, "site_locale": "en"}
    body = {"token": token, "user": user, "prefs": prefs}
    client.use_session(client.post("/api/setup", body)["id"])


def make_api_key(client: MetabaseClient) -> str:
    """An API key of an administrator for machines; one of ours that is there is renewed."""
    for known in client.get("/api/api-key"):
        if known["name"] == API_KEY_NAME:
            made = client.put(f"/api/api-key/{known['id']}/regenerate", None)
            break
    else:
        group = _group_id(client, ADMINISTRATORS)
        made = client.post("/api/api-key", {"name": API_KEY_NAME, "group_id": group})
    key: str = made["unmasked_key"]
    return key


def connection(
    settings: Settings, environ: Mapping[str, str] | None = None, *, for_comparison: bool = False
) -> Json:
    """The body of the database, as the server (not this machine) reaches the marts.

    Scans of whole tables stay off: on Athena each costs money, and no filter of ours needs one.

    Args:
        settings: the engine, and where the marts are.
        environ: has the passwords.
        for_comparison: without what the server masks in its answers, so no password is needed.

    Raises:
        UsageError: no password for the marts.
    """
    environ = os.environ if environ is None else environ
    metabase = settings.metabase
    details: Json
    if metabase.engine == "postgres":  # the stock image of Metabase has no driver for DuckDB
        details = metabase.postgres.as_dict()
        details["password"] = environ.get("SPANISHGAS_MARTS_READER_PASSWORD")
        if not details["password"] and not for_comparison:
            raise UsageError(
                "set SPANISHGAS_MARTS_READER_PASSWORD: Metabase reads the marts in Postgres with it"
            )
        details |= {"schema-filters-type": "inclusion"}
        details |= {"schema-filters-patterns": settings.marts.schema, "tunnel-enabled": False}
        # Cards name marts without a schema: pgjdbc puts this one on the search path.
        details |= {"additional-options": f"currentSchema={settings.marts.schema}"}
    else:
        details = {
            "region": settings.athena.region,
            "workgroup": settings.athena.work_group,
            "s3_staging_dir": settings.athena.staging,
            "catalog": "AwsDataCatalog",
            "dbname": settings.athena.schema,
            # Both empty: the server's own role. A hash in each query would defeat result reuse.
            "access_key": environ.get("SPANISHGAS_METABASE_AWS_ACCESS_KEY_ID", ""),
            "secret_key": environ.get("SPANISHGAS_METABASE_AWS_SECRET_ACCESS_KEY", ""),
            "include-user-id-and-hash": False,
        }
    body = {"name": metabase.database, "engine": metabase.engine, "details": details}
    if for_comparison:
        secret = ("password", "access_key", "secret_key")
        return body | {"details": {key: details[key] for key in details if key not in secret}}
    return body | {"is_full_sync": False, "is_on_demand": False, "auto_run_queries": True}


def wanted_rights(
    collections: Mapping[str, int], database: int, groups: Mapping[str, int]
) -> dict[str, Json]:
    """Who may do what: viewers read our collection and its results, analysts may also ask questions
    of their own in the query builder; nobody else by default.

    Rights of a group add to those of All Users, so these have to be taken away there.
    """
    numbers = [str(number) for number in collections.values()]
    queries = {ALL_USERS: "no", "viewers": "no", "analysts": "query-builder"}
    ids = {ALL_USERS: ALL_USERS} | {key: str(number) for key, number in groups.items()}
    return {
        "collections": {
            ids[key]: dict.fromkeys(numbers, "none" if key == ALL_USERS else "read") for key in ids
        },
        "data": {
            ids[key]: {str(database): {"view-data": "unrestricted", "create-queries": queries[key]}}
            for key in ids
        },
    }


def differing_rights(client: MetabaseClient, rights: Mapping[str, Json]) -> dict[str, Json]:
    """Of each graph (`collections`, `data`) the groups whose rights are not the wanted ones."""
    everyone = str(_group_id(client, ALL_USERS))
    differing: dict[str, Json] = {}
    for graph, groups in rights.items():
        there = client.get(_GRAPHS[graph])["groups"]
        for group, wanted in groups.items():
            group = everyone if group == ALL_USERS else group  # noqa: PLW2901
            now = there.get(group, {})
            if any(now.get(key) != value for key, value in wanted.items()):
                differing.setdefault(graph, {})[group] = wanted
    return differing


def grant(client: MetabaseClient, graph: str, groups: Json) -> None:
    """Set rights of these groups; everything else in the graph stays.

    Raises:
        MetabaseError: somebody else kept changing permissions meanwhile.
    """
    for attempt in range(3):
        whole = client.get(_GRAPHS[graph])
        changed = {
            group: {**whole["groups"].get(group, {}), **own} for group, own in groups.items()
        }
        body: dict[str, Any] = {"revision": whole["revision"], "groups": whole["groups"] | changed}
        try:
            client.put(_GRAPHS[graph], body)
            return
        except MetabaseError as error:
            if error.status != 409 or attempt == 2:
                raise


def _group_id(client: MetabaseClient, magic: str) -> int:
    """The id of a group that every server has; its name depends on version and language."""
    names = {"admin": "Administrators", "all-internal-users": "All Users"}
    groups = client.get("/api/permissions/group")
    found = [row for row in groups if row.get("magic_group_type") == magic]
    found += [row for row in groups if row["name"] == names[magic]]
    database_id: int = found[0]["id"]
    return database_id
