"""Data Docs as people read them: every control does something, and the counts are those of the
checks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page

from python_ml.quality import QualityProcess
from python_ml.quality.checks import Check, checks_frame

CHECKS = {"raw": (0.0, 0.9), "gold": (0.0, 0.01)}  # shares of nulls; 5% is allowed
CONTROLS = "a[href], button, label, input, select, [onclick], [data-toggle=collapse]"


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two layers, one of which has a check that failed, beside another kind that passed."""
    checks = [
        Check(layer, "customers", f"column_{number}", "null_share", "stop", share, 0.05, 0, 100)
        for layer, shares in CHECKS.items()
        for number, share in enumerate(shares)
    ]
    checks += [Check(it, "customers", "", "row_count", "stop", 9.0, 1.0, 0, 9) for it in CHECKS]
    folder = tmp_path_factory.mktemp("docs") / "r1"
    with closing(QualityProcess()) as examiner:
        frame = checks_frame(checks)
        decided = [examiner.decide(frame[frame["layer"] == layer]) for layer in CHECKS]
        examiner.write_docs(pd.concat(decided), folder)
        examiner.settle()
    return folder


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser without a network, which must end without an error of a script."""
    context = browser.new_context(offline=True)
    opened, errors = context.new_page(), []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


def layer_page(docs: Path, layer: str) -> str:
    return next(docs.rglob(f"warehouse-{layer}.html")).as_uri()


def text_of(page: Page) -> str:
    text: str = page.locator("body").inner_text()
    return text


@pytest.mark.parametrize("layer", CHECKS)
def test_every_control_does_something(docs: Path, page: Page, layer: str) -> None:
    page.goto(layer_page(docs, layer))
    count = page.locator(f":is({CONTROLS}):visible").count()
    assert count > 4
    for number in range(count):
        page.goto("about:blank")
        page.goto(layer_page(docs, layer))
        control = page.locator(f":is({CONTROLS}):visible").nth(number)
        name = control.evaluate("it => it.outerHTML")
        if "showAllValidations" in name or "option1" in name:  # chosen already: choose the other
            page.get_by_label("Failed Only").check()
        before = (page.url, text_of(page))
        control.click()
        page.wait_for_load_state()
        assert (page.url, text_of(page)) != before, f"dead: {name}"
        if page.url.startswith("file:") and "#" not in page.url:
            assert page.locator("h1, h4").first.is_visible(), f"leads nowhere: {name}"


def test_only_what_failed_is_shown_when_asked_for(docs: Path, page: Page) -> None:
    page.goto(layer_page(docs, "raw"))
    passed, failed = page.get_by_text("The table has rows"), page.get_by_text("share of nulls")
    assert passed.is_visible() and failed.is_visible()
    page.get_by_label("Failed Only").check()
    assert failed.is_visible() and not passed.is_visible()
    page.keyboard.press("ArrowLeft")  # by keyboard back to all
    assert page.get_by_label("Show All").is_checked() and passed.is_visible()


def test_a_part_opens_and_closes(docs: Path, page: Page) -> None:
    page.goto(layer_page(docs, "raw"))
    control, part = (
        page.get_by_text("Show more info"),
        page.get_by_text("Great Expectations Version"),
    )
    assert not part.is_visible()
    control.click()
    assert part.is_visible() and control.get_attribute("aria-expanded") == "true"
    control.click()
    assert not part.is_visible() and control.get_attribute("aria-expanded") == "false"


@pytest.mark.parametrize("layer", CHECKS)
def test_a_page_is_not_wider_than_a_phone(docs: Path, page: Page, layer: str) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(layer_page(docs, layer))
    page.get_by_text("Show more info").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_pages_of_layers_count_checks_and_lead_back(docs: Path, page: Page) -> None:
    page.goto(layer_page(docs, "raw"))
    assert page.title() == "Quality gates: raw"
    assert "2 of 3 checks passed" in text_of(page)
    page.get_by_role("link", name="Home").click()
    assert "raw: 2 of 3 checks passed" in text_of(page)
    assert "gold: 3 of 3 checks passed" in text_of(page)
