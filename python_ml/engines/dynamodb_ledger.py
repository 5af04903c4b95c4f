"""The manifest in one DynamoDB table, by conditional writes. docs/runs.md documents its items.

Time is the service's, read from the answers, never that of the machine that asks: a clock that is
turned neither frees nor prolongs a lease.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from boto3.dynamodb.conditions import Attr, Key

from python_ml.engines import cloud
from python_ml.engines.ledger import (
    CLAIMED,
    DONE,
    LEASE,
    BatchClaim,
    Lease,
    RunLedger,
    RunRecord,
    held_by,
    iso,
    lost,
)
from python_ml.errors import ConditionFailedError


def runs_key(warehouse: str) -> str:
    """Hash key of records of runs: whoever may write these need not be able to touch the lease."""
    return f"{warehouse}/runs"


class DynamoLedger(RunLedger):
    """Items of one warehouse in a table with the keys `warehouse` (hash) and `item` (range)."""

    def __init__(self, table: str, warehouse: str, region: str) -> None:
        self._warehouse = warehouse
        self._runs = runs_key(warehouse)
        self._table = cloud.table(table, region)

    def acquire(self, lease: Lease, seconds: float) -> Lease:
        holder, now = self._get(LEASE)
        held = replace(lease, since=iso(now), expires_at=iso(now + timedelta(seconds=seconds)))
        free = (
            Attr("item").not_exists()
            | Attr("expires_at").lt(iso(now))
            | Attr("token").eq(lease.token)
        )
        if not self._put({"item": LEASE, **asdict(held)}, free):
            holder, _ = self._get(LEASE)
            raise held_by(_lease(holder))
        return held

    def beat(self, lease: Lease, seconds: float) -> None:
        holder, now = self._get(LEASE)
        until = iso(now + timedelta(seconds=seconds))
        try:
            self._table.update_item(
                Key=self._key(LEASE),
                UpdateExpression="set expires_at = :until",
                ConditionExpression="#token = :token",
                ExpressionAttributeNames={"#token": "token"},  # a reserved word
                ExpressionAttributeValues={":until": until, ":token": lease.token},
            )
        except ConditionFailedError:
            raise lost(lease, _lease(holder)) from None

    def release(self, lease: Lease) -> None:
        try:
            self._table.delete_item(
                Key=self._key(LEASE),
                ConditionExpression=Attr("token").eq(lease.token),
            )
        except ConditionFailedError:
            return

    def holder(self) -> Lease | None:
        item, now = self._get(LEASE)
        lease = _lease(item)
        return lease if lease and lease.expires_at >= iso(now) else None

    def claim(self, claim: BatchClaim, seconds: float, *, force: bool = False) -> BatchClaim | None:
        name = _batch_item(claim)
        found, now = self._get(name)
        before = _claim(found) if found else None
        earlier = before.to_keep if before else None
        until = iso(now + timedelta(seconds=seconds))
        taken = replace(claim, state=CLAIMED, expires_at=until, earlier=earlier)
        free: Any = (
            Attr("item").not_exists()
            | Attr("run_id").eq(claim.run_id)
            | (Attr("state").eq(CLAIMED) & Attr("expires_at").lt(iso(now)))
            | (Attr("state").eq(DONE) & Attr("work_sha256").ne(claim.work_sha256))
        )
        if force:
            free |= Attr("state").eq(DONE)
        if before is not None:  # the claim that is kept must be the one that is replaced
            free &= Attr("run_id").eq(before.run_id) & Attr("state").eq(before.state)
        if self._put({"item": name, **asdict(taken)}, free):
            return None
        standing, _ = self._get(name)
        return _claim(standing) if standing else self.claim(claim, seconds, force=force)

    def finish(self, claim: BatchClaim, *, succeeded: bool) -> None:
        name, ours = _batch_item(claim), Attr("run_id").eq(claim.run_id)
        if succeeded:
            done = replace(claim, state=DONE, expires_at=None, earlier=None)
            self._put({"item": name, **asdict(done)}, Attr("item").not_exists() | ours)
            return
        found, _ = self._get(name)
        if found and (earlier := _claim(found).earlier) is not None:
            self._put({"item": name, **asdict(BatchClaim(**earlier))}, ours)
            return
        try:
            self._table.delete_item(Key=self._key(name), ConditionExpression=ours)
        except ConditionFailedError:
            return

    def save(self, record: RunRecord) -> None:
        # What a person looks for in the console stands beside the whole document.
        shown = ("run_id", "mode", "status", "started_at", "ended_at", "batch_sha256")
        item = {name: getattr(record, name) for name in shown}
        document = json.dumps(record.as_dict())
        self._table.put_item(Item={**self._run_key(record.run_id), **item, "document": document})

    def runs(self, limit: int | None = None) -> list[RunRecord]:
        condition = Key("warehouse").eq(self._runs) & Key("item").begins_with("run#")
        query: dict[str, Any] = {
            "KeyConditionExpression": condition,
            "ScanIndexForward": False,
            "ConsistentRead": True,
        }
        if limit is not None:
            query["Limit"] = limit
        found: list[RunRecord] = []
        while limit is None or len(found) < limit:
            page = self._table.query(**query)
            found += [RunRecord.from_dict(json.loads(item["document"])) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                break
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        return found[:limit]

    def forget_runs(self, run_ids: list[str]) -> None:
        for run_id in run_ids:
            self._table.delete_item(Key=self._run_key(run_id))

    def _run_key(self, run_id: str) -> dict[str, str]:
        return {"warehouse": self._runs, "item": f"run#{run_id}"}

    def _key(self, item: str) -> dict[str, str]:
        return {"warehouse": self._warehouse, "item": item}

    def _get(self, item: str) -> tuple[dict[str, Any] | None, datetime]:
        """An item, or None, and the service's time."""
        answer = self._table.get_item(Key=self._key(item), ConsistentRead=True)
        sent = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        return answer.get("Item"), parsedate_to_datetime(sent) if sent else datetime.now(UTC)

    def _put(self, item: dict[str, Any], condition: Any = None) -> bool:
        """Whether the condition held and the item was written."""
        wanted = {} if condition is None else {"ConditionExpression": condition}
        try:
            self._table.put_item(Item={"warehouse": self._warehouse, **item}, **wanted)
        except ConditionFailedError:
            return False
        return True


def _batch_item(claim: BatchClaim) -> str:
    return f"batch#{claim.batch_sha256}#{claim.mode}"


def _lease(item: dict[str, Any] | None) -> Lease | None:
    if item is None:
        return None
    values = {name: item[name] for name in Lease.__dataclass_fields__}
    return Lease(**{**values, "pid": int(values["pid"])})


def _claim(item: dict[str, Any]) -> BatchClaim:
    return BatchClaim(
        **{name: item[name] for name in BatchClaim.__dataclass_fields__ if name in item}
    )
