"""The start page of a data home: whatever people can open, on one page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from python_ml.embedding import in_html
from python_ml.engines import Warehouse
from python_ml.pages.model import Dashboard
from python_ml.quality.rules import LAYERS
from python_ml.settings import Settings

DBT_DOCS = Path("dbt_docs") / "index.html"  # below reports; `make docs` writes it
_STYLES = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #8886; padding: 0.3rem 0.6rem 0.3rem 0; text-align: left;
  vertical-align: top; }
main > div { overflow-x: auto; }
a { color: light-dark(#0b5cad, #7db7ff); }
code { overflow-wrap: anywhere; }
td > a { white-space: nowrap; }
"""


def start_page(settings: Settings) -> Path:
    """Where the page lies."""
    return settings.layout.reports / "index.html"


def write_start_page(
    warehouse: Warehouse, settings: Settings, pages: Sequence[Dashboard], state: dict[str, str]
) -> Path:
    """Write links to the pages, the Data Docs of each run and layer with the checks that passed,
    model cards and dbt's docs, and what the terms mean.

    Args:
        warehouse: published; holds the checks of all runs that are kept.
        settings: where reports lie.
        pages: dashboards, in the order of the menu.
        state: as_of_date, run_id and model_version of what is published.
    """
    reports = settings.layout.reports
    title = "SpanishGas: start"
    told = f"As of {state['as_of_date']}, run {state['run_id']}, model {state['model_version']}"
    parts = [
        _section("Dashboards", _table((), (_dashboard(page) for page in pages))),
        _section(
            "Data quality by run and layer",
            _table(("Run", *LAYERS), _checks(warehouse.read_external("quality_check"), reports)),
            "Checks that passed; the links open the Data Docs of the run, in which checks of one "
            "kind and severity are one expectation.",
        ),
        _section("Model cards", _table((), _cards(reports))),
        _section("Tables and their lineage", _dbt_docs(reports)),
        _section(
            "Words",
            _table(
                (),
                (
                    [in_html(str(term)), in_html(str(meaning))]
                    for term, meaning in warehouse.query(
                        "select term, definition from mart_definition order by definition_number"
                    ).itertuples(index=False)
                ),
            ),
        ),
    ]
    page = start_page(settings)
    page.write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{in_html(title)}</title><style>{_STYLES}</style></head><body><main>"
        f"<h1>SpanishGas</h1><p>{in_html(told)}</p>{''.join(parts)}</main></body></html>\n",
        encoding="utf-8",
    )
    return page


def _section(title: str, content: str, note: str = "") -> str:
    said = f"<p>{in_html(note)}</p>" if note else ""
    return f"<h2>{in_html(title)}</h2>{said}<div>{content}</div>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already; the first cell of a row is its head."""
    body = "".join(
        f'<tr><th scope="row">{cells[0]}</th>' + "".join(f"<td>{it}</td>" for it in cells[1:])
        for cells in rows
    )
    titles = "".join(f'<th scope="col">{in_html(it)}</th>' for it in head)
    return f"<table>{f'<tr>{titles}</tr>' if head else ''}{body}</table>"


def _link(path: Path, text: str) -> str:
    return f'<a href="{in_html(quote(path.as_posix()))}">{in_html(text)}</a>'


def _dashboard(page: Dashboard) -> list[str]:
    return [_link(Path("dashboards") / f"{page.key}.html", page.name), in_html(page.description)]


def _checks(checks: pd.DataFrame, reports: Path) -> Iterable[list[str]]:
    """A row a run, the newest first: for each layer how many checks passed."""
    docs = {folder.name: folder for folder in (reports / "data_docs").glob("*")}
    for run_id in sorted(set(checks["run_id"]) | set(docs), reverse=True):
        folder = docs.get(run_id)
        cells = [_link((folder / "index.html").relative_to(reports), run_id) if folder else run_id]
        for layer in LAYERS:
            passed = checks.loc[
                (checks["run_id"] == run_id) & (checks["layer"] == layer), "is_passed"
            ]
            text = f"{int(passed.sum()):,} of {len(passed):,}" if len(passed) else "–"
            pages = sorted(folder.glob(f"validations/{layer}/**/*.html")) if folder else []
            cells.append(_link(pages[-1].relative_to(reports), text) if pages else in_html(text))
        yield cells


def _cards(reports: Path) -> Iterable[list[str]]:
    for card in sorted(reports.glob("cards/*/card.html"), reverse=True):
        yield [_link(card.relative_to(reports), card.parent.name)]


def _dbt_docs(reports: Path) -> str:
    if (reports / DBT_DOCS).exists():
        return f"<p>{_link(DBT_DOCS, 'dbt docs')}: every model and column, and the lineage.</p>"
    return "<p><code>make docs</code> writes dbt's docs: every model and column, the lineage.</p>"
