"""Uploads in the table of runs: each content is claimed once, by a conditional write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from boto3.dynamodb.conditions import Attr

from python_ml.engines import cloud
from python_ml.engines.ledger import LEASE, iso
from python_ml.errors import ConditionFailedError, SpanishGasError

STARTING, STARTED, FAILED, SUCCEEDED = "starting", "started", "failed", "succeeded"
CLAIM_SECONDS = 60  # to call StartExecution; who takes longer has died


@dataclass(frozen=True)
class Claim:
    """An upload, known by its content, and the run that it gets."""

    sha256: str
    run_id: str
    source: str
    mode: str
    uploaded_at: datetime


class UploadTable:
    """Items `upload#<sha256>` of the table that holds the runs of a warehouse (docs/runs.md)."""

    def __init__(self, name: str, warehouse: str, region: str | None = None) -> None:
        self._table = cloud.table(name, region)
        self._warehouse = warehouse

    def claim(self, claim: Claim, now: datetime | None = None) -> Claim | None:
        """Claim a content to start its run; None when somebody has it.

        A content can be claimed when nobody has, when who claimed it died before it had started
        the run, and when its run has failed and it was uploaded anew since.

        Returns:
            The batch with the run id to start: a claim taken over keeps the first one's, so that
            a run which did start is found and not started twice.
        """
        now = now or datetime.now(UTC)
        key = self._key(claim.sha256)
        values = {
            "state": STARTING,
            "run_id": claim.run_id,
            "source": claim.source,
            "mode": claim.mode,
            "claim_expires_at": _iso(now + timedelta(seconds=CLAIM_SECONDS)),
        }
        is_new = Attr("item").not_exists()
        has_failed = Attr("state").eq(FAILED) & Attr("ended_at").lt(_iso(claim.uploaded_at))
        if self._write(key, values, is_new | has_failed) is not None:
            return claim
        del values["run_id"]
        died = Attr("state").eq(STARTING) & Attr("claim_expires_at").lt(_iso(now))
        taken_over = self._write(key, values, died)
        return None if taken_over is None else replace(claim, run_id=taken_over["run_id"])

    def mark_started(self, claim: Claim, execution: str) -> None:
        """The run has been started; the claim no longer expires."""
        values = {"state": STARTED, "execution_arn": execution}
        self._write(self._key(claim.sha256), values, Attr("run_id").eq(claim.run_id))

    def mark_ended(self, sha256: str, run_id: str, state: str, ended_at: datetime) -> None:
        """The run has ended, one way or the other."""
        if state not in (FAILED, SUCCEEDED):
            raise SpanishGasError(f"state {state!r} is no end of a run")
        values = {"state": state, "ended_at": _iso(ended_at)}
        self._write(self._key(sha256), values, Attr("run_id").eq(run_id))

    def read(self, sha256: str) -> dict[str, Any] | None:
        """The item of a content, or None."""
        return self._item(f"upload#{sha256}")

    def hold(self, prefix: str, run_id: str) -> None:
        """A run edits the objects of an upload: as long as it has the lease, none is started."""
        item = {"warehouse": self._warehouse, "item": f"edited#{prefix}", "run_id": run_id}
        self._table.put_item(Item=item)

    def is_held(self, prefix: str, now: datetime | None = None) -> bool:
        """Whether the run that edits an upload still has the lease."""
        note = self._item(f"edited#{prefix}")
        if note is None:
            return False
        lease = self._item(LEASE) or {}
        until = str(lease.get("expires_at", ""))
        return lease.get("run_id") == note["run_id"] and until >= iso(now or datetime.now(UTC))

    def let_go(self, prefix: str) -> None:
        """The upload is as it is to stay."""
        self._table.delete_item(Key={"warehouse": self._warehouse, "item": f"edited#{prefix}"})

    def carry_over(self, before: str, after: str, now: datetime | None = None) -> None:
        """What has become of a content holds for what it was edited to; no run starts for it."""
        item = self.read(before)
        if item is None:
            return
        state = SUCCEEDED if item["state"] == SUCCEEDED else FAILED
        ended_at = _iso(now or datetime.now(UTC))
        self._table.put_item(
            Item={**item, **self._key(after), "state": state, "ended_at": ended_at}
        )

    def _item(self, name: str) -> dict[str, Any] | None:
        key = {"warehouse": self._warehouse, "item": name}
        document: dict[str, Any] | None = self._table.get_item(Key=key, ConsistentRead=True).get(
            "Item"
        )
        return document

    def _key(self, sha256: str) -> dict[str, str]:
        return {"warehouse": self._warehouse, "item": f"upload#{sha256}"}

    def _write(self, key: dict[str, str], values: dict[str, str], condition: Any) -> Any:
        """Set attributes if the condition holds; the item after, or None."""
        names = {f"#{name}": name for name in values}
        try:
            answer = self._table.update_item(
                Key=key,
                UpdateExpression="set " + ", ".join(f"#{name} = :{name}" for name in values),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
                ConditionExpression=condition,
                ReturnValues="ALL_NEW",
            )
        except ConditionFailedError:
            return None
        return answer["Attributes"]


def _iso(moment: datetime) -> str:
    """Comparable as text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
