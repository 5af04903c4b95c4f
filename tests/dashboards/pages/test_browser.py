"""The preview in a browser: everything is drawn, filters work, and it is quick from disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from python_ml.engines import Warehouse
from python_ml.pages.compile import load_dashboards
from python_ml.pages.results import run_card
from tests.dashboards.questions import Question, questions

PAGES = {page.key: page for page in load_dashboards()}
CHARTS = {"bar", "row", "line", "area", "combo", "scatter", "pie"}
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
SHOTS = Path(os.environ.get("TEST_SCREENSHOTS", "target/screenshots"))
FIRST_PAINT_MS = 1000
READY = "body[data-ready]"
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def folder(company: Path) -> Path:
    return company / "reports" / "dashboards"


@pytest.fixture
def opened(browser: Browser, folder: Path) -> Iterator[Callable[..., Page]]:
    """Opens a page; nothing may come to its console, or from a network, until the test ends."""
    complaints: list[str] = []
    contexts = []

    def open_page(
        key: str, size: str = "desktop", scheme: Scheme = "light", hash_: str = ""
    ) -> Page:
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, offline=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda it: complaints.append(it.text) if it.type != "log" else None)
        page.on("pageerror", lambda it: complaints.append(str(it)))
        page.on(
            "request",
            lambda it: None if it.url.startswith(("file:", "data:")) else complaints.append(it.url),
        )
        page.goto((folder / f"{key}.html").as_uri() + hash_)
        page.wait_for_selector(READY)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


def check_drawn(page: Page, key: str, tab: str | None) -> None:
    for card in PAGES[key].cards:
        if card.position is None or card.tab != tab:
            continue
        node = page.locator(f"#card_{card.key}")
        if node.locator(".empty").count():
            assert node.locator(".empty").inner_text().strip(), f"{card.key}: why it is empty"
        elif card.display in CHARTS:
            shapes = node.locator("svg path").count()
            assert shapes > 3, f"{card.key} has only {shapes} shapes"
        else:
            assert node.locator(".body").inner_text().strip(), card.key


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("key", PAGES)
def test_everything_on_a_page_is_drawn(opened: Callable[..., Page], key: str, size: str) -> None:
    page = opened(key, size)
    SHOTS.mkdir(parents=True, exist_ok=True)
    for tab in PAGES[key].tabs or (None,):
        if tab is not None:
            page.get_by_role("tab", name=tab.name, exact=True).click()
        check_drawn(page, key, tab.key if tab else None)
        name = "_".join(filter(None, (key, tab.key if tab else None, size)))
        page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "no sideways scroll"
    header = page.locator("header").inner_text()
    assert "As of" in header and "Run 20" in header and "preview" in header.lower()


@pytest.mark.parametrize("key", PAGES)
def test_dark_pages_are_drawn_and_the_choice_is_kept(opened: Callable[..., Page], key: str) -> None:
    page = opened(key, scheme="dark")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.reload()
    page.wait_for_selector(READY)
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


@pytest.mark.parametrize("key", PAGES)
def test_the_first_paint_comes_at_once(opened: Callable[..., Page], key: str) -> None:
    """The best of three: a machine that is busy with something else says nothing of the page."""
    page = opened(key)
    script = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
    painted = []
    for _ in range(3):
        page.wait_for_function(f"({script}) !== null")
        painted.append(page.evaluate(script))
        page.reload()
        page.wait_for_selector(READY)
    assert min(painted) <= FIRST_PAINT_MS, painted


def shown(page: Page, card: str) -> str:
    text: str = page.locator(f"#card_{card} .body").inner_text()
    return text.strip().split("\n")[0]


def apply(page: Page, action: Callable[[], object]) -> None:
    """Does something to the filters, and waits until the cards show it."""
    before = int(page.evaluate("document.body.dataset.ready"))
    action()
    page.wait_for_function(f"Number(document.body.dataset.ready) > {before}")


def test_filters_change_what_is_shown_to_what_the_marts_say(
    opened: Callable[..., Page], warehouse: Warehouse
) -> None:
    province = warehouse.query(
        "select province from mart_customer_risk group by province order by count(*) desc limit 1"
    )["province"].iloc[0]
    sme = {"segment": "SME"}
    for given in (sme, {**sme, "province": province}, {"risk_tier": "Low"}):
        page = opened("customer_risk")
        for name, value in given.items():
            apply(page, partial(page.select_option, f"#filter_{name}", value))
        card = next(it for it in PAGES["customer_risk"].cards if it.key == "customers")
        ((count,),) = run_card(warehouse, card, "duckdb", given)
        assert shown(page, "customers") == f"{count:,}"
    listed = page.locator("#card_list tbody tr td:nth-child(2)").all_inner_texts()
    assert set(listed) == {"Low"}
    apply(page, lambda: page.get_by_role("button", name="Reset").click())
    assert shown(page, "customers") == f"{warehouse.row_counts()['mart_customer_risk']:,}"


def test_a_row_of_the_list_opens_its_customer(opened: Callable[..., Page]) -> None:
    page = opened("customer_risk")
    link = page.locator("#card_list tbody a").nth(3)
    customer = link.inner_text()
    risk = page.locator("#card_list tbody tr").nth(3).locator("td").nth(2).inner_text()
    link.click()
    page.wait_for_selector("#card_profile")
    page.wait_for_selector(READY)
    page.wait_for_function(
        "id => document.querySelector('#card_profile').innerText.includes(id)", arg=customer
    )
    assert shown(page, "risk") == risk
    assert page.locator("#filter_customer_id").input_value() == customer


def test_any_customer_is_found_by_a_typed_id(
    opened: Callable[..., Page], warehouse: Warehouse
) -> None:
    page = opened("customer_lookup")
    ids = warehouse.query("select customer_id from mart_customer_risk order by 1")["customer_id"]
    for customer, typed in ((ids.iloc[-1], ids.iloc[-1].lower()), (ids.iloc[7], ids.iloc[7][1:])):

        def type_it(text: str = typed) -> None:
            page.fill("#filter_customer_id", text)
            page.press("#filter_customer_id", "Enter")

        apply(page, type_it)
        assert page.locator("#card_customer .scalar").inner_text() == customer

    def type_unknown() -> None:
        page.fill("#filter_customer_id", "C99999")
        page.press("#filter_customer_id", "Enter")

    apply(page, type_unknown)
    assert page.locator(".unknown").inner_text() == "No customer has the id C99999."
    assert page.locator("main").is_hidden()


def test_a_slice_of_a_chart_opens_its_customers(opened: Callable[..., Page]) -> None:
    page = opened("overview")
    page.locator("#card_segments").scroll_into_view_if_needed()
    page.evaluate(
        """() => {
            const chart = charts.get("segments");
            const series = chart.getOption().series[0];
            chart.trigger("click", {seriesName: series.name, data: series.data[0]});
        }"""
    )
    page.wait_for_url("**/customer_risk.html#*")
    assert "segment=" in page.url and "risk_tier=" in page.url


VISIBLE_ROWS = """key => {
    const card = document.getElementById(`card_${key}`);
    const end = card.querySelector(".foot").getBoundingClientRect().top;
    return [...card.querySelectorAll("tbody tr")].filter(
        (row) => row.getBoundingClientRect().bottom <= end + 1).length;
}"""


@pytest.mark.parametrize("key", PAGES)
def test_a_table_shows_the_rows_that_it_promises_above_its_footer(
    opened: Callable[..., Page], key: str
) -> None:
    page = opened(key)
    for tab in PAGES[key].tabs or (None,):
        if tab is not None:
            page.get_by_role("tab", name=tab.name, exact=True).click()
        for card in PAGES[key].cards:
            on_tab = card.position is not None and card.tab == (tab.key if tab else None)
            node = page.locator(f"#card_{card.key} tbody tr")
            if on_tab and card.display == "table" and node.count():
                shown = page.evaluate(VISIBLE_ROWS, card.key)
                assert shown >= min(card.rows or 0, node.count()), (card.key, shown)


def test_rows_that_share_a_point_are_added_up_as_metabase_does(opened: Callable[..., Page]) -> None:
    page = opened("model_performance")
    points = page.evaluate(
        """() => {
            const card = page.cards.find((it) => it.key === "roc");
            const at = (name) => card.columns.indexOf(name);
            const [x, y, row] = [at("x"), at("measure_value"), [...card.rows[0]]];
            row[x] = 0.5; row[y] = 0.25;
            card.rows = [row, [...row]];
            drawCard(card);
            const drawn = charts.get("roc").getOption().series;
            return drawn.map((it) => it.data.map((one) => one.value));
        }"""
    )
    assert points == [[[0.5, 0.5]]]


def test_points_of_one_place_are_all_there(opened: Callable[..., Page]) -> None:
    """A chart of two dimensions keeps every row that it gets."""
    page = opened("model_performance")
    curve = next(it for it in PAGES["model_performance"].cards if it.key == "precision_recall")
    drawn = page.evaluate(
        "charts.get('precision_recall').getOption().series.reduce((n, it) => n + it.data.length, 0)"
    )
    rows = page.evaluate("page.cards.find((it) => it.key === 'precision_recall').rows.length")
    assert curve.display == "line" and drawn == rows


def test_pages_print_on_paper(opened: Callable[..., Page]) -> None:
    page = opened("customer_risk")
    page.emulate_media(media="print")
    assert page.locator("nav").is_hidden()
    assert len(page.pdf(prefer_css_page_size=True)) > 20_000


@pytest.mark.parametrize("question", questions(), ids=lambda it: it.text)
def test_a_question_is_answered_without_scrolling(
    opened: Callable[..., Page], question: Question
) -> None:
    """A list that goes on below shows its first rows."""
    found, card = question.find(tuple(PAGES.values()))
    page = opened(found.key, hash_=f"#tab={card.tab}" if card.tab else "")
    box = page.locator(f"#card_{card.key}").bounding_box()
    assert box is not None
    assert box["y"] + min(box["height"], 220 if card.is_scrolled else box["height"]) <= 900
