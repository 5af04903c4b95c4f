"""The fake server over HTTP: routes, log-in, and what happens to a request before them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.serving import make_server

from tests.dashboards.fake import dashboards
from tests.dashboards.fake.accounts import register_accounts
from tests.dashboards.fake.contract import Contract
from tests.dashboards.fake.errors import ApiError
from tests.dashboards.fake.mail import register_mail
from tests.dashboards.fake.queries import as_legacy, sql_of
from tests.dashboards.fake.store import TRASH, FakeMetabase, Row, is_write

OPEN = ("/api/health", "/api/session", "/api/session/properties", "/api/setup")


def create_app(fake: FakeMetabase, contract: Contract | None = None) -> Flask:
    """The server as a WSGI application.

    Args:
        fake: its state.
        contract: the official description of the API; a request that it does not allow is refused.
    """
    app = Flask("fake-metabase")
    app.config["PROPAGATE_EXCEPTIONS"] = True  # a server that dies does not answer 500

    @app.before_request
    def before() -> Response | None:
        body = request.get_json(silent=True)
        fake.log.append((request.method, request.path, body))
        if fake.stumbles:
            return Response("try again", status=fake.stumbles.pop(0))
        if contract:
            problems = contract.problems(request.method, request.path, dict(request.args), body)
            if problems:
                fake.refused += problems
                return _answer(ApiError(400, {"errors": {"contract": problems}}))
        if request.path not in OPEN and not _is_known(fake):
            return Response("Unauthenticated", status=401)
        if is_write(request.method, request.path) and fake.dies_after_writes is not None:
            if fake.dies_after_writes == 0:
                fake.log.pop()
                raise ConnectionAbortedError("the server is gone")
            fake.dies_after_writes -= 1
        return None

    @app.errorhandler(ApiError)
    def failed(error: ApiError) -> Response:
        if error.status not in (404, 500):
            fake.refused.append(f"{request.method} {request.path}: {error.message}")
        return _answer(error)

    for register in (
        register_accounts,
        register_mail,
        _register_content,
        _register_queries,
        _register_metadata,
    ):
        register(app, fake)
    return app


@contextmanager
def running(fake: FakeMetabase, contract: Contract | None = None) -> Iterator[str]:
    """The server on a free port of this machine; yields its address."""
    server = make_server("127.0.0.1", 0, create_app(fake, contract), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


def _answer(error: ApiError) -> Response:
    if isinstance(error.message, str):
        return Response(error.message, status=error.status, mimetype="text/plain")
    response = jsonify(error.message)
    response.status_code = error.status
    return response


def _is_known(fake: FakeMetabase) -> bool:
    key = request.headers.get("x-api-key")
    session = request.headers.get("X-Metabase-Session")
    return any(entry["unmasked_key"] == key for entry in fake.api_keys) or session in fake.sessions


def _body() -> Row:
    document: Row = request.get_json()
    return document


def _register_content(app: Flask, fake: FakeMetabase) -> None:
    @app.get("/api/collection")
    def collections() -> Response:
        is_archived = request.args.get("archived") == "true"
        rows = [row for row in fake.collections.values() if row["archived"] == is_archived]
        return jsonify([{"id": "root", "name": "Our analytics"}, *rows])

    @app.post("/api/collection")
    def add_collection() -> Row:
        return fake.add_collection(_body())

    @app.get("/api/collection/trash")
    def trash() -> Row:
        return fake.collections[TRASH]

    @app.route("/api/collection/<int:number>", methods=["GET", "PUT"])
    def collection(number: int) -> Row:
        if request.method == "PUT":
            return fake.update_collection(number, _body())
        return fake.find(fake.collections, number)

    @app.get("/api/collection/<number>/items")
    def items(number: str) -> Row:
        models = request.args.getlist("models")
        key = None if number == "root" else int(number)
        rows = fake.items(key, is_archived=request.args.get("archived") == "true")
        rows = [row for row in rows if not models or row["model"] in models]
        return {"data": rows, "total": len(rows), "limit": None, "offset": None, "models": models}

    _crud(app, "card", fake.cards, fake.add_card, fake.update_card, lambda n: _card(fake, n))
    _crud(
        app,
        "dashboard",
        fake.dashboards,
        lambda body: dashboards.add_dashboard(fake, body),
        lambda number, body: dashboards.update_dashboard(fake, number, body),
        lambda number: dashboards.hydrated(fake, number),
    )


def _crud(
    app: Flask,
    kind: str,
    table: dict[int, Row],
    add: Callable[[Row], Row],
    update: Callable[[int, Row], Row],
    read: Callable[[int | str], Row],
) -> None:
    def many() -> Any:
        if request.method == "POST":
            return read(add(_body())["id"])
        return jsonify([row for row in table.values() if not row["archived"]])

    def one(number: str) -> Row:
        key = int(number) if number.isdigit() else number
        if request.method == "PUT":
            update(int(number), _body())
        return read(key)

    app.add_url_rule(f"/api/{kind}", f"{kind}s", many, methods=["GET", "POST"])
    app.add_url_rule(f"/api/{kind}/<number>", kind, one, methods=["GET", "PUT"])


def _card(fake: FakeMetabase, number: int | str) -> Row:
    card = fake.find(fake.cards, number)
    if request.args.get("legacy-mbql") == "true":
        return card | {"dataset_query": as_legacy(card["dataset_query"])}
    return card


def _register_queries(app: Flask, fake: FakeMetabase) -> None:
    @app.post("/api/card/<int:number>/query")
    def run_card(number: int) -> tuple[Row, int]:
        return _run(fake, fake.find(fake.cards, number)["dataset_query"])

    @app.post("/api/dataset")
    def run_query() -> tuple[Row, int]:
        body = _body()
        return _run(fake, {key: body[key] for key in ("lib/type", "database", "stages")})


def _run(fake: FakeMetabase, query: Row) -> tuple[Row, int]:
    """As the server: 202 whatever becomes of the query; a failed one says so in its status."""
    if fake.runner is None:
        raise ApiError(500, "the fake has no warehouse to run queries on")
    try:
        columns, rows = fake.runner(sql_of(query, fake.tables))
    except Exception as error:
        return {"status": "failed", "error": str(error), "error_type": "invalid-query"}, 202
    cols = [{"name": name, "display_name": name, "base_type": "type/*"} for name in columns]
    data = {"rows": rows, "cols": cols}
    return {"status": "completed", "row_count": len(rows), "data": data}, 202


def _register_metadata(app: Flask, fake: FakeMetabase) -> None:
    @app.route("/api/database", methods=["GET", "POST"])
    def databases() -> Row:
        if request.method == "POST":
            return _without_secrets(fake.add_database(_body()))
        rows = [_without_secrets(row) for row in fake.databases.values()]
        return {"data": rows, "total": len(rows)}

    @app.route("/api/database/<int:number>", methods=["GET", "PUT"])
    def database(number: int) -> Row:
        row = fake.find(fake.databases, number)
        if request.method == "PUT":
            row.update(_body())
        return _without_secrets(row)

    @app.post("/api/database/<int:number>/sync_schema")
    def sync(number: int) -> Row:
        fake.find(fake.databases, number)
        fake.sync(number)
        return {"status": "ok"}

    @app.get("/api/database/<int:number>/metadata")
    def metadata(number: int) -> Row:
        row = _without_secrets(fake.find(fake.databases, number))
        return row | {"tables": [t for t in fake.tables.values() if t["db_id"] == number]}

    @app.get("/api/table")
    def tables() -> Response:
        return jsonify(
            [table | {"db": _without_secrets(fake.databases[table["db_id"]])}
             for table in fake.tables.values()]
        )  # fmt: skip

    @app.put("/api/table/<int:number>")
    def table(number: int) -> Row:
        return _updated(fake.find(fake.tables, number), _body())

    @app.put("/api/field/<int:number>")
    def field(number: int) -> Row:
        fields = {row["id"]: row for table in fake.tables.values() for row in table["fields"]}
        return _updated(fake.find(fields, number), _body())


def _updated(row: Row, body: Row) -> Row:
    row.update(body)
    return row


def _without_secrets(row: Row) -> Row:
    secret = ("password", "secret_key")
    hidden = {k: "**MetabasePass**" if k in secret and v else v for k, v in row["details"].items()}
    return row | {"details": hidden}
