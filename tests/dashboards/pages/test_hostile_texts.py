"""Texts that could be taken for something else, in a browser: nothing is run, nothing is lost.

Every text column of every mart holds every text of `tests/dashboards/hostile.py`, so that whatever
a page shows of a mart, it shows of all of them.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, Dialog, Page

from python_ml.embedding import visible
from python_ml.engines import Warehouse, open_warehouse
from python_ml.pages.card.document import (
    Block,
    Bullets,
    Document,
    Picture,
    Pictures,
    Section,
    Table,
    Text,
)
from python_ml.pages.compile import load_dashboards
from python_ml.pages.model import Card, Dashboard
from python_ml.pages.preview import write_preview
from python_ml.pages.results import filter_values, run_card
from python_ml.quality import QualityProcess
from python_ml.quality.checks import LOWER, Check, checks_frame
from python_ml.quality.expectations import DESCRIPTIONS
from python_ml.settings import Settings, load_settings
from tests.dashboards import marts
from tests.dashboards.hostile import FLAG, SCRIPTS, SURROGATES, TEXTS
from tests.dashboards.pages.conftest import spanishgas
from tests.dashboards.pages.test_browser import CHARTS, READY, apply

PAGES = {page.key: page for page in load_dashboards()}
PIXEL = (  # a PNG
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
)
DATA = ("file:", "data:", "blob:")
REASON = f"{SCRIPTS[0]} {SURROGATES[1]}"
ROWS = 2 * len(TEXTS)
SHOWN = {visible(text) for text in TEXTS}
FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")
HANDLERS = """[...document.querySelectorAll("*")].flatMap((node) => [...node.attributes]
    .filter((it) => /^on/i.test(it.name)).map((it) => `${node.tagName} ${it.name} ${it.value}`))"""
CHOOSE = """value => {
    const select = document.getElementById("filter_province");
    select.selectedIndex = [...select.options].findIndex((it) => it.textContent === value);
    select.dispatchEvent(new Event("change"));
}"""
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


@pytest.fixture(scope="module")
def hostile_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("hostile")
    marts.build(home / "warehouse.duckdb", TEXTS, ROWS)
    return load_settings({"home": str(home)})


@pytest.fixture(scope="module")
def hostile_warehouse(hostile_settings: Settings) -> Iterator[Warehouse]:
    with open_warehouse(hostile_settings) as opened, opened.held():
        yield opened


@pytest.fixture(scope="module")
def hostile_pages(hostile_warehouse: Warehouse, hostile_settings: Settings) -> Path:
    folder = hostile_settings.layout.reports / "pages"
    write_preview(hostile_warehouse, hostile_settings, folder)
    return folder


@pytest.fixture
def quiet(browser: Browser) -> Iterator[Callable[[Path], Page]]:
    """Opens a file; in the end nothing has been run, asked for, or complained of."""
    happened: list[str] = []
    contexts, pages = [], []

    def dismiss(dialog: Dialog) -> None:
        happened.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def open_file(path: Path) -> Page:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        contexts.append(context)
        page = context.new_page()
        pages.append(page)
        page.on("dialog", dismiss)
        page.on("console", lambda it: happened.append(it.text) if it.type != "log" else None)
        page.on("pageerror", lambda it: happened.append(str(it)))
        page.on("popup", lambda it: happened.append(f"popup {it.url}"))
        page.on(
            "request",
            lambda it: None if it.url.startswith(DATA) else happened.append(it.url),
        )
        page.goto(path.as_uri())
        return page

    yield open_file
    for page in pages:
        assert page.evaluate(f"window.{FLAG} ?? null") is None, "a text was run"
        handlers = page.evaluate(HANDLERS)
        assert not [it for it in handlers if FLAG in it], "a text became the handler of an event"
        assert (
            page.locator("iframe, object, embed, base, body img:not([src^='data:'])").count() == 0
        )
    for context in contexts:
        context.close()
    assert not happened


def shown_rows(
    page: Page, warehouse: Warehouse, dashboard: Dashboard, card: Card
) -> list[list[Any]]:
    """The rows in the page, once it is sure that their texts are those of the warehouse."""
    rows: list[list[Any]] = page.evaluate(
        "key => page.cards.find((it) => it.key === key).rows", card.key
    )
    values = filter_values(dashboard)
    given = {tag.name: values[tag.name] for tag in card.tags if tag.name in values}
    there = run_card(warehouse, card, "duckdb", given)
    assert len(rows) == len(there)
    if "LIMIT" not in card.statements["duckdb"]:  # among equals, each statement has another choice
        for here, now in zip(zip(*rows, strict=True), zip(*there, strict=True), strict=True):
            texts, wanted = ([it for it in one if isinstance(it, str)] for one in (here, now))
            assert sorted(texts) == sorted(wanted), card.key
    return rows


def texts_of(card: Card, rows: list[list[Any]], names: list[str]) -> list[list[str | None]]:
    """The texts among the values of some columns; None for values that are written by a format."""
    found = []
    for row in rows:
        values = dict(zip(card.columns, row, strict=True))
        found.append([it if isinstance(it := values[name], str) else None for name in names])
    return found


def enabled(card: Card) -> list[str]:
    return [it["name"] for it in card.visualization_settings["table.columns"] if it["enabled"]]


def check_table(page: Page, card: Card, rows: list[list[Any]]) -> int:
    node = page.locator(f"#card_{card.key}")
    for _ in range(len(rows) // 20):  # rows are drawn as one scrolls
        node.locator(".scroll").evaluate("it => it.scrollTo(0, it.scrollHeight)")
        if node.locator("tbody tr").count() == len(rows):
            break
        page.wait_for_timeout(30)
    drawn = node.evaluate(
        "it => [...it.querySelectorAll('tbody tr')].map(row => "
        "[...row.cells].map(cell => cell.textContent))"
    )
    assert len(drawn) == len(rows), card.key
    count = 0
    for cells, texts in zip(drawn, texts_of(card, rows, enabled(card)), strict=True):
        for cell, text in zip(cells, texts, strict=True):
            if text in SHOWN:
                assert cell == text, card.key
                count += 1
    return count


def check_object(page: Page, card: Card, rows: list[list[Any]]) -> int:
    drawn = page.locator(f"#card_{card.key} dd").evaluate_all(
        "all => all.map(it => it.textContent)"
    )
    (texts,) = texts_of(card, rows[:1], enabled(card))
    known = [(cell, text) for cell, text in zip(drawn, texts, strict=True) if text in SHOWN]
    assert all(cell == text for cell, text in known), card.key
    return len(known)


def check_chart(page: Page, card: Card, rows: list[list[Any]]) -> int:
    """What is said of each point when one points at it: its category, and the name of its line."""
    said = page.evaluate(
        """key => {
            const chart = charts.get(key), series = chart.getOption().series, said = [];
            const body = document.querySelector(`#card_${key} .body`);
            series.forEach((one, seriesIndex) => one.data.forEach((it, dataIndex) => {
                chart.dispatchAction({type: "showTip", seriesIndex, dataIndex});
                const tip = body.lastElementChild;
                said.push([String(it.category ?? ""), tip.textContent]);
            }));
            return said;
        }""",
        card.key,
    )
    settings = card.visualization_settings
    name = (settings.get("graph.dimensions") or [settings["pie.dimension"]])[0]
    metrics = settings.get("graph.metrics") or [settings["pie.metric"]]
    drawn = [row for row in rows if row[card.columns.index(metrics[0])] is not None]
    categories = {text for (text,) in texts_of(card, drawn, [name])} & SHOWN
    assert {category for category, tip in said if category in tip} >= categories, card.key
    return len(categories)


@pytest.mark.parametrize("key", PAGES)
def test_every_text_of_every_card_is_drawn_as_it_is(
    quiet: Callable[[Path], Page], hostile_pages: Path, hostile_warehouse: Warehouse, key: str
) -> None:
    page, count = quiet(hostile_pages / f"{key}.html"), 0
    page.wait_for_selector(READY)
    dashboard = PAGES[key]
    for tab in dashboard.tabs or (None,):
        if tab is not None:
            page.get_by_role("tab", name=tab.name, exact=True).click()
        for card in dashboard.cards:
            if card.position is None or card.tab != (tab.key if tab else None):
                continue
            rows = shown_rows(page, hostile_warehouse, dashboard, card)
            if not rows:
                assert page.locator(f"#card_{card.key} .empty").inner_text().strip()
            elif card.display == "table":
                count += check_table(page, card, rows)
            elif card.display == "object":
                count += check_object(page, card, rows)
            elif card.display in CHARTS:
                count += check_chart(page, card, rows)
            else:
                assert page.locator(f"#card_{card.key} .body").inner_text().strip(), card.key
    print(f"{key}: {count} texts as they are")
    assert count > 0


def test_a_filter_can_be_set_to_every_text(
    quiet: Callable[[Path], Page], hostile_pages: Path, hostile_warehouse: Warehouse
) -> None:
    """By choosing it, and by a link that carries it in its address."""
    page = quiet(hostile_pages / "customer_risk.html")
    page.wait_for_selector(READY)
    found = hostile_warehouse.query(
        "select province, count(*) as n from mart_customer_risk group by 1"
    )
    counts = {visible(text): n for text, n in found.dropna().itertuples(index=False) if text}
    assert set(counts) == SHOWN
    for text, count in counts.items():
        apply(page, partial(page.evaluate, CHOOSE, text))  # by its exact value
        drawn = page.locator("#card_customers .scalar").inner_text()
        assert drawn == f"{count:,}", text
        cells = page.locator("#card_list tbody td:nth-child(7)")
        assert set(cells.evaluate_all("all => all.map(it => it.textContent)")) == {text}
        assert page.evaluate("new URLSearchParams(location.hash.slice(1)).get('province')") == text
        apply(page, lambda: page.evaluate("dispatchEvent(new HashChangeEvent('hashchange'))"))
        assert page.locator("#filter_province").input_value() == text
        assert page.locator("#card_customers .scalar").inner_text() == drawn


def test_what_is_saved_as_csv_is_run_by_no_spreadsheet(
    quiet: Callable[[Path], Page], hostile_pages: Path
) -> None:
    page, texts, numbers = quiet(hostile_pages / "data_explorer.html"), set(), 0
    page.wait_for_selector(READY)
    for card in PAGES["data_explorer"].cards:
        if card.display != "table" or card.position is None:
            continue
        saved, rows, titles = page.evaluate(
            """key => {
                const card = page.cards.find((it) => it.key === key), columns = shownColumns(card);
                const titles = columns.map((it) => csvTitle(card, it));
                const rows = card.rows.map((row) => columns.map((it) => row[it.at]));
                return [asCsv(card), rows, titles];
            }""",
            card.key,
        )
        lines = list(csv.reader(io.StringIO(saved, newline="")))
        assert lines[0] == titles
        for cells, values in zip(lines[1:], rows, strict=True):
            for cell, value in zip(cells, values, strict=True):
                if isinstance(value, str):
                    assert cell.replace("'", "") == value.replace("'", ""), "nothing is lost"
                    assert not FORMULA.match(cell) or NUMBER.fullmatch(cell)
                    # What a program takes for cells that expects semicolons or tabs.
                    for part in re.split(r"[;\t\r\n]", cell)[1:]:
                        assert not FORMULA.match(part.lstrip("\"' ")) or "'" in part
                    texts.add(value)
                elif value is not None and not isinstance(value, bool):
                    assert float(cell) == pytest.approx(value, rel=1e-2, abs=1e-4)
                    numbers += 1
    assert texts >= SHOWN and numbers > 100
    page.get_by_role("tab", name="Interactions", exact=True).click()
    with page.expect_download() as download:
        page.locator("#card_interactions .export").click()
    content = Path(download.value.path()).read_text(encoding="utf-8-sig")
    assert re.fullmatch(
        r"spanishgas_data_explorer_interactions_\d{4}-\d{2}-\d{2}\.csv",
        download.value.suggested_filename,
    )
    assert "'=HYPERLINK" in content


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (-5, "-5"),
        (1.5e-7, "1.5e-7"),
        ("-5", "-5"),
        ("+3.25", "+3.25"),
        ("-5+1", "'-5+1"),
        (" =1", "' =1"),
        ("＝1", "'＝1"),
        ("a;=1", '"a;\'=1"'),
        ("a-b", "a-b"),
        (None, ""),
        (True, "true"),
    ],
)
def test_a_cell_is_made_harmless_and_a_number_stays_one(
    quiet: Callable[[Path], Page], hostile_pages: Path, value: object, cell: str
) -> None:
    assert quiet(hostile_pages / "overview.html").evaluate("csvCell", value) == cell


def test_every_text_is_shown_by_data_docs(quiet: Callable[[Path], Page], tmp_path: Path) -> None:
    """As the name of a table and of a column, which is what they show of a check that failed."""
    texts = TEXTS
    kinds = [(kind, severity) for kind in DESCRIPTIONS for severity in ("stop", "warn")]
    rows = []
    for number, text in enumerate(texts):  # of each kind, the library shows the first few
        kind, severity = kinds[number % len(kinds)]
        limit = 5.0 if kind in LOWER else 0.0
        rows.append(Check("raw", text, text, kind, severity, 1.0, limit, 10, 100))
    checks = checks_frame(rows)
    with closing(QualityProcess()) as examiner:
        examiner.write_docs(examiner.decide(checks), tmp_path / "<b>docs & 'more'")
        examiner.settle()
    files = sorted((tmp_path / "<b>docs & 'more'").rglob("*.html"))
    assert {"index.html", "raw.html", "warehouse-raw.html"} == {it.name for it in files}
    for file in files:
        page = quiet(file)
        shown = page.evaluate("document.body.textContent")
        if file.name == "warehouse-raw.html":
            assert [it for it in texts if visible(it) not in shown] == []
        if file.name == "index.html":
            assert "<b>docs & 'more'" in shown
            page.get_by_role("link", name="raw").click()
            page.wait_for_url("**/warehouse-raw.html")


def model_card(texts: Sequence[str]) -> Document:
    """Each text in each place that a card has."""
    picture = base64.b64decode(PIXEL)
    blocks: list[Block] = [
        *(Text(it) for it in texts),
        *(Text(it, is_lead=True) for it in texts),
        Bullets(texts),
        Table(texts, [texts, list(reversed(texts))], figures=texts[:3]),
        Pictures([Picture(f"{n}.png", it, picture) for n, it in enumerate(texts)]),
    ]
    sections = [Section("All", blocks), *(Section(it, []) for it in texts)]
    return Document(texts[0], texts[1], sections)


def test_every_text_is_shown_by_a_model_card(quiet: Callable[[Path], Page], tmp_path: Path) -> None:
    texts = [*TEXTS, *SURROGATES]
    wanted = [visible(it) for it in texts]
    path = tmp_path / "card.html"
    path.write_bytes(model_card(texts).html().encode())
    page = quiet(path)

    def shown(selector: str) -> list[str]:
        found: list[str] = page.locator(selector).evaluate_all(
            "all => all.map(it => it.textContent)"
        )
        return found

    assert page.title() == " ".join(wanted[0].split())
    assert shown("h1") == wanted[:1] and shown("body > p") == wanted[1:2]
    assert shown("h2") == ["All", *wanted]
    assert shown("section > p:not(.lead)") == wanted == shown("p.lead")
    assert shown("li") == wanted == shown("th") == shown("figcaption")
    assert shown("td") == [*wanted, *reversed(wanted)]
    assert page.locator("img").evaluate_all("all => all.map(it => it.alt)") == wanted


def test_every_text_is_shown_by_a_model_card_in_markdown(
    quiet: Callable[[Path], Page], tmp_path: Path
) -> None:
    """Rendered with everything that GitHub's dialect has, raw HTML included."""
    texts = [*TEXTS, *SURROGATES]
    renderer = MarkdownIt("gfm-like", {"html": True})
    path = tmp_path / "card.html"
    written = model_card(texts).markdown()
    written.encode()
    for n in range(len(texts)):  # the pictures are files beside it
        written = written.replace(f"]({n}.png)", f"](data:image/png;base64,{PIXEL})")
    path.write_text(f"<!doctype html><meta charset=utf-8>{renderer.render(written)}", "utf-8")
    page = quiet(path)
    as_text = """all => all.map((it) => {
        for (const br of it.querySelectorAll("br")) br.replaceWith("\\n");
        return it.textContent;
    })"""

    def plain(text: str) -> str:
        """Spaces at either end, and the kind of a line break, are not Markdown's to keep."""
        return re.sub(r"\r\n|[\r\u2028\u2029]", "\n", text).strip(" \t\n")

    def shown(selector: str) -> list[str]:
        return [it.strip(" \t\n") for it in page.locator(selector).evaluate_all(as_text)]

    wanted = [plain(visible(it)) for it in texts]
    assert page.locator("a").count() == 0, "nothing became a link"
    assert shown("h1") == wanted[:1] and shown("h2") == ["All", *wanted]
    paragraphs = [it for it in shown("p") if it]
    assert paragraphs == [wanted[1], *wanted, *wanted]
    assert shown("li") == wanted == shown("th")
    assert shown("td") == [*wanted, *reversed(wanted)]
    assert page.locator("h3, blockquote, pre, code, hr, em, del").count() == 0


