#!/usr/bin/env bash
# First start of the Postgres: a database for Metabase's own state and one for the marts, each with
# a role that can do what it has to and no more. Passwords come from the environment.
set -euo pipefail

psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
\getenv metabase_password METABASE_DB_PASSWORD
\getenv writer_password MARTS_WRITER_PASSWORD
\getenv reader_password MARTS_READER_PASSWORD

create role metabase login password :'metabase_password';
create role marts_writer login password :'writer_password';
create role marts_reader login password :'reader_password';
create database metabase owner metabase;
create database marts owner marts_writer;

revoke all on database metabase, marts from public;
grant connect on database marts to marts_reader;
alter role marts_reader set default_transaction_read_only = on;
alter role marts_reader set statement_timeout = '60s';
alter role marts_reader in database marts set search_path = marts;
SQL
