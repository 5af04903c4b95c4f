"""The model card: every figure from the evaluation, nothing hidden, readable on its own."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from python_ml.engines import Warehouse
from python_ml.judge.verdict import EvaluateResult
from python_ml.pages.card.document import Document, Section, Table, Text
from python_ml.pipeline.evaluate import evaluate
from python_ml.pipeline.train import train
from python_ml.registry import open_registry
from python_ml.settings import Settings
from tests.unit import gold_fixture as gold

pytestmark = pytest.mark.slow

QUICK = {"audit.ablation.n_estimators": 5}


class Outline(HTMLParser):
    """Headings, and tags that were opened and never closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: Any, attrs: Any) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: Any) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: Any) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def made(
    home: Path, frame: pd.DataFrame | None = None, /, **overrides: Any
) -> tuple[Settings, Warehouse, EvaluateResult]:
    settings = gold.settings_for(home, **QUICK, **overrides)
    warehouse = gold.warehouse_with(settings, gold.gold_frame() if frame is None else frame)
    contract = gold.contract()
    version = train(warehouse, settings, contract, "run-1", gold.AS_OF_DATE).model_version
    result = evaluate(warehouse, settings, contract, "run-1", version)
    return settings, warehouse, result


Card = tuple[Settings, EvaluateResult, str, str]  # the card as a page and as Markdown


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    settings, _, result = made(tmp_path_factory.mktemp("home"))
    folder = settings.layout.models / result.model_version
    return settings, result, (folder / "card.html").read_text(), (folder / "card.md").read_text()


def test_figures_are_those_of_the_evaluation_with_and_without_text(card: Card) -> None:
    _, result, page, text = card
    for metrics in (result.metrics, result.metrics_without_text):
        found = metrics["pr_auc"]
        for shown in (f"{found.value:.3f}", f"{found.low:.3f} to {found.high:.3f}"):
            assert shown in page and shown in text
    flagged = result.metrics["true_positive_count"].value
    flagged += result.metrics["false_positive_count"].value
    assert f"It flagged {flagged:,.0f}" in text


def test_the_page_is_whole_and_needs_no_other_file(card: Card) -> None:
    _, _, page, _ = card
    outline = Outline(page)
    assert outline.open == []
    assert {"Purpose", "Gate", "Leakage audit", "Drift", "Limits"} <= set(outline.headings)
    assert page.count("data:image/png;base64,") == 4
    assert not re.search(r"(src|href)=.https?:", page)


def test_pictures_of_the_markdown_lie_beside_it_in_both_places(card: Card) -> None:
    settings, result, _, text = card
    names = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert len(names) == 4
    registry = settings.layout.models / result.model_version
    reports = settings.layout.reports / "cards" / result.model_version
    for folder in (registry, reports):
        assert all((folder / name).read_bytes()[:4] == b"\x89PNG" for name in names)
        assert (folder / "card.md").read_text() == text


def test_policies_are_compared_in_money(card: Card) -> None:
    text = card[3].split("## Whom to contact")[1].split("##")[0]
    assert "| Contact nobody | 0 | 0 | 0 (0 to 0) |" in text
    assert "By risk tier" in text and "By expected value | " in text


def test_what_has_not_been_measured_is_said(card: Card) -> None:
    assert "Not measured yet." in card[3]
    assert "ladder has not been run" in card[3]


def test_a_rejected_version_says_why(tmp_path: Path) -> None:
    settings, _, result = made(tmp_path, **{"gate.minimum_pr_auc": 0.99})
    text = (settings.layout.models / result.model_version / "card.md").read_text()
    assert "Status: Rejected." in text
    assert "it must be at least 0.9900" in text.split("## Purpose")[0]


def test_accepted_alarms_are_shown_with_who_and_why(tmp_path: Path) -> None:
    frame = gold.gold_frame()
    frame["is_negative_sentiment"] = frame["churn"]
    settings, warehouse, first = made(tmp_path, frame)
    origin = open_registry(settings).load(first.model_version).origin
    who = {"reason": "planted here", "author": "A. Uditor", "date": "2024-12-31"}
    who["data"] = origin["data_fingerprint"]["customers"]
    entries = [{"alarm": alarm.alarm, **who} for alarm in first.alarms[:1]]
    reviewed = settings.with_overrides({"audit.accepted": entries})
    evaluate(warehouse, reviewed, gold.contract(), "run-2", first.model_version)
    text = (settings.layout.models / first.model_version / "card.md").read_text()
    assert "A. Uditor, 2024-12-31: planted here" in text
    assert text.count("| not accepted |") == len(first.alarms) - 1 > 0


def test_the_card_does_not_touch_the_version(card: Card) -> None:
    settings, result, *_ = card
    assert open_registry(settings).load(result.model_version).version == result.model_version


def test_it_is_quick(card: Card) -> None:
    from python_ml.engines import open_warehouse
    from python_ml.pages.plots import gain_plot

    settings = card[0]
    curves = open_warehouse(settings).read_external("model_curve", "run-1")
    start = time.process_time()
    for _ in range(4):
        gain_plot(curves)
    assert time.process_time() - start < 3


def test_text_from_the_data_cannot_become_markup() -> None:
    table = Table(("a", "b"), [("<script>x</script>", "one | two")], figures=("b",))
    page = Document("t <i>", "s", [Section("u", [table, Text("<b>")])])
    assert "<script>" not in page.html() and "&lt;script&gt;" in page.html()
    assert "<b>" not in page.html() and "<title>t &lt;i&gt;</title>" in page.html()
    assert r"one \| two" in page.markdown()
