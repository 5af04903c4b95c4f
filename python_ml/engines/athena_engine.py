"""Athena as an engine: tables in Glue, files in a bucket, runs in a DynamoDB table.

A run builds in a database of its own; athena_publication.py says how it is published.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path

from python_ml.contracts.schema import load_source
from python_ml.engines import athena_batches, athena_costs, athena_months, cloud
from python_ml.engines.athena import AthenaWarehouse
from python_ml.engines.athena_forget import AthenaBelongings
from python_ml.engines.athena_publication import Publication, run_database_name
from python_ml.engines.base import Warehouse
from python_ml.engines.belongings import Belongings
from python_ml.engines.costs import CostReport
from python_ml.engines.dynamodb_ledger import DynamoLedger
from python_ml.engines.engine import Engine
from python_ml.engines.ledger import RunLedger
from python_ml.engines.s3_store import S3Store
from python_ml.engines.store import Store
from python_ml.errors import NotFoundError
from python_ml.progress import Reporter, silent
from python_ml.settings import Settings


class AthenaEngine(Engine):
    """One work group, one lake and the Glue databases of one schema."""

    lies_in_home = False
    bills_queries = True
    reads_landed_files = False

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._athena = settings.athena

    @cached_property
    def _publication(self) -> Publication:
        return Publication(self._athena)

    def warehouse(self, run_id: str | None = None) -> Warehouse:
        return AthenaWarehouse(self._athena, self.schema(run_id) if run_id else None)

    def store(self) -> Store:
        return S3Store(self._athena)

    def handover(self, run_id: str) -> Store:
        return S3Store(self._athena, f"{self._athena.staging}/runs/{run_id}")

    def ledger(self) -> RunLedger:
        return DynamoLedger(self._athena.runs_table, self._athena.schema, self._athena.region)

    def tables_place(self) -> str:
        return f"{self._athena.schema} in Athena"

    def lake_place(self) -> str:
        return self._athena.lake

    @property
    def model_package_group(self) -> str:
        return self._athena.model_package_group or ""

    def schema(self, run_id: str) -> str | None:
        return run_database_name(self._athena, run_id)

    def begin(self, run_id: str, *, of_published: bool) -> None:
        self._publication.begin(run_id, lambda _: of_published)

    def begin_with_months(
        self, run_id: str, table: str, versions: Mapping[str, str], *, force: bool
    ) -> list[str]:
        return athena_months.begin_with_published(
            self._athena, run_id, table, versions, force=force
        )

    def holds_published(self) -> bool:
        return True  # a query would tell, and the one that needs the tables does

    def published_run(self) -> str | None:
        return self._publication.published_run()

    def is_published(self, run_id: str) -> bool:
        return self.published_run() == run_id

    def publish(self, run_id: str) -> None:
        if self.is_published(run_id):
            self.settle()
        else:
            self._publication.publish(run_id)

    def settle(self) -> None:
        self._publication.settle()

    def discard(self, run_id: str) -> None:
        self._publication.discard(run_id)

    def clear(self, keep: Collection[str]) -> None:
        self._publication.clear(keep=keep)

    def dbt_schema(self, schema: str | None = None) -> str:
        return schema or self._athena.schema

    def dbt_environment(self, schema: str | None = None) -> dict[str, str]:
        athena = self._athena
        return {
            "DBT_SPANISHGAS_AWS_REGION": athena.region,
            "DBT_SPANISHGAS_ATHENA_WORK_GROUP": athena.work_group,
            "DBT_SPANISHGAS_ATHENA_SCHEMA": self.dbt_schema(schema),
            "DBT_SPANISHGAS_RAW_SCHEMA": f"{athena.schema}_raw",
            "DBT_SPANISHGAS_ML_SCHEMA": f"{athena.schema}_ml",
            "DBT_SPANISHGAS_ATHENA_STAGING": f"{athena.staging}/dbt/",
            "DBT_SPANISHGAS_ATHENA_DATA": f"{athena.data}/",
            "DBT_SPANISHGAS_ATHENA_POLL_SECONDS": str(athena.poll_seconds),
            "DBT_SPANISHGAS_LAKE": athena.lake,
            "DBT_SPANISHGAS_THREADS": str(athena.threads),
        }

    def knows_external_tables(self) -> bool:
        """Whether the catalog has every table of python_ml with the columns of sources.yml."""
        glue = cloud.client("glue", self._athena.region)
        pages = glue.get_paginator("get_tables").paginate(DatabaseName=f"{self._athena.schema}_ml")
        try:
            tables = [table for page in pages for table in page["TableList"]]
        except NotFoundError:
            return False
        known = {
            table["Name"]: [column["Name"] for column in table["StorageDescriptor"]["Columns"]]
            for table in tables
        }
        return all(
            known.get(name)
            == [column for column in schema.column_names if column != schema.partition]
            for name, schema in load_source("ml").items()
        )

    def deliver(self, batch: Path, progress: Reporter = silent) -> str | None:
        return athena_batches.publish_batch(self._athena, batch, progress)

    def deliver_rejected(self, batch_id: str) -> None:
        athena_batches.publish_rejected(self._athena, self._layout.rejected, batch_id)

    def belongings(self) -> Belongings:
        return AthenaBelongings(self._athena)

    def remove_other_batches(self, batch_id: str) -> None:
        athena_batches.remove_other_batches(self._athena, batch_id)

    def costs_since(self, since: datetime) -> CostReport:
        return athena_costs.costs_since(self._athena, since)

    def costs_of(self, statements: Collection[str]) -> CostReport:
        return athena_costs.costs_of(self._athena, statements)
