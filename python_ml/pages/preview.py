"""The dashboards as static pages, rendered from the warehouse by the definitions of Metabase.

A page holds the rows of its cards as they are when it is opened, so that it paints at once. What
its filters need lies in a script beside it, which is read when a filter is used.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from python_ml.embedding import in_html, in_script
from python_ml.engines import Warehouse
from python_ml.pages.compiled import compiled_dashboards
from python_ml.pages.embed import as_script, page_database
from python_ml.pages.marts import mart_columns
from python_ml.pages.model import Card, Dashboard, Parameter, ValueCard
from python_ml.pages.results import filter_values, run_card
from python_ml.pages.start import write_start_page
from python_ml.pages.visualization import theme
from python_ml.settings import ASSETS, Settings

SCRIPTS = ("vendor/echarts.common.min.js", "format.js", "charts.js", "tables.js", "preview.js")


@dataclass(frozen=True)
class PreviewResult:
    """What was written: pages in the order of the menu."""

    document_name: ClassVar[str] = "preview"

    folder: Path
    pages: list[str]
    as_of_date: str
    run_id: str
    bytes_written: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "folder": str(self.folder)}


def preview_folder(settings: Settings) -> Path:
    """Where a run leaves the pages."""
    return settings.layout.reports / "dashboards"


def write_preview(warehouse: Warehouse, settings: Settings, folder: Path) -> PreviewResult:
    """Write every page, and `index.html` for the first, to a folder; what was there is replaced.

    In its usual place, the start page of the home is written as well.

    Raises:
        DefinitionError: the definitions contradict themselves or the marts.
        UsageError: nothing has been published yet.
        OldTablesError: another version has published, without these marts.
    """
    start = time.perf_counter()
    pages = compiled_dashboards()
    state = warehouse.read_table("mart_overview").iloc[0]
    shown: dict[str, Any] = {
        "as_of_date": f"{state['as_of_date']:%Y-%m-%d}",
        "run_id": str(state["run_id"]),
        "model_version": str(state["model_version"]),
        "customer_count": int(state["customer_count"]),
        "start": "../index.html" if folder == preview_folder(settings) else None,
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    unfinished.mkdir()
    try:
        with warehouse.held():
            _write_pages(warehouse, settings, pages, shown, unfinished)
            shutil.rmtree(folder, ignore_errors=True)
            unfinished.rename(folder)
            if shown["start"]:
                write_start_page(warehouse, settings, pages, shown)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return PreviewResult(
        folder=folder,
        pages=[page.key for page in pages],
        as_of_date=shown["as_of_date"],
        run_id=shown["run_id"],
        bytes_written=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        seconds=time.perf_counter() - start,
    )


def _write_pages(
    warehouse: Warehouse,
    settings: Settings,
    pages: tuple[Dashboard, ...],
    shown: dict[str, Any],
    folder: Path,
) -> None:
    (folder / "assets").mkdir()
    for asset in sorted(ASSETS.rglob("*")):  # the content alone, as permissions are the settings'
        target = folder / "assets" / asset.relative_to(ASSETS)
        target.mkdir() if asset.is_dir() else shutil.copyfile(asset, target)
    menu = [{"key": page.key, "name": page.name, "description": page.description} for page in pages]
    with ThreadPoolExecutor(1) as packing:  # while the next page is queried
        packed = []
        for page in pages:
            document = {**_document(warehouse, settings, page), "menu": menu, "state": shown}
            (folder / f"{page.key}.html").write_text(_html(page, document), encoding="utf-8")
            script = folder / "assets" / f"data_{page.key}.js"
            packed.append(packing.submit(_pack, page_database(warehouse, page), script))
        for each in packed:
            each.result()
    address = in_html(f"{pages[0].key}.html")
    first = f'<!doctype html><meta http-equiv="refresh" content="0; url={address}">\n'
    (folder / "index.html").write_text(first, encoding="utf-8")


def _pack(database: bytes, script: Path) -> None:
    script.write_text(as_script(database), encoding="ascii")


def _document(warehouse: Warehouse, settings: Settings, page: Dashboard) -> dict[str, Any]:
    """All that the page's script needs: cards with rows, filters, texts."""
    values = filter_values(page)
    cards = []
    listed = {it.values.card for it in page.parameters if isinstance(it.values, ValueCard)}
    for card in page.cards:
        if card.position is None and card.key not in listed:  # of Metabase alone
            continue
        cards.append(_card(card, run_card(warehouse, card, settings.target, values)))
    return {
        "key": page.key,
        "name": page.name,
        "description": page.description,
        "tabs": [asdict(tab) for tab in page.tabs],
        "parameters": [_parameter(it, page) for it in page.parameters],
        "cards": cards,
        "texts": [asdict(text) for text in page.texts],
        "colors": theme().colors,
        "dark": theme().dark,
    }


def _card(card: Card, rows: list[list[Any]]) -> dict[str, Any]:
    return {
        "key": card.key,
        "name": card.name,
        "description": card.description,
        "display": card.display,
        "settings": card.visualization_settings,
        "columns": card.columns,
        "rows": rows,
        "sql": card.statements["sqlite"] if card.tags else None,
        "tags": {tag.name: tag.default for tag in card.tags},
        "position": None if card.position is None else asdict(card.position),
        "tab": card.tab,
        "click": None if card.click is None else asdict(card.click),
        "empty": card.empty,
        "scrolls": card.is_scrolled,
    }


def _parameter(parameter: Parameter, page: Dashboard) -> dict[str, Any]:
    found = asdict(parameter)
    found["is_card"] = isinstance(parameter.values, ValueCard)
    if parameter.values is None:
        marts = mart_columns()
        tables = [table for table in page.tables if parameter.column in marts[table]]
        found["table"] = tables[0] if tables else None
    return found


def _html(page: Dashboard, document: dict[str, Any]) -> str:
    scripts = "\n".join(f'<script src="assets/{name}"></script>' for name in SCRIPTS)
    template = (ASSETS / "page.html").read_text(encoding="utf-8")
    parts = {
        "title": in_html(f"{page.name} · SpanishGas"),
        "data": in_script(document),
        "scripts": scripts,
        "name": in_html(page.name),
        "description": in_html(page.description),
    }
    return re.sub(
        r"\{(title|data|scripts|name|description)\}", lambda match: parts[match[1]], template
    )
