"""The gate after a layer: profile, check, decide, write down, and stop the run where it must."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from python_ml.contracts.schema import TableSchema, load_source
from python_ml.engines import Warehouse
from python_ml.errors import QualityGateError
from python_ml.quality.checks import (
    Subject,
    checks_frame,
    landing_notes,
    layer_checks,
    skipped_checks,
)
from python_ml.quality.margins import CHECK as UNKNOWN_MARGIN
from python_ml.quality.margins import unknown_margins
from python_ml.quality.process import QualityProcess
from python_ml.quality.profile import (
    Built,
    Declared,
    declared_models,
    profile_landed,
    profile_tables,
)
from python_ml.quality.rules import LAYERS, STOP, LayerRules, TableRules, load_rules
from python_ml.settings import Settings

if TYPE_CHECKING:
    from python_ml.land.result import LandResult

TABLE = "quality_check"


@dataclass
class QualityResult:
    """What the gates of a run have said so far; a warning is a sentence."""

    document_name: ClassVar[str] = "quality"

    check_count: int = 0
    warnings: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)  # tables and columns that cannot be checked
    data_docs: Path | None = None

    @property
    def row_count(self) -> int | None:
        """Checks, which are the rows of `quality_check`."""
        return self.check_count

    def as_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "data_docs": None if self.data_docs is None else str(self.data_docs),
        }


def check_layer(
    warehouse: Warehouse,
    settings: Settings,
    layer: str,
    run_id: str,
    as_of_date: date,
    *,
    batch: Path | None = None,
    landed: LandResult | None = None,
    manifest: Mapping[str, Any] | None = None,
    examiner: QualityProcess,
) -> QualityResult:
    """Hold one layer against its limits, and add the results to the run's `quality_check`.

    Data Docs are written after the last layer, or when the run is stopped.

    Args:
        layer: raw, bronze, silver or gold.
        batch: folder of the landed batch, for raw.
        landed: what landing counted in it.
        manifest: dbt's, with the columns and keys of the models, for the other layers.
        examiner: decides; it may still be writing Data Docs of the last layer on return.

    Raises:
        QualityGateError: a check of severity stop failed.
    """
    rules = load_rules(settings, layer)
    subjects = (
        _landed_subjects(batch, rules, landed)
        if batch is not None
        else _model_subjects(warehouse, rules, manifest or {"nodes": {}}, as_of_date)
    )
    absent = landed.absent if landed else []
    today = datetime.now(UTC).date() if settings.quality.check_clock and layer == "raw" else None
    checks = layer_checks(
        subjects, rules, as_of_date, previous_volumes(warehouse, layer, run_id), today, absent
    )
    checks = landing_notes(layer, landed.warnings if landed and layer == "raw" else ()) + checks
    checks += unknown_margins(warehouse, subjects, as_of_date, absent)
    accepted = [check.name in settings.quality.accepted for check in checks]
    found = checks_frame(checks).assign(is_accepted=accepted, as_of_date=as_of_date)
    before = warehouse.read_external(TABLE, run_id).drop(columns="run_id")
    docs = settings.layout.reports / "data_docs" / run_id if settings.quality.data_docs else None
    decided = examiner.decide(found)
    rows = _joined(before[before["layer"] != layer], decided)
    stopped = decided[_stopping(decided)]
    data_docs = None
    if docs and (layer == LAYERS[-1] or len(stopped)):
        examiner.write_docs(rows, docs)
        data_docs = docs / "index.html"
    warehouse.write_external(TABLE, rows, run_id)
    if len(stopped):
        examiner.settle()
        raise QualityGateError(_refusal(layer, stopped, data_docs))
    skipped = skipped_checks(_declared(settings, manifest or {"nodes": {}}), absent)
    return QualityResult(len(rows), _sentences(rows[~rows["is_passed"]]), skipped, data_docs)


def previous_volumes(warehouse: Warehouse, layer: str, run_id: str) -> dict[str, float]:
    """Rows by table of the newest earlier run in which the layer kept all limits that stop."""
    for run in reversed(warehouse.external_runs(TABLE)):
        if run >= run_id:
            continue
        rows = warehouse.read_external(TABLE, run)
        rows = rows[rows["layer"] == layer]
        if len(rows) and not _stopping(rows).any():
            counts = rows[rows["check_name"] == "row_count"]
            return dict(zip(counts["table_name"], counts["observed_value"], strict=True))
    return {}


def _landed_subjects(batch: Path, rules: LayerRules, landed: LandResult | None) -> list[Subject]:
    schemas = load_source("raw")
    subjects = []
    for name, schema in schemas.items():
        if schema.meta.get("supplementary") and not (batch / name).is_dir():
            continue
        table = rules.tables.get(name, TableRules())
        counts = landed.tables.get(name) if landed else None
        types: dict[str, str | None] = {c.name: c.data_type for c in schema.columns}
        profile = profile_landed(batch / name, schema, table, counts)
        declared = Declared(types, schema.key, _of_raw(schema))
        subjects.append(Subject(name, declared, table, profile, schema))
    return subjects


def _of_raw(schema: TableSchema) -> dict[str, tuple[str, ...]]:
    """What a raw table and its columns rest on: themselves."""
    name = schema.name
    return {"": (name,), **{column: (f"{name}.{column}",) for column in schema.column_names}}


def _declared(settings: Settings, manifest: Mapping[str, Any]) -> dict[str, Declared]:
    """All tables that the rules are about, by name and layer."""
    models = declared_models(manifest)
    models |= {
        name: Declared(dict.fromkeys(schema.column_names), schema.key, _of_raw(schema))
        for name, schema in load_source("raw").items()
    }
    return {
        f"{layer}.{name}": models[name]
        for layer in LAYERS
        for name in load_rules(settings, layer).tables
        if name in models
    }


def _model_subjects(
    warehouse: Warehouse, rules: LayerRules, manifest: Mapping[str, Any], as_of_date: date
) -> list[Subject]:
    models, types = declared_models(manifest), warehouse.column_types()
    tables = [
        Built(name, types.get(name, {}), models.get(name, Declared({})), table)
        for name, table in rules.tables.items()
    ]
    return [
        Subject(table.name, table.declared, table.rules, profile)
        for table, profile in zip(
            tables, profile_tables(warehouse, tables, as_of_date), strict=True
        )
    ]


def _joined(earlier: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    if earlier.empty:
        return found
    return pd.concat([earlier[list(found.columns)], found], ignore_index=True)


def _refusal(layer: str, stopped: pd.DataFrame, data_docs: Path | None) -> str:
    """Why the run ends here, and what to do."""
    listing = "\n".join(f"  {sentence}" for sentence in _sentences(stopped))
    where = f"; Data Docs: {data_docs}" if data_docs else ""
    return (
        f"the {layer} layer breaks {len(stopped)} of its limits, nothing was published:"
        f"\n{listing}\nFix the source, or name the check in quality.accepted if it is right as"
        f" it is{where}"
    )


def _stopping(rows: pd.DataFrame) -> pd.Series:
    """Which rows end the run."""
    return (rows["severity"] == STOP) & ~rows["is_passed"] & ~rows["is_accepted"]


def _sentences(failed: pd.DataFrame) -> list[str]:
    """A failed check in words: where, what, how much, and the name to accept it by."""
    shown = []
    for row in failed.to_dict("records"):
        place = ".".join(
            part for part in (row["layer"], row["table_name"], row["column_name"]) if part
        )
        detail = f" ({row['detail']})" if row["detail"] else ""
        if row["check_name"] == "landing_note":
            shown.append(f"{row['table_name']}: {row['detail']}")
            continue
        if row["check_name"] == UNKNOWN_MARGIN:
            shown.append(
                f"the margin of {row['failed_count']:,} of {row['row_count']:,} customers is not "
                f"known ({row['detail']}): neither is their expected loss, and they get no offer"
            )
            continue
        rows = f", {row['failed_count']:,} of {row['row_count']:,} rows" if row["row_count"] else ""
        shown.append(
            f"{place}.{row['check_name']}: {row['observed_value']:,.4g}, limit "
            f"{row['limit_value']:,.4g}{rows}{detail}"
        )
    return shown
