"""Definitions of dashboards: what compiles, and what is refused, with file and line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import trino_sql_validator

from python_ml.pages.compile import DEFINITIONS, load_dashboards
from python_ml.pages.exposures import EXPOSURES_FILE, exposures_yaml
from python_ml.pages.model import Card
from python_ml.pages.problems import DefinitionError
from python_ml.pages.template import DIALECTS, TAG, card_sql, parse, with_values

PAGES = load_dashboards()
CARDS = {card.symbol: card for page in PAGES for card in page.cards}

PAGE = """\
name: Risk
description: Who is at risk.
number: 1
parameters:
  - key: segment
    name: Segment
    values: [Residential, SME, Corporate]
cards:
  - key: tiers
    name: Tiers
    display: bar
    at: [0, 0, 12, 6]
    visualization:
      graph.dimensions: [risk_tier]
      graph.metrics: [customer_count]
  - key: customers
    name: Customers
    display: table
    at: [0, 12, 12, 6]
    columns:
      customer_id: {title: Customer}
      churn_probability: {format: percent}
    click:
      dashboard: risk
      column: customer_id
      set: {segment: segment}
texts:
  - key: about
    at: [6, 0, 24, 2]
    markdown: See [the same](dashboard:risk).
"""
TIERS = """\
select
    risk_tier,
    count(*) as customer_count
from mart_customer_risk
where
    true
    [[and segment = {{segment}}]]
group by risk_tier
"""
CUSTOMERS = """\
select
    customer_id,
    segment,
    churn_probability
from mart_customer_risk
where
    true
    [[and segment = {{segment}}]]
