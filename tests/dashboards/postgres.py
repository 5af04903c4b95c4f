"""A Postgres server of its own for the tests, in a folder that goes with them."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

WRITER, READER, DATABASE = "marts_writer", "marts_reader", "marts"


@dataclass(frozen=True)
class Postgres:
    """Where it listens, and the passwords of the two roles of the compose file."""

    port: int
    writer_password: str
    reader_password: str
    socket_folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SPANISHGAS_MARTS_PASSWORD": self.writer_password,
            "SPANISHGAS_MARTS_READER_PASSWORD": self.reader_password,
        }

    def superuser(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection that may make databases and roles, each statement by itself."""
        host, port = str(self.socket_folder), self.port
        return psycopg.connect(
            host=host, port=port, dbname="postgres", user="postgres", autocommit=True
        )

    def connect_as(self, role: str) -> str:
        password = self.writer_password if role == WRITER else self.reader_password
        host = f"host=127.0.0.1 port={self.port} dbname={DATABASE}"
        return f"{host} user={role} password={password}"


def programs() -> Path:
    """The folder of initdb and postgres: Debian keeps them off the path.

    Raises:
        FileNotFoundError: no Postgres server is installed.
    """
    found = [*sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path))
    if not found:
        raise FileNotFoundError("no Postgres server: apt-get install postgresql")
    return found[-1].resolve().parent


@contextmanager
def running() -> Iterator[Postgres]:
    """A server with the database and roles that infra/metabase/init-marts.sh makes."""
    with TemporaryDirectory(prefix="spanishgas-postgres-") as name:
        folder, port = Path(name), _free_port()
        owner, data = _owner(folder), folder / "data"
        pg_ctl = [str(programs() / "pg_ctl"), "-D", str(data), "-w"]
        _init(owner, data)
        options = f"-p {port} -k {data} -c listen_addresses=127.0.0.1 -c fsync=off"
        _run(owner, *pg_ctl, "-o", options, "-l", str(data / "log"), "start")
        try:
            server = Postgres(port, secrets.token_hex(16), secrets.token_hex(16), data)
            _make_roles(server, data)
            yield server
        finally:
            _run(owner, *pg_ctl, "-m", "immediate", "stop")


def _init(owner: list[str], data: Path) -> None:
    password = data.parent / "superuser-password"
    password.write_text(secrets.token_hex(16))
    password.chmod(0o644)
    superuser = ["--username=postgres", "--auth-local=trust", "--auth-host=scram-sha-256"]
    initdb = str(programs() / "initdb")
    _run(owner, initdb, "-D", str(data), *superuser, f"--pwfile={password}")


def _make_roles(server: Postgres, socket_folder: Path) -> None:
    """By the script that the compose file mounts."""
    script = Path(__file__).parents[2] / "infra" / "metabase" / "init-marts.sh"
    environment = os.environ | {
        "PGHOST": str(socket_folder),
        "PGPORT": str(server.port),
        "POSTGRES_USER": "postgres",
        "MARTS_WRITER_PASSWORD": server.writer_password,
        "MARTS_READER_PASSWORD": server.reader_password,
        "METABASE_DB_PASSWORD": secrets.token_hex(16),
    }
    subprocess.run(["bash", str(script)], env=environment, check=True, capture_output=True)


def _owner(folder: Path) -> list[str]:
    """Postgres refuses to run as root: then it runs as the user that Debian's package made."""
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, "postgres")
    return ["runuser", "-u", "postgres", "--"]


def _run(owner: list[str], *command: str) -> None:
    subprocess.run([*owner, *command], check=True, stdout=subprocess.DEVNULL, cwd="/")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
