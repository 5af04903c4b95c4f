"""Pages that everybody can use: axe finds nothing, nothing is cut, the keyboard reaches everything,
and paper has the whole of every list."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page
from pypdf import PdfReader

from python_ml.engines import Warehouse
from python_ml.pages.compile import load_dashboards
from tests.dashboards.pages.clipping import clipped
from tests.dashboards.pages.test_browser import READY, Scheme, apply

PAGES = {page.key: page for page in load_dashboards()}
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
SCREENS = {"phone": 390, "tablet": 768, "small laptop": 1100, "laptop": 1400, "desktop": 1440}
FINDINGS = """async () => {
    const found = await axe.run(document, {resultTypes: ["violations"]});
    return found.violations.flatMap((it) => it.nodes.map((node) => `${it.id}: ${node.target}`));
}"""
WIDER = """() => [...document.querySelectorAll(".scroll")].filter(
    (it) => it.scrollWidth > it.clientWidth + 1).map((it) => it.closest(".card").id)"""


@pytest.fixture
def opened(browser: Browser, company: Path) -> Iterator[Callable[..., Page]]:
    contexts = []

    def open_page(key: str, width: int = 1440, scheme: Scheme = "light", hash_: str = "") -> Page:
        contexts.append(
            browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        )
        page = contexts[-1].new_page()
        page.goto((company / "reports" / "dashboards" / f"{key}.html").as_uri() + hash_)
        page.wait_for_selector(READY)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize(
    ("width", "scheme"), [*((it, "light") for it in SCREENS.values()), (SCREENS["desktop"], "dark")]
)
@pytest.mark.parametrize("key", PAGES)
def test_axe_finds_nothing_and_nothing_is_cut(
    opened: Callable[..., Page], key: str, width: int, scheme: str
) -> None:
    page = opened(key, width, scheme)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for tab in PAGES[key].tabs or (None,):
        if tab is not None:
            page.get_by_role("tab", name=tab.name, exact=True).click()
        assert page.evaluate(FINDINGS) == []
        assert clipped(page) == []
        if width >= SCREENS["laptop"]:
            assert page.evaluate(WIDER) == [], "a list that scrolls sideways"


def test_a_phone_shows_a_single_row_whole(opened: Callable[..., Page]) -> None:
    """Why the last run failed and what to do next stand in the last columns."""
    page = opened("pipeline_status", SCREENS["phone"])
    cells = page.locator("#card_banner td")
    boxes = [cells.nth(number).bounding_box() for number in range(cells.count())]
    assert len(boxes) == 5
    assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)
    assert "Next step" in cells.nth(2).evaluate("it => getComputedStyle(it, '::before').content")


def focused(page: Page) -> str:
    script = "document.activeElement.id || document.activeElement.textContent"
    return str(page.evaluate(script))


def test_tabs_are_opened_by_the_arrow_keys_and_keep_the_focus(opened: Callable[..., Page]) -> None:
    page = opened("data_explorer")
    page.focus("#tab_customers")
    for key, tab in (
        *(("ArrowRight", "months"), ("ArrowRight", "interactions"), ("End", "churn")),
        *(("ArrowRight", "customers"), ("ArrowLeft", "churn"), ("Home", "customers")),
    ):
        page.keyboard.press(key)
        assert focused(page) == f"tab_{tab}"
        assert page.locator("[role=tab][aria-selected=true]").inner_text() == next(
            it.name for it in PAGES["data_explorer"].tabs if it.key == tab
        )


def test_the_focus_stays_where_it_was(opened: Callable[..., Page]) -> None:
    """After a filter was set and after a table was sorted, which screen readers are told."""
    page = opened("customer_risk")
    page.focus("#filter_segment")
    apply(page, lambda: page.select_option("#filter_segment", "SME"))
    assert focused(page) == "filter_segment"
    assert page.locator("#live").inner_text() == "The page shows the filtered values"
    page.locator("#card_list th button").nth(1).focus()
    page.keyboard.press("Enter")
    assert focused(page).startswith("Tier")
    assert "sorted by Tier" in page.locator("#live").inner_text()


def test_the_keyboard_reaches_everything_in_the_order_in_which_it_is_read(
    opened: Callable[..., Page],
) -> None:
    page = opened("recommendations")
    order = page.evaluate(
        """() => [...document.querySelectorAll("a[href], button:not([disabled]), select, input,"
            + " [tabindex='0']")].filter((it) => it.tabIndex >= 0 && it.checkVisibility()).length"""
    )
    places = []
    page.evaluate("document.activeElement.blur()")
    for _ in range(order):
        page.keyboard.press("Tab")
        places.append(
            page.evaluate(
                """() => {
                    const it = document.activeElement, all = [...document.querySelectorAll("*")];
                    return [all.indexOf(it), it.matches(":focus-visible")];
                }"""
            )
        )
    assert all(is_seen for _, is_seen in places)
    assert [place for place, _ in places] == sorted(place for place, _ in places)


def test_tiers_are_sorted_by_rank(opened: Callable[..., Page]) -> None:
    page = opened("overview")
    column = "#card_tiers tbody tr td:first-child"
    page.locator("#card_tiers th button").first.click()
    ranked = ("Critical", "High", "Medium", "Low")
    shown = page.locator(column).all_inner_texts()
    assert shown == [it for it in ranked if it in shown]


def test_a_bad_address_says_so(opened: Callable[..., Page]) -> None:
    page = opened("data_explorer", hash_="#tab=nowhere&colour=red")
    said = page.get_by_role("alert").inner_text()
    assert "tab “nowhere”" in said and "colour “red”" in said


def test_a_filter_says_what_it_does_not_reach(opened: Callable[..., Page]) -> None:
    page = opened("customer_risk")
    apply(page, lambda: page.select_option("#filter_segment", "SME"))
    missed = page.locator("#card_state .missed").inner_text()
    assert missed == "Not filtered by segment"
    assert page.locator("#card_list .missed").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_has_every_offer(
    opened: Callable[..., Page], warehouse: Warehouse, scheme: str
) -> None:
    page = opened("recommendations", scheme=scheme)
    paper = PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))
    assert paper.pages[0].mediabox.width > paper.pages[0].mediabox.height
    text = " ".join(sheet.extract_text() for sheet in paper.pages)
    offers = warehouse.query(
        "select customer_id from mart_recommendation where decision = 'offered'"
    )["customer_id"]
    assert set(re.findall(r"C\d{5}", text)) >= set(offers)