"""


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_trino_accepts_every_card(card: Card) -> None:
    """With every filter set, and with none."""
    sql = card_sql(card.sql, "athena")
    defaults = {tag.name: tag.default for tag in card.tags if tag.default is not None}
    for values in ({tag.name: "x" for tag in card.tags}, defaults):
        assert not TAG.search(plain := with_values(sql, values))
        assert trino_sql_validator.validate(plain, jinja="reject").valid, plain


def test_the_pages_stand_in_the_order_of_the_menu() -> None:
    assert tuple(sorted(PAGES, key=lambda page: page.number)) == PAGES
    assert {page.key for page in PAGES} >= {"overview", "customer_risk", "customer_lookup"}


def test_every_page_says_its_as_of_date_and_run() -> None:
    for page in PAGES:
        shown = [card for card in page.cards if card.position is not None]
        assert any({"as_of_date", "run_id"} <= set(card.columns) for card in shown), page.key


def test_exposures_are_those_of_the_definitions() -> None:
    assert EXPOSURES_FILE.read_text(encoding="utf-8") == exposures_yaml(PAGES), (
        "run python -m python_ml.pages.exposures"
    )


def test_clauses_survive_in_every_dialect() -> None:
    sql = (
        "select a / b as share from t where a > 0 [[and c = {{c}}]] "
        "and d = coalesce([[{{d}},]] null, 'x') order by a desc limit 3"
    )
    for target in DIALECTS:
        text = card_sql(sql, target)
        assert "[[AND c = {{c}}]]" in text
        assert "[[{{d}},]]" in text
        assert parse(with_values(text, {})).tags == ()
        assert "c = 'O''Neill'" in with_values(text, {"c": "O'Neill"})
    athena = card_sql(sql, "athena")
    assert "CAST(a AS DOUBLE)" in athena, "a share of whole numbers is no whole number"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "risk").mkdir()
    (tmp_path / "risk.yml").write_text(PAGE)
    (tmp_path / "risk" / "tiers.sql").write_text(TIERS)
    (tmp_path / "risk" / "customers.sql").write_text(CUSTOMERS)
    return tmp_path


def test_the_page_that_the_broken_ones_are_made_of_is_sound(folder: Path) -> None:
    (page,) = load_dashboards(folder)
    assert [card.key for card in page.cards] == ["tiers", "customers"]
    assert page.cards[0].mappings[0].parameter_id == page.parameters[0].id
    assert page.cards[1].click is not None


def yml(old: str, new: str) -> Callable[[Path], Path]:
    return _edit("risk.yml", old, new)


def sql(old: str, new: str) -> Callable[[Path], Path]:
    return _edit("risk/tiers.sql", old, new)


def _edit(name: str, old: str, new: str) -> Callable[[Path], Path]:
    def edit(folder: Path) -> Path:
        path = folder / name
        text = path.read_text()
        assert text.count(old) >= 1
        path.write_text(text.replace(old, new, 1))
        return path

    return edit


BROKEN = {
    "overlap": (yml("at: [0, 12, 12, 6]", "at: [5, 11, 12, 6]"), 19, "overlaps the card at row 0"),
    "off the grid": (yml("at: [0, 12, 12, 6]", "at: [0, 14, 12, 6]"), 19, "off the grid of 24"),
    "left of the grid": (yml("at: [0, 0, 12, 6]", "at: [0, -1, 12, 6]"), 12, "is off the grid"),
    "no place": (yml("at: [0, 0, 12, 6]", "at: [0, 0, 12]"), 12, "[row, column, width, height]"),
    "unknown key": (yml("    display: bar", "    displya: x\n    display: bar"), 11, "'displya'"),
    "missing name": (yml("    name: Tiers\n", ""), 9, "name is missing"),
    "key there twice": (yml("  - key: customers", "  - key: tiers"), 16, "taken by line 9"),
    "bad display": (yml("display: bar", "display: bars"), 11, "'bars' is none of bar, row"),
    "bad choice": (
        yml("      graph.metrics", "      stackable.stack_type: piled\n      graph.metrics"),
        15,
        "'piled' is none of stacked, normalized",
    ),
    "bad kind": (
        yml("      graph.metrics", "      graph.show_values: 3\n      graph.metrics"),
        15,
        "expected bool",
    ),
    "unknown setting": (
        yml("      graph.metrics", "      pie.metric: risk_tier\n      graph.metrics"),
        15,
        "bar has no setting 'pie.metric'",
    ),
    "setting missing": (yml("      graph.metrics: [customer_count]\n", ""), 13, "graph.metrics"),
    "chart of an unknown column": (
        yml("graph.metrics: [customer_count]", "graph.metrics: [customers]"),
        15,
        "returns no column 'customers'",
    ),
    "table of an unknown column": (
        yml("churn_probability: {format", "churn: {format"),
        22,
        "returns no column 'churn'",
    ),
    "bad format": (yml("format: percent", "format: per cent"), 22, "'per cent' is none of euro"),
    "unknown filter": (
        yml("  - key: segment", "  - key: segments\n    column: segment"),
        None,
        "no filter of risk has this key",
    ),
    "filter of no card": (
        yml("cards:", "  - key: province\n    name: Province\ncards:"),
        None,
        "filter 'province' reaches no card",
    ),
    "unmapped filter": (
        sql("    [[and segment = {{segment}}]]\n", ""),
        9,
        "filter 'segment' does not reach card 'tiers'",
    ),
    "click on an unknown page": (
        yml("dashboard: risk\n", "dashboard: lookup\n"),
        24,
        "'lookup' is none of risk",
    ),
    "click sets an unknown filter": (
        yml("set: {segment: segment}", "set: {customer: segment}"),
        26,
        "risk has no filter 'customer'",
    ),
    "link to an unknown page": (yml("dashboard:risk", "dashboard:riks"), 30, "is no dashboard"),
    "not YAML": (yml("name: Risk\n", "name: [Risk\n"), None, "not YAML"),
    "unknown column in SQL": (sql("    risk_tier,", "    tier,"), 2, "Column 'tier'"),
    "no mart": (sql("mart_customer_risk", "gold_master"), 4, "gold_master is no mart"),
    "another dialect": (
        sql("count(*) as customer_count", "countif(true) as customer_count"),
        3,
        "not a function of every engine",
    ),
    "not SQL": (sql("where\n    true", "where\n    true true true )"), 6, "not SQL of DuckDB"),
    "two statements": (sql("group by risk_tier", "group by 1; drop table x"), 1, "one SELECT"),
    "clause without its end": (sql("{{segment}}]]", "{{segment}}"), 7, "without its other end"),
    "clause of another form": (sql("[[and segment", "[[or segment"), 7, "an optional clause is"),
    "value without a default": (
        sql("[[and segment = {{segment}}]]", "and segment = {{segment}}"),
        7,
        "the filter has no default",
    ),
}


@pytest.mark.parametrize(("edit", "line", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_definition_is_refused_with_file_and_line(
    folder: Path, edit: Callable[[Path], Path], line: int | None, message: str
) -> None:
    path = edit(folder)
    with pytest.raises(DefinitionError) as refused:
        load_dashboards(folder)
    found = [problem for problem in refused.value.problems if message in problem.message]
    assert found, str(refused.value)
    if line is None:
        assert all(problem.line >= 1 for problem in found)
    elif "filter 'segment' does not reach" in message:
        assert (found[0].path, found[0].line) == (folder / "risk.yml", line)
    else:
        assert (found[0].path, found[0].line) == (path, line), str(refused.value)


def test_all_that_is_wrong_is_told_at_once(folder: Path) -> None:
    yml("display: bar", "display: bars")(folder)
    sql("mart_customer_risk", "gold_master")(folder)
    with pytest.raises(DefinitionError) as refused:
        load_dashboards(folder)
    assert {problem.path.name for problem in refused.value.problems} == {"risk.yml", "tiers.sql"}
    assert refused.value.exit_code == 2


def test_sql_without_a_card_and_a_card_without_sql_are_found(tmp_path: Path) -> None:
    shutil.copytree(DEFINITIONS, tmp_path / "all")
    page = PAGES[0]
    (tmp_path / "all" / page.key / "left_over.sql").write_text("select 1 as one")
    (tmp_path / "all" / page.key / f"{page.cards[0].key}.sql").unlink()
    with pytest.raises(DefinitionError, match="no card of") as refused:
        load_dashboards(tmp_path / "all")
    assert "there is no" in str(refused.value)
