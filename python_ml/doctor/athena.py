"""What the target athena needs of an AWS account, asked for with the calls that a run makes."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from python_ml.doctor.check import FAIL, OK, WARN, Check, attempt, champion
from python_ml.engines import cloud, open_engine, open_ledger, open_warehouse
from python_ml.engines.location import bucket_and_prefix
from python_ml.errors import ServiceError
from python_ml.settings import AthenaSettings, Settings

_LOCATIONS = ("lake", "data", "staging")
_LAKE_FOLDERS = ("raw", "batches", "rejected", "ml", "models", "runs")
_QUICK = Config(connect_timeout=5, read_timeout=20, retries={"max_attempts": 2})
_POLICY = "docs/athena.md lists what the role must be allowed"


def check_account(settings: Settings) -> list[Check]:
    """All findings; without credentials the rest cannot be asked for."""
    athena = settings.athena
    checks = [locations(athena), _region(athena)]
    remedy = "set AWS_PROFILE, or run with a role: AWS's usual chain of credentials is used"
    checks.append(identity := attempt("credentials", remedy, lambda: _credentials(athena)))
    if identity.status == FAIL:
        return checks
    group = WorkGroup(athena)
    named = f"create work group {athena.work_group}, or name another one in athena.work_group"
    probes: list[tuple[str, str, Callable[[], Check]]] = [
        ("work group", f"{named}; {_POLICY}", group.state),
        ("byte limit", f"{named}; {_POLICY}", group.byte_limit),
    ]
    for name in _LOCATIONS:
        where = f"create the bucket in {athena.region}, or set athena.{name}; {_POLICY}"
        probes.append((f"bucket of {name}", where, partial(_bucket, athena, name)))
    probes += [
        ("staging expiry", "", lambda: _expiry(athena)),
        ("glue", f"Glue is asked in {athena.region}; {_POLICY}", lambda: _glue(athena)),
        ("query", f"{named}; {_POLICY}", lambda: _query(settings)),
        ("runs table", f"create it as docs/runs.md says; {_POLICY}", lambda: _runs(settings)),
        ("published", "", lambda: _published(settings)),
    ]
    checks += [attempt(name, fix, probe) for name, fix, probe in probes]
    return [*checks, champion(settings)]


def _client(athena: AthenaSettings, service: str) -> Any:
    return cloud.client(service, athena.region, _QUICK)


def locations(athena: AthenaSettings) -> Check:
    """dbt empties the folders that it writes to, so nothing else may lie in `data`; and what lies
    in the lake's bucket keeps out of the folders that runs write there."""
    places = {name: getattr(athena, name).rstrip("/") + "/" for name in _LOCATIONS}
    for name, place in places.items():
        if urlsplit(place).scheme != "s3" or not urlsplit(place).netloc:
            return Check("locations", FAIL, f"athena.{name} is {place}", "s3://<bucket>/<prefix>")
    taken = [places["data"], *(f"{places['lake']}{folder}/" for folder in _LAKE_FOLDERS)]
    for name, place in places.items():
        for around in taken if name != "data" else taken[1:]:
            if place.startswith(around):
                told = f"athena.{name} ({place}) lies in {around}, where others write"
                return Check("locations", FAIL, told, "give each a bucket or prefix of its own")
    return Check("locations", OK, ", ".join(f"{name} {place}" for name, place in places.items()))


def _region(athena: AthenaSettings) -> Check:
    session = boto3.Session()
    if athena.region not in session.get_available_regions("athena"):
        told = f"Athena is not known to be in athena.region ({athena.region})"
        return Check("region", FAIL, told, "aws.amazon.com/athena lists its regions")
    if session.region_name not in (None, athena.region):
        told = f"athena.region is {athena.region}, your AWS session's {session.region_name}"
        return Check("region", WARN, told, "set AWS_REGION to the same, so that other tools agree")
    return Check("region", OK, athena.region)


def _credentials(athena: AthenaSettings) -> Check:
    who = _client(athena, "sts").get_caller_identity()
    return Check("credentials", OK, f"{who['Arn']} in account {who['Account']}")


class WorkGroup:
    """State and limits of the work group, asked for once for each finding."""

    def __init__(self, athena: AthenaSettings) -> None:
        self._athena = athena

    def _read(self) -> dict[str, Any]:
        name = self._athena.work_group
        answer = _client(self._athena, "athena").get_work_group(WorkGroup=name)
        if not (found := answer.get("WorkGroup")):
            raise LookupError(f"work group {name} is not found")
        document: dict[str, Any] = found
        return document

    def state(self) -> Check:
        group = self._read()
        configuration = group.get("Configuration", {})
        name = "work group"
        if group.get("State", "ENABLED") != "ENABLED":
            return Check(name, FAIL, f"{group['Name']} is {group['State']}", "enable it")
        if configuration.get("EnforceWorkGroupConfiguration"):
            told = f"{group['Name']} enforces its result location, so dbt cannot place its tables"
            return Check(name, FAIL, told, "switch off 'override client-side settings'")
        version = configuration.get("EngineVersion", {})
        effective = version.get("EffectiveEngineVersion", version.get("SelectedEngineVersion", ""))
        if "3" not in effective and effective not in ("", "AUTO"):
            told = f"{group['Name']} runs {effective}"
            return Check(name, FAIL, told, "set it to Athena engine version 3")
        return Check(name, OK, f"{group['Name']}, {effective or 'engine version by default'}")

    def byte_limit(self) -> Check:
        limit = self._read().get("Configuration", {}).get("BytesScannedCutoffPerQuery")
        if not limit:
            told = f"{self._athena.work_group} has no limit of bytes scanned by a query"
            return Check(
                "byte limit", FAIL, told, "set one: a query that forgets a filter costs by the TB"
            )
        largest = largest_batch(self._athena)
        told = f"{limit / 1e9:,.2f} GB a query, the largest landed batch {largest / 1e9:,.2f} GB"
        if limit < largest:
            return Check("byte limit", FAIL, told, "raise it: the hourly table is scanned whole")
        return Check("byte limit", OK, told)


