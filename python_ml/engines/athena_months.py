"""Months of bronze_customer_month that a run on Athena need not read again.

The run's database gets a second entry of the published Iceberg table. What the model deletes and
appends through it makes new metadata, which readers see once it is published.
"""

from __future__ import annotations

from collections.abc import Mapping

from python_ml.engines.athena import AthenaWarehouse
from python_ml.engines.athena_publication import Publication
from python_ml.settings import AthenaSettings


def begin_with_published(
    athena: AthenaSettings, run_id: str, table: str, versions: Mapping[str, str], *, force: bool
) -> list[str]:
    """Let a run begin with the unchanged months of the published table.

    Args:
        athena: the section of the settings.
        run_id: of the run, whose database is there.
        table: name of the table.
        versions: what each month (YYYY-MM) of the batch is to be made of.
        force: begin with none.

    Returns:
        The months that are left to read, in order.
    """
    publication = Publication(athena)
    publication.forget_table(run_id, table)
    published = AthenaWarehouse(athena)
    if force or not publication.is_iceberg(table):
        return sorted(versions)
    known = published.query(
        f"select distinct date_format(month_start, '%Y-%m') as month, month_version from {table}"
    )
    pairs = zip(known["month"], known["month_version"], strict=True)
    kept = sorted(month for month, version in pairs if versions.get(month) == version)
    if not kept:
        return sorted(versions)
    publication.continue_table(run_id, table)
    return sorted(set(versions) - set(kept))
