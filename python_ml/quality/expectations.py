"""Great Expectations over the checks of a run: the verdicts, and Data Docs.

The warehouse has aggregated; what is left fits into one small frame a layer, which is the pandas
asset that the expectations are about. There is one expectation for each kind of check and severity,
so that a layer of four hundred checks is validated in a tenth of a second.

Importing the library takes seconds: only the process of its own (python_ml/quality/process.py)
imports this module.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # it would call home
import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.expectations.metadata_types import FailureSeverity

from python_ml.embedding import in_html
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
    "landing_note": "Landing had nothing to tell about the files",
    "unknown_margin": "The margin of every customer is known",
}
_INDEX = ["check_number", "table_name", "column_name"]
_STYLES = Path(__file__).parent / "data_docs.css"
_SCRIPT = Path(__file__).parent / "data_docs.js"


class Expectations:
    """Great Expectations over the layers of one run; a layer that comes again begins another."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._context = _context()
        self._source = self._context.data_sources.add_pandas("warehouse")
        self._validated: set[str] = set()

    def decide(self, checks: pd.DataFrame) -> pd.DataFrame:
        """The checks with `is_passed`.

        Args:
            checks: of one layer, one row each; columns are the fields of Check.
        """
        (layer,) = checks["layer"].unique()
        if layer in self._validated:
            self._begin()
        failed = {
            entry["check_number"]
            for result in self._validate(layer, checks)
            for entry in result["result"].get("unexpected_index_list") or []
        }
        return checks.assign(is_passed=[number not in failed for number in range(len(checks))])

    def write_docs(self, checks: pd.DataFrame, folder: Path) -> None:
        """Data Docs in a folder, which is replaced: static pages that need no network.

        Args:
            checks: of all layers to show.
        """
        for layer in LAYERS:
            of_layer = checks[checks["layer"] == layer]
            if layer not in self._validated and len(of_layer):  # by the process before this one
                self._validate(layer, of_layer)
        building = folder.with_name(f".{folder.name}-building")
        shutil.rmtree(building, ignore_errors=True)
        site = {
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                # The library puts variables of the environment in the place of `$NAME`.
                "base_directory": str(building).replace("$", r"\$"),
            },
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        }
        self._context.add_data_docs_site(folder.name, site)
        self._context.build_data_docs(folder.name)
        self._context.delete_data_docs_site(folder.name)
        passed = {
            str(layer): f"{int(of_layer.sum()):,} of {len(of_layer):,} checks passed"
            for layer, of_layer in checks.groupby("layer")["is_passed"]
        }
        _make_self_contained(building, folder.name, passed)
        shutil.rmtree(folder, ignore_errors=True)
        building.rename(folder)

    def _validate(self, layer: str, checks: pd.DataFrame) -> list[dict[str, Any]]:
        """Validate a layer as an asset of its own; the results of its expectations."""
        rows, expectations = _asset(checks.assign(check_number=range(len(checks))))
        asset = self._source.add_dataframe_asset(layer)
        batch = asset.add_batch_definition_whole_dataframe("checks")
        suite = self._context.suites.add(gx.ExpectationSuite(layer, expectations=expectations))
        definition = self._context.validation_definitions.add(
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
        run = self._context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": rows})
        results = [
            result
            for validated in run.run_results.values()
            for result in validated.to_json_dict()["results"]
        ]
        for result in results:
            if (result.get("exception_info") or {}).get("raised_exception"):
                raise RuntimeError(f"Great Expectations: {result['exception_info']}")
        self._validated.add(layer)
        return results


def _context() -> Any:
    for talkative in ("great_expectations", "great_expectations.data_context.types.base"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    context: Any = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    for site in list(context.list_data_docs_sites()):
        context.delete_data_docs_site(site)
    return context


def _asset(checks: pd.DataFrame) -> tuple[pd.DataFrame, list[Any]]:
    """The frame of a layer, a row a check, and what is expected of it.

    Each kind of check and severity has two columns of its own, value and limit, and one
    expectation. (Row conditions on two columns for all would take five times as long.)
    """
    # Data Docs show the names as they are given, without escaping them.
    columns = [checks[_INDEX].map(lambda it: in_html(it) if isinstance(it, str) else it)]
    expectations = []
    for named, rows in checks.groupby(["check_name", "severity"]):
        kind, severity = (str(part) for part in named)
        if kind not in (*LOWER, *UPPER):
            raise ValueError(f"check {kind} has no direction")
        observed, limit = f"{kind} ({severity})", f"{kind} limit ({severity})"
        columns.append(rows[["observed_value", "limit_value"]].set_axis([observed, limit], axis=1))
        greater, less = (observed, limit) if kind in LOWER else (limit, observed)
        expectations.append(
            gxe.ExpectColumnPairValuesAToBeGreaterThanB(  # type: ignore[attr-defined]
                column_A=greater,
                column_B=less,
                or_equal=True,
                ignore_row_if="both_values_are_missing",
                description=f"{DESCRIPTIONS[kind]} ({severity})",
                severity=FailureSeverity("critical" if severity == STOP else "warning"),
            )
        )
    return pd.concat(columns, axis=1), expectations


def _make_self_contained(folder: Path, title: str, passed: Mapping[str, str]) -> None:
    """Take out what pages would load from eight other hosts, and lay our own in its place.

    Args:
        folder: of the pages.
        title: the run.
        passed: by layer, how many of its checks passed.
    """
    script = f"<script>\n{_SCRIPT.read_text(encoding='utf-8')}</script>\n</body>"
    styles = f"<style>\n{_STYLES.read_text(encoding='utf-8')}</style>\n</head>"
    for page in folder.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        text = re.sub(r'<script[^>]*\bsrc="https?://[^>]*>\s*</script>', "", text)
        text = re.sub(r'<link[^>]*\bhref="https?://[^>]*>', "", text)
        text = re.sub(r'<img[^>]*\bsrc="https?://[^>]*>', "", text)
        text = re.sub(r'<link[^>]*\bhref="[^"]*static/images/[^>]*>', "", text)
        text = re.sub(r"url\('https?://[^']*'\)", "none", text)
        # What calls a library that is not there, and an invitation to a newsletter.
        text = re.sub(r"<script>.*?</script>|<footer>.*?</footer>", "", text, flags=re.DOTALL)
        layer = page.stem.rpartition("-")[2]
        name = f"Quality gates: {layer}" if layer in passed else "Quality gates"
        text = re.sub(r"<title>.*?</title>", "", text, flags=re.DOTALL)
        text = text.replace("</head>", f"<title>{name}</title>{styles}", 1)
        if page.stem != layer:  # results, not what was expected
            counted = f"<h1>{name}</h1><p>{passed.get(layer, '')}; checks of one kind and severity "
            text = text.replace("<body>", f"<body>{counted}are one expectation.</p>", 1)
        page.write_text(text.replace("</body>", script, 1), encoding="utf-8")
    # The library's first page is a table that one of those scripts would fill.
    found = {page.stem.rpartition("-")[2]: page for page in folder.glob("validations/**/*.html")}
    listing = "".join(
        f'<li><a href="{in_html(quote(found[layer].relative_to(folder).as_posix()))}">'
        f"{in_html(layer)}</a>: {in_html(passed.get(layer, ''))}</li>"
        for layer in LAYERS
        if layer in found
    )
    (folder / "index.html").write_text(
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Quality gates</title>'
        f"{styles}<body><h1>Quality gates of run {in_html(title)}</h1><ul>{listing}</ul>"
        "<p>On the page of a layer, all checks of one kind and severity are one expectation.</p>"
        "</body>"
        "</html>\n",
        encoding="utf-8",
    )
    for extra in ("images", "fonts"):
        shutil.rmtree(folder / "static" / extra, ignore_errors=True)
