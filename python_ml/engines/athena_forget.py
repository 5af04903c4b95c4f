"""What forgetting a person asks of an account, besides its buckets.

Iceberg keeps counts, sizes and bounds of its files beside them, and a deletion leaves the row in
the file that it was in: such a table is built again, by one query. Athena keeps the text of its
queries, so that the person is named there by a salted hash alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from boto3.dynamodb.conditions import Key

from python_ml.engines import cloud
from python_ml.engines.athena import AthenaWarehouse
from python_ml.engines.athena_publication import Publication, run_database_name
from python_ml.engines.belongings import Belongings, LogStream
from python_ml.engines.dynamodb_ledger import runs_key
from python_ml.engines.sql import identifier, literal
from python_ml.settings import AthenaSettings

# Groups of SageMaker's, which all jobs of an account share.
_JOB_GROUPS = ("/aws/sagemaker/ProcessingJobs", "/aws/sagemaker/TrainingJobs")


class AthenaBelongings(Belongings):
    """Iceberg tables, the table in DynamoDB, and log groups of CloudWatch."""

    def __init__(self, athena: AthenaSettings) -> None:
        self._athena = athena
        self._table = cloud.table(athena.runs_table, athena.region)
        self._logs = cloud.client("logs", athena.region)

    def rebuild_tables(self, run_id: str, salt: str, hashes: Collection[str]) -> list[str]:
        athena, publication = self._athena, Publication(self._athena)
        tables = publication.iceberg_tables()
        database = run_database_name(athena, run_id)
        warehouse = AthenaWarehouse(athena)
        folder = re.sub("[^a-z0-9]", "", run_id.lower())
        hashed = f"lower(to_hex(sha256(to_utf8({literal(f'{salt} ')} || customer_id))))"
        gone = ", ".join(literal(each) for each in sorted(hashes))
        for name in tables:
            publication.forget_table(run_id, name)
            place = f"{athena.data.rstrip('/')}/{database}/{name}/{folder}/"
            built, published = (
                ".".join(identifier(part) for part in ("awsdatacatalog", schema, name))
                for schema in (database, athena.schema)
            )
            warehouse.execute(
                f"create table {built} with (table_type = 'ICEBERG', is_external = false, "
                f"format = 'PARQUET', location = {literal(place)}) as select * from {published} "
                f"where {hashed} not in ({gone})"
            )
        return list(tables.values())

    def rebuilt_places(self) -> list[str]:
        return list(Publication(self._athena).iceberg_tables().values())

    def items(self) -> list[dict[str, Any]]:
        schema = self._athena.schema
        return [item for key in (schema, runs_key(schema)) for item in self._items(key)]

    def put_item(self, item: dict[str, Any]) -> None:
        self._table.put_item(Item=item)

    def delete_item(self, item: dict[str, Any]) -> None:
        self._table.delete_item(Key={name: item[name] for name in ("warehouse", "item")})

    def log_streams(self) -> Iterator[LogStream]:
        prefix = self._athena.log_groups
        if not prefix:
            return
        job = f"{prefix.strip('/')}-"
        for group in [*self._groups(prefix), *_JOB_GROUPS]:
            own = {"logStreamNamePrefix": job} if group in _JOB_GROUPS else {}
            if group not in _JOB_GROUPS or group in self._groups(group):
                pages = self._logs.get_paginator("describe_log_streams")
                for page in pages.paginate(logGroupName=group, **own):
                    for entry in page["logStreams"]:
                        yield LogStream(group, entry["logStreamName"])

    def log_text(self, stream: LogStream) -> str:
        lines: list[str] = []
        wanted = {"logGroupName": stream.group, "logStreamName": stream.name}
        page = self._logs.get_log_events(**wanted, startFromHead=True)
        while page["events"]:
            lines += [event["message"] for event in page["events"]]
            token = page["nextForwardToken"]
            page = self._logs.get_log_events(**wanted, startFromHead=True, nextToken=token)
            if page["nextForwardToken"] == token:
                break
        return "\n".join(lines)

    def delete_log(self, stream: LogStream) -> None:
        self._logs.delete_log_stream(logGroupName=stream.group, logStreamName=stream.name)

    def _items(self, key: str) -> Iterator[dict[str, Any]]:
        query: dict[str, Any] = {
            "KeyConditionExpression": Key("warehouse").eq(key),
            "ConsistentRead": True,
        }
        while True:
            page = self._table.query(**query)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _groups(self, prefix: str) -> list[str]:
        pages = self._logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        return [group["logGroupName"] for page in pages for group in page["logGroups"]]
