"""A person is removed from the account of a rehearsed deployment, with every version of everything.

What is left is searched here without the code that removes it.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from python_ml.engines import open_ledger, open_warehouse
from python_ml.engines.ledger import RunRecord
from tests.athena.deployment import DATA, PLACES, PREFIX, RESULTS, Deployment
from tests.athena.project import command

FAILED = "20200101T000000-aaaaaa"
LOG = {"logGroupName": f"{PLACES['log_groups']}ecs/dbt", "logStreamName": "one"}


def objects(deployment: Deployment) -> Iterator[tuple[str, bytes]]:
    """Name and content of every version of every object."""
    s3 = deployment.athena.client("s3")
    for bucket in (DATA, RESULTS):
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
        for entry in (entry for page in pages for entry in page.get("Versions", [])):
            given = {"Key": entry["Key"], "VersionId": entry["VersionId"]}
            content = s3.get_object(Bucket=bucket, **given)["Body"].read()
            yield f"{entry['Key']} {entry['VersionId']}", content


def plain(content: bytes) -> str:
    """What an object holds, as text: of Parquet its values, of Avro its blocks."""
    text = content.decode("utf-8", errors="replace")
    if content[:4] == b"PAR1":
        for column in pq.read_table(io.BytesIO(content)).columns:
            if not pa.types.is_primitive(column.type):  # numbers and times hold no id
                is_nested = pa.types.is_nested(column.type)
                text += str((column if is_nested else column.unique()).to_pylist())
    if content[:4] == b"Obj\x01":
        text += "".join(block.decode("latin-1") for block in avro_blocks(content))
    return text


def avro_blocks(content: bytes) -> Iterator[bytes]:
    """The blocks of an Avro file (https://avro.apache.org/docs/1.11.1/specification/)."""
    stream = io.BytesIO(content[4:])
    codec = b"null"
    while count := _number(stream):  # the header is a map
        if count < 0:
            _number(stream)
        for _ in range(abs(count)):
            name, value = stream.read(_number(stream)), stream.read(_number(stream))
            codec = value if name == b"avro.codec" else codec
    marker = stream.read(16)
    while stream.tell() < len(content) - 4:
        _number(stream)
        block = stream.read(_number(stream))
        assert codec in (b"null", b"deflate"), codec
        yield zlib.decompress(block, -15) if codec == b"deflate" else block
        assert stream.read(16) == marker


def _number(stream: io.BytesIO) -> int:
    value = shift = 0
    while True:
        byte = stream.read(1)[0]
        value |= (byte & 127) << shift
        if byte < 128:
            return (value >> 1) ^ -(value & 1)
        shift += 7


def mentions(deployment: Deployment, customer_id: str) -> list[str]:
    """Where an id is: objects, items, catalog and logs."""
    found = [
        name
        for name, content in objects(deployment)
        if customer_id in name or customer_id in plain(content)
    ]
    client = deployment.athena.client
    items = client("dynamodb").scan(TableName=PLACES["runs_table"])["Items"]
    found += [item["item"]["S"] for item in items if customer_id in json.dumps(item)]
    schema = PLACES["schema"]
    for database in (schema, f"{schema}_raw", f"{schema}_ml"):
        tables = client("glue").get_tables(DatabaseName=database)["TableList"]
        found += [it["Name"] for it in tables if customer_id in json.dumps(it, default=str)]
    for group in client("logs").describe_log_groups()["logGroups"]:
        events = client("logs").filter_log_events(logGroupName=group["logGroupName"])["events"]
        found += [group["logGroupName"] for event in events if customer_id in event["message"]]
    return found


def queries(deployment: Deployment) -> str:
    """Everything that Athena remembers of what it was asked."""
    client = deployment.athena.client("athena")
    pages = client.get_paginator("list_query_executions")
    listed = [page["QueryExecutionIds"] for page in pages.paginate(WorkGroup=PLACES["work_group"])]
    ids = [query for page in listed for query in page]
    chunks = [ids[first : first + 50] for first in range(0, len(ids), 50)]
    asked = [client.batch_get_query_execution(QueryExecutionIds=chunk) for chunk in chunks]
    return json.dumps(asked, default=str)


def tables_without(deployment: Deployment, customer_id: str) -> dict[str, pd.DataFrame]:
    """The published tables of customers, sorted, without a person's rows."""
    with open_warehouse(deployment.settings) as warehouse:
        tables = {name: warehouse.read_table(name) for name in warehouse.table_names()}
    return {
        name: frame[frame["customer_id"] != customer_id]
        .sort_values(list(frame.columns))
        .reset_index(drop=True)
        for name, frame in tables.items()
        if "customer_id" in frame and not frame.empty
    }


def forget(deployment: Deployment, *arguments: str, exit_code: int = 0) -> str:
    """The command as an administrator calls it, in the person's own name."""
    home = deployment.work / "administrator"
    return command(home, "forget", *arguments, exit_code=exit_code, variables=deployment.variables)


def someone(deployment: Deployment) -> str:
    """Who comes first in a table of Iceberg's, so that its manifests name the person."""
    with open_warehouse(deployment.settings) as warehouse:
        found = warehouse.query("select min(customer_id) as customer_id from bronze_customer_month")
    return str(found["customer_id"].iloc[0])


def leave_more(deployment: Deployment, customer_id: str) -> None:
    """What only a mistake leaves: an error message that quotes the id."""
    message = f"customer {customer_id} has two contracts"
    failed = RunRecord(FAILED, "train", "athena", "failed", error_message=message)
    open_ledger(deployment.settings).save(failed)
    logs = deployment.athena.client("logs")
    logs.create_log_group(logGroupName=LOG["logGroupName"])
    logs.create_log_stream(**LOG)
    event = {"timestamp": int(datetime.now(UTC).timestamp() * 1000), "message": message}
    logs.put_log_events(**LOG, logEvents=[event])


def test_nothing_of_ours_holds_the_person_afterwards(
    deployment: Deployment, execution: Mapping[str, Any]
) -> None:
    gone = someone(deployment)
    leave_more(deployment, gone)
    others = tables_without(deployment, gone)  # versions of its answers are searched as well
    places, asked = mentions(deployment, gone), queries(deployment).count(gone)
    tops = {place.split("/")[0] for place in places}
    assert {"raw", "batches", "warehouse", "ml", f"run#{FAILED}"} <= tops
    assert any(".avro " in place for place in places)
    assert any("/data/" in place for place in places)
    forget(deployment, gone, "--dry-run", "--json")
    assert mentions(deployment, gone) == places
    forget(deployment, gone, "--yes")
    assert mentions(deployment, gone) == []
    assert queries(deployment).count(gone) == asked, "Athena keeps the text of a query for 45 days"
    after = tables_without(deployment, "")
    assert set(after) == set(others)
    for name, frame in after.items():
        if not name.startswith("mart_"):
            pd.testing.assert_frame_equal(frame, others[name], obj=name)
    # Marts are built again: the lists are those of before without the person, totals count anew.
    listed = ["run_id", "customer_id", "churn_probability", "expected_monthly_loss_eur"]
    now, then = (tables["mart_customer_risk"][listed] for tables in (after, others))
    pd.testing.assert_frame_equal(now, then)
    with open_warehouse(deployment.settings) as warehouse:
        overview = warehouse.read_table("mart_overview")
    assert overview["customer_count"].tolist() == [len(now)]
    (record,) = [r for r in open_ledger(deployment.settings).runs() if r.run_id == FAILED]
    assert record.error_message == "customer (forgotten) has two contracts"
    # S3 tells the trigger of every object that was edited.
    (event,) = deployment.events_of([f"{PREFIX}_SUCCESS"])
    assert deployment.trigger(event) == ["known"]


def test_a_person_of_whom_nothing_is_known_is_refused(
    deployment: Deployment, execution: Mapping[str, Any]
) -> None:
    assert "nothing was changed" in forget(deployment, "C99999", "--yes", exit_code=2)
