"""First start, log-in, users, API keys, groups and their rights."""

from __future__ import annotations

import secrets

from flask import Flask, Response, jsonify, request

from tests.dashboards.fake.errors import ApiError
from tests.dashboards.fake.store import ADMINISTRATORS, FakeMetabase, Row


def register_accounts(app: Flask, fake: FakeMetabase) -> None:
    @app.get("/api/health")
    def health() -> Row:
        return {"status": "ok"}

    _register_sessions(app, fake)
    _register_api_keys(app, fake)
    _register_groups(app, fake)
    _register_graph(app, "/api/permissions/graph", fake.data_graph)
    _register_graph(app, "/api/collection/graph", fake.collection_graph)


def _register_sessions(app: Flask, fake: FakeMetabase) -> None:
    @app.get("/api/session/properties")
    def properties() -> Row:
        major, minor, patch = fake.tag.removeprefix("v0.").partition(".")[0], 0, 0
        return {
            "setup-token": fake.setup_token,
            "has-user-setup": bool(fake.users),
            "version": {"tag": fake.tag, "date": "2026-09-01", "hash": "0000000"},
            "version-components": [int(major), minor, patch],
            "token-features": {},
            "email-configured?": fake.can_send_mail,
            "site-name": "Fake",
        }

    @app.post("/api/setup")
    def setup() -> Row:
        body = request.get_json()
        if fake.users:
            raise ApiError(403, "The /api/setup route can only be used to create the first user")
        if body["token"] != fake.setup_token:
            raise ApiError(400, {"errors": {"token": "Token does not match the setup token."}})
        if len(body["user"]["password"]) < 8:
            raise ApiError(400, {"errors": {"password": "password is too common."}})
        fake.users.append({"id": 1, "is_superuser": True, **body["user"]})
        return {"id": _log_in(fake, 1)}

    @app.post("/api/session")
    def session() -> Row:
        body = request.get_json()
        for user in fake.users:
            if (user["email"], user["password"]) == (body["username"], body["password"]):
                return {"id": _log_in(fake, user["id"])}
        raise ApiError(401, {"errors": {"password": "did not match stored password"}})

    @app.get("/api/user/current")
    def current_user() -> Row:
        return _public(fake.users[0])

    @app.get("/api/user/<int:number>")
    def user(number: int) -> Row:
        return _public(next(entry for entry in fake.users if entry["id"] == number))


def _register_api_keys(app: Flask, fake: FakeMetabase) -> None:
    @app.get("/api/api-key")
    def api_keys() -> Response:
        hidden = [{k: v for k, v in key.items() if k != "unmasked_key"} for key in fake.api_keys]
        return jsonify(hidden)

    @app.post("/api/api-key")
    def add_api_key() -> Row:
        body = request.get_json()
        if any(entry["name"] == body["name"] for entry in fake.api_keys):
            raise ApiError(400, {"errors": {"name": "An API key with this name already exists."}})
        key = {"id": fake.next_id(), "name": body["name"], "group": fake.groups[body["group_id"]]}
        fake.api_keys.append(key | {"unmasked_key": f"mb_{secrets.token_urlsafe(24)}"})
        return fake.api_keys[-1]

    @app.put("/api/api-key/<int:number>/regenerate")
    def regenerate(number: int) -> Row:
        key = next(entry for entry in fake.api_keys if entry["id"] == number)
        key["unmasked_key"] = f"mb_{secrets.token_urlsafe(24)}"
        return key


def _register_groups(app: Flask, fake: FakeMetabase) -> None:
    @app.get("/api/permissions/group")
    def groups() -> Response:
        return jsonify(list(fake.groups.values()))

    @app.post("/api/permissions/group")
    def add_group() -> Row:
        number = fake.next_id()
        fake.groups[number] = {"id": number, "name": request.get_json()["name"], "member_count": 0}
        fake.data_graph["groups"][str(number)] = {}
        fake.collection_graph["groups"][str(number)] = {"root": "none"}
        return fake.groups[number]


def _register_graph(app: Flask, path: str, graph: Row) -> None:
    def read() -> Row:
        return graph

    def write() -> Row:
        body = request.get_json()
        if body.get("revision") != graph["revision"]:
            raise ApiError(409, "Looks like someone else edited the permissions")
        if str(ADMINISTRATORS) in body["groups"]:
            now, then = body["groups"][str(ADMINISTRATORS)], graph["groups"][str(ADMINISTRATORS)]
            if now != then:
                raise ApiError(400, "You cannot change the permissions of Administrators.")
        graph["groups"] |= body["groups"]
        graph["revision"] += 1
        return graph

    app.add_url_rule(path, f"read {path}", read, methods=["GET"])
    app.add_url_rule(path, f"write {path}", write, methods=["PUT"])


def _public(user: Row) -> Row:
    name = f"{user.get('first_name')} {user.get('last_name')}"
    return {k: v for k, v in user.items() if k != "password"} | {"common_name": name}


def _log_in(fake: FakeMetabase, user: int) -> str:
    fake.sessions[session := secrets.token_hex(16)] = user
    return session
