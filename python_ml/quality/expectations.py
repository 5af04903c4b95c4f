"""Great Expectations over the checks of a run: the verdicts, and Data Docs.

The warehouse has aggregated; what is left fits into one small frame a layer, which is the pandas
asset that the expectations are about. There is one expectation for each kind of check and severity,
so that a layer of four hundred checks is validated in a tenth of a second.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from python_ml.quality.checks import LOWER, UPPER
from python_ml.quality.rules import LAYERS, STOP

DESCRIPTIONS = {
    "row_count": "The table has rows",
    "minimum": "No value is below the column's minimum",
    "missing_columns": "Every declared column is there",
    "undeclared_columns": "Every column is declared",
    "wrong_types": "Columns have the declared types",
    "duplicate_keys": "No key is there twice",
    "duplicate_share": "Few rows repeat the key of another",
    "null_keys": "No part of a key is missing",
    "null_share": "The share of nulls is at most its limit; structural nulls have their own",
    "maximum": "No value is above the column's maximum",
    "volume_change": "About as many rows as in the run before",
    "age_days": "The newest date is near the as-of date",
    "clock_age_days": "The as-of date is near today",
    "set_aside_share": "Few rows had to be set aside",
}
_INDEX = ["check_number", "table_name", "column_name"]
_STYLES = Path(__file__).parent / "data_docs.css"


def decide(checks: pd.DataFrame, docs: Path | None = None) -> pd.DataFrame:
    """The checks with `is_passed`, as Great Expectations sees it.

    Args:
        checks: of one or several layers, one row each; columns are the fields of Check.
        docs: given, Data Docs are written to this folder: static pages that need no network.
    """
    if docs is None:
        return _decided(_context(None), checks)
    building = docs.with_name(f".{docs.name}-building")
    shutil.rmtree(building, ignore_errors=True)
    context = _context(building)
    decided = _decided(context, checks)
    context.build_data_docs("local")
    _make_self_contained(building, docs.name)
    shutil.rmtree(docs, ignore_errors=True)
    building.rename(docs)
    return decided


def _decided(context: Any, checks: pd.DataFrame) -> pd.DataFrame:
    failed = {
        entry["check_number"]
        for result in _validate(context, checks)
        for entry in result["result"].get("unexpected_index_list") or []
    }
    return checks.assign(is_passed=[number not in failed for number in range(len(checks))])


def _context(docs: Path | None) -> Any:
    # Importing the library takes seconds, and it would call home.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    for talkative in ("great_expectations", "great_expectations.data_context.types.base"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    context: Any = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    for site in list(context.list_data_docs_sites()):
        context.delete_data_docs_site(site)
    if docs is not None:
        store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs)}
        index = {"class_name": "DefaultSiteIndexBuilder"}
        context.add_data_docs_site(
            "local",
            {
                "class_name": "SiteBuilder",
                "show_how_to_buttons": False,
                "store_backend": store,
                "site_index_builder": index,
            },
        )
    return context


def _validate(context: Any, checks: pd.DataFrame) -> list[dict[str, Any]]:
    """Validate each layer as an asset of its own; the results of all expectations."""
    import great_expectations as gx

    source = context.data_sources.add_pandas("warehouse")
    numbered = checks.assign(check_number=range(len(checks)))
    results: list[dict[str, Any]] = []
    for layer in LAYERS:
        of_layer = numbered[numbered["layer"] == layer]
        if of_layer.empty:
            continue
        rows, expectations = _asset(of_layer)
        asset = source.add_dataframe_asset(layer)
        batch = asset.add_batch_definition_whole_dataframe("checks")
        suite = context.suites.add(gx.ExpectationSuite(layer, expectations=expectations))
        definition = context.validation_definitions.add(
            gx.ValidationDefinition(name=layer, data=batch, suite=suite)
        )
        checkpoint = gx.Checkpoint(
            name=layer,
            validation_definitions=[definition],
            result_format={
                "result_format": "COMPLETE",
                "unexpected_index_column_names": _INDEX,
            },
        )
        run = context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": rows})
        for validated in run.run_results.values():
            results += validated.to_json_dict()["results"]
    for result in results:
        if (result.get("exception_info") or {}).get("raised_exception"):
            raise RuntimeError(f"Great Expectations: {result['exception_info']}")
    return results


def _asset(checks: pd.DataFrame) -> tuple[pd.DataFrame, list[Any]]:
    """The frame of a layer, a row a check, and what is expected of it.

    Each kind of check and severity has two columns of its own, value and limit, and one
    expectation. (Row conditions on two columns for all would take five times as long.)
    """
    import great_expectations.expectations as gxe
    from great_expectations.expectations.metadata_types import FailureSeverity

    columns = [checks[_INDEX]]
    expectations = []
    for named, rows in checks.groupby(["check_name", "severity"]):
        kind, severity = (str(part) for part in named)
        if kind not in (*LOWER, *UPPER):
            raise ValueError(f"check {kind} has no direction")
        observed, limit = f"{kind} ({severity})", f"{kind} limit ({severity})"
        columns.append(rows[["observed_value", "limit_value"]].set_axis([observed, limit], axis=1))
        greater, less = (observed, limit) if kind in LOWER else (limit, observed)
        expectations.append(
            gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A=greater,
                column_B=less,
                or_equal=True,
                ignore_row_if="both_values_are_missing",
                description=f"{DESCRIPTIONS[kind]} ({severity})",
                severity=FailureSeverity("critical" if severity == STOP else "warning"),
            )
        )
    return pd.concat(columns, axis=1), expectations


def _make_self_contained(folder: Path, title: str) -> None:
    """Take out what pages would load from eight other hosts, and lay our styles in its place."""
    styles = f"<style>\n{_STYLES.read_text(encoding='utf-8')}</style>\n</head>"
    for page in folder.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        text = re.sub(r'<script[^>]*\bsrc="https?://[^>]*>\s*</script>', "", text)
        text = re.sub(r'<link[^>]*\bhref="https?://[^>]*>', "", text)
        text = re.sub(r'<img[^>]*\bsrc="https?://[^>]*>', "", text)
        page.write_text(text.replace("</head>", styles, 1), encoding="utf-8")
    # The library's first page is a table that one of those scripts would fill.
    found = {page.stem.rpartition("-")[2]: page for page in folder.glob("validations/**/*.html")}
    listing = "".join(
        f'<li><a href="{found[layer].relative_to(folder).as_posix()}">{layer}</a></li>'
        for layer in LAYERS
        if layer in found
    )
    (folder / "index.html").write_text(
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Quality gates</title>'
        f"{styles}<body><h1>Quality gates of run {title}</h1><ul>{listing}</ul></body></html>\n",
        encoding="utf-8",
    )
    for extra in ("images", "fonts"):
        shutil.rmtree(folder / "static" / extra, ignore_errors=True)
