"""The compose file; no container engine runs where the tests do."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.dashboards.conftest import HERE

METABASE = HERE.parents[1] / "infra" / "metabase"
SECRETS = {
    "POSTGRES_PASSWORD",
    "METABASE_DB_PASSWORD",
    "MB_ENCRYPTION_SECRET_KEY",
    "SPANISHGAS_MARTS_PASSWORD",
    "SPANISHGAS_MARTS_READER_PASSWORD",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((METABASE / "compose.yml").read_text())
    return document


def test_it_is_a_compose_file(compose: dict[str, Any]) -> None:
    (wheel,) = (HERE / ".tools").glob("docker_compose-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        schema = json.loads(archive.read("compose/config/compose_spec.json"))
    # The published schema knows "name" since a later version; everything else is in it.
    document = {key: value for key, value in compose.items() if key != "name"}
    assert [error.message for error in Draft7Validator(schema).iter_errors(document)] == []
    broken = {"services": {"metabase": {"image": "x", "helthcheck": {}}}}
    assert list(Draft7Validator(schema).iter_errors(broken))


def test_versions_are_pinned_and_services_are_watched(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert re.search(r":v?\d+\.\d+(\.\d+)*$", service["image"]), name
        assert service["healthcheck"]["test"][0] == "CMD", name
    needs = compose["services"]["metabase"]["depends_on"]["postgres"]
    assert needs == {"condition": "service_healthy"}


def test_nothing_is_reachable_from_other_machines(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service["ports"]]
    assert len(ports) == 2 and all(port.startswith("127.0.0.1:") for port in ports)


def test_no_password_has_a_default(compose: dict[str, Any]) -> None:
    text = (METABASE / "compose.yml").read_text()
    required = set(re.findall(r"\$\{(\w+):\?", text))
    assert required == SECRETS
    for service in compose["services"].values():
        for name, value in service["environment"].items():
            if re.search(r"PASS|SECRET|KEY", name):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), name


def test_up_makes_passwords_once_and_runs_the_steps_in_order(tmp_path: Path) -> None:
    """With stand-ins for docker and the command that note how they were called."""
    folder = tmp_path / "metabase"
    folder.mkdir()
    for name in ("up.sh", "compose.yml"):
        (folder / name).write_bytes((METABASE / name).read_bytes())
    notes = tmp_path / "notes"
    for name in ("docker", "spanishgas"):
        script = tmp_path / name
        script.write_text(
            f'#!/bin/sh\necho "{name} $*" >> {notes}\n'
            f"env | grep PASSWORD >> {tmp_path}/environment\n"
        )
        script.chmod(0o755)

    def up() -> str:
        subprocess.run(
            ["bash", str(folder / "up.sh"), str(tmp_path / "spanishgas"), "--home", "data"],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
            check=True,
            capture_output=True,
        )
        return (folder / ".env").read_text()

    first = up()
    values = dict(line.split("=", 1) for line in first.splitlines())
    secrets = {name: value for name, value in values.items() if name != "SPANISHGAS_METABASE_EMAIL"}
    assert set(secrets) == SECRETS | {"SPANISHGAS_METABASE_PASSWORD"}
    assert len(set(secrets.values())) == len(secrets) and min(map(len, secrets.values())) >= 32
    assert (folder / ".env").stat().st_mode & 0o777 == 0o600
    assert up() == first
    assert notes.read_text().splitlines()[:3] == [
        f"docker compose --file {folder}/compose.yml up --detach --wait",
        "spanishgas dashboards publish-marts --home data",
        "spanishgas dashboards apply --home data",
    ]
    seen = (tmp_path / "environment").read_text()
    assert secrets["SPANISHGAS_METABASE_PASSWORD"] in seen