@pytest.fixture(scope="module")
def hostile_company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data home whose texts came in where people's texts come in, after a run and a refused one.

    Interactions, contracts, attributes; reason and author of a decision; the name of a folder with
    raw files, as it stands in an error.
    """
    home = tmp_path_factory.mktemp("hostile_company")
    spanishgas("simulate", "--customers", "500", home=home)
    plant(home / "raw")
    for text in (SCRIPTS[9], SURROGATES[1]):  # the second is not UTF-8, and no run begins
        raw = home / text.replace("/", "_")
        raw.mkdir()
        spanishgas("run", "--raw", os.fsencode(raw), home=home, exit_code=3)
    spanishgas("run", home=home)
    (version,) = (it.name for it in (home / "lake" / "models").glob("churn-*"))
    given = [os.fsencode(it) for it in ("--by", SCRIPTS[9], "--reason", REASON)]
    spanishgas("promote", version, "--force", *given, home=home)
    return home


def plant(raw: Path) -> None:
    """Each text in each column of free text of the raw files, in turn."""
    file = raw / "customer_interactions.json"
    entries = json.loads(file.read_text(encoding="utf-8"))
    for number, entry in enumerate(entries):
        entry["interaction_summary"] = TEXTS[number % len(TEXTS)]
        entry["channel"] = TEXTS[(number + 7) % len(TEXTS)]
    file.write_text(json.dumps(entries), encoding="utf-8")
    planted = {"customer_contracts.csv": "sales_channel", "customer_attributes.csv": "region"}
    for name, column in planted.items():
        with (raw / name).open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        for number, row in enumerate(rows):
            row[column] = TEXTS[number % len(TEXTS)].replace("\0", "")  # no CSV holds NUL
        with (raw / name).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def test_texts_of_people_come_through_a_whole_run(
    quiet: Callable[[Path], Page], hostile_company: Path
) -> None:
    """Nothing is run on any page that a run writes, and texts are found where they are shown."""
    settings = load_settings({"home": str(hostile_company)})
    with open_warehouse(settings) as warehouse:
        summaries = set(warehouse.read_table("mart_customer_interaction")["interaction_summary"])
        regions = set(warehouse.read_table("mart_customer_profile")["region"].dropna())
        decisions = set(warehouse.read_table("mart_model_decision")["reason"])
        errors = " ".join(warehouse.read_table("mart_pipeline_run")["error_message"].dropna())
    # Landing takes the spaces around a text away, and with them texts that are nothing else, and
    # composes its characters (NFC).
    composed = (unicodedata.normalize("NFC", text) for text in TEXTS)
    plain = {" ".join(text.replace("\0", "").split()) for text in composed}
    assert {" ".join(it.replace("\0", "").split()) for it in summaries} >= plain
    assert {" ".join(it.split()) for it in regions} >= plain
    assert visible(REASON) in decisions
    assert SCRIPTS[9].replace("/", "_") in errors

    found: dict[str, str] = {}
    pages = hostile_company.glob("reports/**/*.html")
    # The first page of the dashboards is a redirect, and their assets hold a template.
    files = [it for it in pages if it.parts[-2:] != ("dashboards", "index.html")]
    files = [it for it in files if "assets" not in it.parts]
    assert len(files) > len(PAGES) + 5
    for file in files:
        page = quiet(file)
        page.wait_for_load_state()
        if file.parent.name == "dashboards" and file.stem in PAGES:
            page.wait_for_selector(READY)
            for tab in PAGES[file.stem].tabs:
                page.get_by_role("tab", name=tab.name, exact=True).click()
                tables = page.locator(".scroll")
                for number in range(tables.count()):
                    for _ in range(40):
                        tables.nth(number).evaluate("it => it.scrollTo(0, it.scrollHeight)")
                found[file.stem] = found.get(file.stem, "") + page.inner_text("main")
        found.setdefault(file.stem, page.evaluate("document.body.textContent"))
    assert found["data_explorer"].count("hostile") > 100
    assert SCRIPTS[9].replace("/", "_") in found["pipeline_status"]