def largest_batch(athena: AthenaSettings) -> int:
    """Bytes of hourly data in the largest batch of the lake."""
    bucket, prefix = bucket_and_prefix(athena.lake)
    pages = _client(athena, "s3").get_paginator("list_objects_v2")
    sizes: dict[str, int] = {}
    for page in pages.paginate(Bucket=bucket, Prefix=f"{prefix}batches/"):
        for entry in page.get("Contents", []):
            batch, _, rest = entry["Key"].removeprefix(f"{prefix}batches/").partition("/")
            if rest.startswith("consumption_hourly/"):
                sizes[batch] = sizes.get(batch, 0) + entry["Size"]
    return max(sizes.values(), default=0)


def _bucket(athena: AthenaSettings, name: str) -> Check:
    """Region, and the four calls that a run makes: put, list, get, delete."""
    s3 = _client(athena, "s3")
    bucket, prefix = bucket_and_prefix(getattr(athena, name))
    lies_in = s3.get_bucket_location(Bucket=bucket).get("LocationConstraint") or "us-east-1"
    lies_in = "eu-west-1" if lies_in == "EU" else lies_in  # what S3 calls it in old buckets
    if lies_in != athena.region:
        told = f"{bucket} lies in {lies_in}, athena.region is {athena.region}"
        return Check(f"bucket of {name}", FAIL, told, "queries across regions fail or cost traffic")
    key = f"{prefix}.doctor/{secrets.token_hex(8)}"
    s3.put_object(Bucket=bucket, Key=key, Body=b"doctor")
    try:
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"]
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    finally:
        s3.delete_object(Bucket=bucket, Key=key)
    if listed != 1 or body != b"doctor":
        return Check(f"bucket of {name}", FAIL, f"{bucket} does not give back what it was given")
    return Check(f"bucket of {name}", OK, f"{bucket} in {lies_in}: put, list, get, delete")


def _expiry(athena: AthenaSettings) -> Check:
    s3 = _client(athena, "s3")
    bucket, _ = bucket_and_prefix(athena.staging)
    remedy = "expire it after a day: results of queries may be deleted"
    try:
        rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    except ServiceError as error:
        if error.code != "NoSuchLifecycleConfiguration":
            return Check("staging expiry", WARN, f"cannot be told: {error}", remedy)
        rules = []
    if any("Expiration" in rule and rule["Status"] == "Enabled" for rule in rules):
        return Check("staging expiry", OK, f"{bucket} expires what lies in it")
    return Check("staging expiry", WARN, f"{bucket} keeps results of queries for ever", remedy)


def _glue(athena: AthenaSettings) -> Check:
    """Databases that are there, and that a table can be made and dropped in one of them."""
    glue = _client(athena, "glue")
    wanted = (athena.schema, f"{athena.schema}_raw", f"{athena.schema}_ml")
    pages = glue.get_paginator("get_databases").paginate()
    there = {entry["Name"] for page in pages for entry in page["DatabaseList"]}
    probe = f"{athena.schema}_doctor_{secrets.token_hex(4)}"
    glue.create_database(DatabaseInput={"Name": probe})
    try:
        glue.create_table(DatabaseName=probe, TableInput={"Name": "probe"})
        glue.delete_table(DatabaseName=probe, Name="probe")
    finally:
        glue.delete_database(Name=probe)
    missing = [name for name in wanted if name not in there]
    told = f"databases and tables can be made; {', '.join(wanted)}"
    if missing:
        return Check("glue", OK, f"{told}; not there yet, the first run makes them: {missing}")
    return Check("glue", OK, f"{told} are there")


def _runs(settings: Settings) -> Check:
    holder = open_ledger(settings).holder()
    held = "free" if holder is None else f"held by {holder}"
    return Check("runs table", OK, f"{settings.athena.runs_table}; the lease is {held}")


def _published(settings: Settings) -> Check:
    if (run_id := open_engine(settings).published_run()) is None:
        return Check("published", WARN, "nothing has been published yet", "spanishgas run")
    return Check("published", OK, f"run {run_id} in database {settings.athena.schema}")


def _query(settings: Settings) -> Check:
    """One query that reads nothing and costs nothing, through UNLOAD as a run reads."""
    with open_warehouse(settings) as warehouse:
        frame = warehouse.query("select 1 as one")
    if frame["one"].tolist() != [1]:
        return Check("query", FAIL, f"select 1 gave {frame.to_dict()}")
    return Check("query", OK, f"UNLOAD in work group {settings.athena.work_group} reads and writes")
