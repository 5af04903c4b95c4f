"""Metabase's own user of its database, made before Metabase starts.

    python -m python_ml.aws.metabase_user

The variables are Metabase's (MB_DB_HOST, MB_DB_PORT, MB_DB_DBNAME, MB_DB_USER, MB_DB_PASS), and
MB_ADMINISTRATOR and MB_ADMINISTRATOR_PASS for the user that RDS made. It may be called again: the
user gets the password that the secret holds now.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import psycopg
from psycopg import sql

from python_ml.errors import SpanishGasError, UsageError

_NEEDED = (
    *("MB_DB_HOST", "MB_DB_DBNAME", "MB_DB_USER", "MB_DB_PASS"),
    *("MB_ADMINISTRATOR", "MB_ADMINISTRATOR_PASS"),
)


def make_user(environ: Mapping[str, str]) -> None:
    """Create the user, or give it its present password, and let it own the database's schema.

    Raises:
        UsageError: a variable is missing.
        SpanishGasError: the database refuses.
    """
    if missing := [name for name in _NEEDED if not environ.get(name)]:
        raise UsageError(f"set {', '.join(missing)}")
    user, database = sql.Identifier(environ["MB_DB_USER"]), sql.Identifier(environ["MB_DB_DBNAME"])
    password = sql.Literal(environ["MB_DB_PASS"])
    place = f"database {environ['MB_DB_DBNAME']} on {environ['MB_DB_HOST']}"
    try:
        with psycopg.connect(
            host=environ["MB_DB_HOST"],
            port=int(environ.get("MB_DB_PORT", "5432")),
            dbname=environ["MB_DB_DBNAME"],
            user=environ["MB_ADMINISTRATOR"],
            password=environ["MB_ADMINISTRATOR_PASS"],
            sslmode=environ.get("MB_DB_SSLMODE", "require"),
            connect_timeout=10,
            application_name="spanishgas metabase_user",
        ) as connection:
            known = connection.execute(
                "select 1 from pg_roles where rolname = %s", [environ["MB_DB_USER"]]
            ).fetchone()
            change = "alter" if known else "create"
            for statement in (
                sql.SQL(change + " role {} login password {}").format(user, password),
                # Whoever gives something to a role must belong to it; RDS has no superuser.
                sql.SQL("grant {} to current_user").format(user),
                sql.SQL("revoke all on database {} from public").format(database),
                sql.SQL("grant connect, create, temporary on database {} to {}").format(
                    database, user
                ),
                sql.SQL("alter schema public owner to {}").format(user),
            ):
                connection.execute(statement)
    except psycopg.Error as error:
        raise SpanishGasError(f"{place}: {' '.join(str(error).split())}") from error


def main() -> int:
    """Make the user; the exit code is the command's."""
    try:
        make_user(os.environ)
    except SpanishGasError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
