"""`spanishgas forget C01234 --target athena`: survey, removal and proof in an account.

Ours are the places of lake, tables and query results with every version of every object, the
published tables, the items of the table of runs, and the streams of our log groups. Iceberg tables
are built again without the person; every other object is edited; a log stream that names the
person is deleted whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from python_ml.aws.trigger import Upload, batch_of, read_upload
from python_ml.aws.uploads import UploadTable
from python_ml.documents import json_text
from python_ml.engines.belongings import LogStream
from python_ml.engines.ledger import user_name
from python_ml.engines.location import bucket_and_prefix
from python_ml.errors import SpanishGasError, UsageError
from python_ml.land.mapping import id_columns
from python_ml.pipeline.forget_result import (
    ForgetResult,
    Survey,
    left_over,
    note_change,
    require_customer_id,
)
from python_ml.pipeline.workspace import Run, workspace
from python_ml.privacy.buckets import Buckets
from python_ml.privacy.person import Pending, traces_in
from python_ml.privacy.search import Find, Searched
from python_ml.privacy.tombstones import Tombstones, read_tombstones
from python_ml.privacy.traces import Traces

_PASSES = 3  # what the first one wrote, such as a record of this run, the next one sees
_MANIFEST = ".avro"  # Iceberg's: compressed, with the bounds of each column


@dataclass(frozen=True)
class OutOfReach:
    """A place that the command cannot search; what may be there goes by itself, or by hand."""

    where: str
    what: str
    kept_for: str


# docs/runbook.md shows them; a test compares the times with what Terraform configures.
OUT_OF_REACH = (
    OutOfReach("history of executions", "an error message that quotes an ID", "90 days"),
    OutOfReach("failure reasons of SageMaker jobs", "the same", "until AWS removes the job"),
    OutOfReach(
        "artifacts of training jobs, `training/` of the results bucket",
        "the same",
        "until you delete them",
    ),
    OutOfReach("history of Athena queries", "an ID that a person looked up", "45 days"),
    OutOfReach(
        "DynamoDB's backup to a point in time",
        "error messages, before they were redacted",
        "35 days",
    ),
    OutOfReach("queue of failed events", "names of uploaded files", "14 days"),
    OutOfReach("mails of the topic", "error messages", "as your mailboxes keep them"),
    OutOfReach(
        "Metabase's database",
        "names of saved questions, values of filters, cached results",
        "until the cache expires or you delete them",
    ),
    OutOfReach(
        "backups of Metabase's database",
        "the same",
        "14 days; the final snapshot until you delete it",
    ),
    OutOfReach(
        "access logs of buckets and load balancer",
        "keys and addresses, which hold no customer",
        "365 days",
    ),
)


class Account:
    """A person in everything of ours in an account."""

    def __init__(self, run: Run) -> None:
        run.mode = "forget"
        athena = run.settings.athena
        self.run, self._athena = run, athena
        self._buckets = Buckets([athena.lake, athena.data, athena.staging], athena.region)
        self._own = run.engine.belongings()
        self._uploads = UploadTable(athena.runs_table, athena.schema, athena.region)

    def survey(self, customer_id: str) -> Survey:
        """Search it for a person; writes nothing.

        Raises:
            UsageError: no customer id, or one that nothing of ours mentions.
            SpanishGasError: the list of the forgotten cannot be read.
        """
        require_customer_id(self.run.settings, customer_id)
        home = self.run.settings.layout.home
        stones = read_tombstones(self.run.engine.store())
        own: set[str] = set()
        others: set[str] = set()
        for customer, text in self._buckets.said():
            (own if customer == customer_id else others).add(text)
        traces = traces_in(customer_id, own, others, id_columns(self.run.settings))
        if left := Pending(home, stones, customer_id).read():
            traces = traces.joined(left)
        searched = self._search(traces)
        if not searched.found and left is None and not stones.among([customer_id]):
            raise UsageError(f"nothing {self._where} mentions {customer_id}; nothing was changed")
        return Survey(customer_id, traces, searched.places, searched.file_count, self._where)

    def forget(self, survey: Survey) -> ForgetResult:
        """Remove a person from it, and search it all again.

        The tombstone, which every landing reads, and what is to be searched for are written first.

        Raises:
            SpanishGasError: something of the person is still found; the message says where.
        """
        run, traces = self.run, survey.traces
        run.settings.layout.home.mkdir(parents=True, exist_ok=True)
        with (
            workspace(run, of_published=run.engine.published_run() is not None),
            run.step("forget") as (step, report),
        ):
            stones = read_tombstones(run.engine.store())
            now = datetime.now(UTC).isoformat(timespec="seconds")
            stones.add(survey.customer_id, now, user_name())
            pending = Pending(run.settings.layout.home, stones, survey.customer_id)
            pending.write(traces)
            report("Iceberg tables", None)
            self._rebuild(traces, stones)
            with self._held_uploads(traces):
                for _ in range(_PASSES):
                    report("objects, records and logs", None)
                    self._buckets.remove(traces, lambda path: note_change(path, stones))
                    self._redact_items(traces)
                    for stream in self._streams(traces):
                        self._own.delete_log(stream)
                    left = self._search(traces)
                    if left.is_clean:
                        break
            step.rows = sum(place.count for place in survey.places)
            if not left.is_clean:
                raise SpanishGasError(left_over(left, traces, self._where))
            pending.clear()
        return ForgetResult(survey.places, left.file_count, traces.short_text_count)

    @property
    def _where(self) -> str:
        logs = f" and the logs {groups}" if (groups := self._athena.log_groups) else ""
        places = sorted({self._athena.lake, self._athena.data, self._athena.staging})
        return f"in {', '.join(places)}, table {self._athena.runs_table}{logs}"

    def _search(self, traces: Traces) -> Searched:
        searched = self._buckets.search(traces)
        for item in self._own.items():
            if count := traces.count(_text(item).encode()):
                place = f"table {self._athena.runs_table}, item {item['item']}"
                searched.found.append(Find(place, "its attributes", count))
        searched.found += [Find(str(stream), "events") for stream in self._streams(traces)]
        return searched

    def _streams(self, traces: Traces) -> list[LogStream]:
        own = self._own
        return [each for each in own.log_streams() if traces.count(own.log_text(each).encode())]

    def _rebuild(self, traces: Traces, stones: Tombstones) -> None:
        """Publish Iceberg tables without the person; manifests of earlier ones go."""
        run = self.run
        hashes = [stones.hash_of(each) for each in traces.customer_ids]
        if old := self._own.rebuild_tables(run.run_id, stones.salt, hashes):
            run.publish()
            run.has_published = False  # the proof decides how this run ends
        for location in old:
            self._buckets.delete_all(location)
        kept = [bucket_and_prefix(place) for place in self._own.rebuilt_places()]
        for version in self._buckets.versions():
            is_kept = any(
                version.bucket == bucket and version.key.startswith(prefix)
                for bucket, prefix in kept
            )
            if version.key.endswith(_MANIFEST) and not is_kept:
                self._buckets.delete(version)

    def _redact_items(self, traces: Traces) -> None:
        for item in self._own.items():
            if traces.count(_text(item).encode()):
                if traces.count(str(item["item"]).encode()):
                    self._own.delete_item(item)
                else:
                    self._own.put_item(
                        {name: _redacted(value, traces) for name, value in item.items()}
                    )

    @contextmanager
    def _held_uploads(self, traces: Traces) -> Iterator[None]:
        """No run starts because the objects of an upload are edited.

        What has become of an upload holds for the edited one, unless somebody has uploaded to the
        same prefix meanwhile; such an upload must be announced again.
        """
        before = self._edited_uploads(traces)
        for upload in before:
            self._uploads.hold(upload.prefix, self.run.run_id)
        yield
        for upload in before:
            after = read_upload(upload.bucket, upload.prefix, upload.mode)
            if self._is_ours(upload, after):
                self._uploads.carry_over(upload.sha256, after.sha256)
            else:
                self.run.warn(
                    f"s3://{upload.bucket}/{upload.prefix} was uploaded to while it was edited; "
                    "upload _SUCCESS to it again, so that its run starts"
                )
            self._uploads.let_go(upload.prefix)

    def _edited_uploads(self, traces: Traces) -> list[Upload]:
        bucket, start = bucket_and_prefix(self._athena.lake)
        if start:  # the trigger listens to a whole bucket
            return []
        names = self._buckets.places_of(traces)
        batches = {batch_of(version.key) for version in names if version.bucket == bucket}
        return [read_upload(bucket, batch[0], "") for batch in sorted(filter(None, batches))]

    def _is_ours(self, before: Upload, after: Upload) -> bool:
        """Whether an upload differs by what was edited alone."""
        known = {(entry.path, entry.version) for entry in before.content}
        return all(
            (entry.path, entry.version) in known
            or self._buckets.written.get((after.bucket, f"{after.prefix}{entry.path}"))
            == entry.version
            for entry in after.content
        )


def _text(item: dict[str, Any]) -> str:
    return json_text({name: str(value) for name, value in item.items()})


def _redacted(value: object, traces: Traces) -> Any:
    """A value without the person, also within what is a JSON document."""
    if isinstance(value, str):
        try:
            document = json.loads(value)
        except ValueError:
            return traces.redact(value)
        if isinstance(document, dict | list):
            return json.dumps(_redacted(document, traces))
        return traces.redact(value)
    if isinstance(value, dict):
        return {name: _redacted(each, traces) for name, each in value.items()}
    return [_redacted(each, traces) for each in value] if isinstance(value, list) else value
