"""Definitions of dashboards: what compiles, and what is refused, with file and line."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlglot
import trino_sql_validator
from sqlglot import exp

from python_ml.pages.compile import DEFINITIONS, load_dashboards
from python_ml.pages.exposures import EXPOSURES_FILE, exposures_yaml
from python_ml.pages.model import Card
from python_ml.pages.problems import DefinitionError
from python_ml.pages.results import statement
from python_ml.pages.template import DIALECTS, TAG, card_sql, parse, with_values
from python_ml.pages.visualization import THEME_FILE, read_theme, theme
from tests.dashboards.questions import Question, questions
from tests.unit.project.test_documentation import REPLACED

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
      graph.x_axis.labels_enabled: false
      graph.y_axis.labels_enabled: false
  - key: customers
    name: Customers
    display: table
    at: [0, 12, 12, 6]
    rows: 6
    scrolls: true
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
# A page of the displays whose rules need other cards, with a page with tabs to click on.
DRAWN = """\
name: Drawn
description: Charts and tables.
number: 2
tabs:
  - key: one
    name: One
cards:
  - key: curve
    name: Curve
    display: line
    tab: one
    at: [0, 0, 12, 6]
    visualization:
      graph.dimensions: [x, feature_set]
      graph.metrics: [measure_value]
      graph.x_axis.labels_enabled: false
      graph.y_axis.labels_enabled: false
      graph.y_axis.auto_split: false
      graph.y_axis.auto_range: false
      graph.y_axis.min: 0
  - key: months
    name: Months
    display: table
    tab: one
    at: [0, 12, 12, 6]
    rows: 6
    columns:
      month: {title: Month}
      customer_id: {title: Customer}
      reasons: {title: Reasons, wrap: 1, width: 300}
    click:
      dashboard: drawn
      tab: one
      column: customer_id
  - key: trend
    name: Trend
    display: smartscalar
    tab: one
    at: [6, 0, 6, 3]
    visualization:
      scalar.field: customer_count
      scalar.comparisons:
        - {id: previous, type: anotherColumn, column: previous_customer_count, label: before}
  - key: slices
    name: Slices
    display: pie
    tab: one
    at: [6, 6, 8, 6]
    visualization: {pie.dimension: risk_tier, pie.metric: customer_count}
  - key: one_customer
    name: One customer
    display: object
    tab: one
    at: [6, 14, 10, 4]
    columns:
      customer_id: {}
      risk_tier: {}
      segment: {}
texts:
  - key: about
    tab: one
    at: [12, 0, 24, 2]
    markdown: See [the same](dashboard:drawn/one).
"""
DRAWN_SQL = {
    "curve": """\
select
    x,
    feature_set,
    max(measure_value) as measure_value
from mart_model_performance
where measure_kind = 'curve' and measure = 'roc'
group by x, feature_set
order by x
""",
    "months": """\
select
    substring(cast(as_of_date as varchar), 1, 7) as month,
    as_of_date as first_month,
    customer_id,
    reasons,
    case when is_flagged then 'yes' else 'no' end as flagged,
    is_flagged
from mart_customer_risk
""",
    "trend": """\
select
    as_of_date,
    customer_count,
    previous_customer_count
from mart_run_trend
where is_current
""",
    "slices": """\
select
    risk_tier,
    count(*) as customer_count
from mart_customer_risk
group by risk_tier
""",
    "one_customer": "select customer_id, risk_tier, segment from mart_customer_risk\n",
}


EXAMPLES = {"text": "O'Neill", "number": "12"}


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_trino_accepts_every_card(card: Card) -> None:
    """With every filter set, and with none."""
    for values in ({tag.name: EXAMPLES[tag.type] for tag in card.tags}, {}):
        assert not TAG.search(plain := statement(card, "athena", values))
        assert trino_sql_validator.validate(plain, jinja="reject").valid, plain


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_an_order_by_an_aggregate_names_no_output_column(card: Card) -> None:
    """Trino takes the name for the output column and refuses an aggregate of it; a column with its
    table is understood. DuckDB and Postgres accept both."""
    values = {tag.name: EXAMPLES[tag.type] for tag in card.tags}
    tree = sqlglot.parse_one(statement(card, "athena", values), dialect="trino")
    for select in tree.find_all(exp.Select):
        outputs = {output.alias_or_name for output in select.expressions}
        order = select.args.get("order")
        found = {
            column.name
            for aggregate in (order.find_all(exp.AggFunc) if order else ())
            if not aggregate.find_ancestor(exp.Window)
            for column in aggregate.find_all(exp.Column)
            if not column.table and column.name in outputs
        }
        assert not found, f"{card.key}: order by an aggregate of {found}"


def test_a_value_is_written_as_its_type_asks() -> None:
    """Within coalesce, a quoted number makes DuckDB and Trino refuse the column beside it."""
    card = CARDS["recommendations.what_if"]
    for target in DIALECTS:
        sql = statement(card, target, {"save_rate": "O'Neill", "budget": "1000", "other": "x"})
        assert "'O''Neill'" in sql
        assert re.search(r"coalesce\(\s*1000,", sql, re.IGNORECASE)
        assert "1000" not in statement(card, target)


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
        assert "c = 12" in with_values(text, {"c": "12"})
    athena = card_sql(sql, "athena")
    assert "CAST(a AS DOUBLE)" in athena, "a share of whole numbers is no whole number"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "risk").mkdir()
    (tmp_path / "risk.yml").write_text(PAGE)
    (tmp_path / "risk" / "tiers.sql").write_text(TIERS)
    (tmp_path / "risk" / "customers.sql").write_text(CUSTOMERS)
    (tmp_path / "drawn").mkdir()
    (tmp_path / "drawn.yml").write_text(DRAWN)
    for key, sql in DRAWN_SQL.items():
        (tmp_path / "drawn" / f"{key}.sql").write_text(sql)
    return tmp_path


def test_the_page_that_the_broken_ones_are_made_of_is_sound(folder: Path) -> None:
    page, drawn = load_dashboards(folder)
    assert drawn.key == "drawn"
    assert [card.key for card in page.cards] == ["tiers", "customers"]
    assert page.cards[0].mappings[0].parameter_id == page.parameters[0].id
    assert page.cards[1].click is not None


def yml(old: str, new: str) -> Callable[[Path], Path]:
    return _edit("risk.yml", old, new)


def sql(old: str, new: str) -> Callable[[Path], Path]:
    return _edit("risk/tiers.sql", old, new)


def drawn(old: str, new: str) -> Callable[[Path], Path]:
    return _edit("drawn.yml", old, new)


def _edit(name: str, old: str, new: str) -> Callable[[Path], Path]:
    def edit(folder: Path) -> Path:
        path = folder / name
        text = path.read_text()
        assert text.count(old) >= 1
        path.write_text(text.replace(old, new, 1))
        return path

    return edit


def test_cards_share_a_statement_by_the_lists_that_they_give(folder: Path) -> None:
    _edit("risk/tiers.sql", "    true\n", "    segment in (:wanted)\n")(folder)
    _edit(
        "risk.yml", "    name: Tiers\n", "    name: Tiers\n    lists: {wanted: [SME, O'Neill]}\n"
    )(folder)
    card = load_dashboards(folder)[0].cards[0]
    assert "segment IN ('SME', 'O''Neill')" in card.statements["duckdb"]


BROKEN = {
    "list that is not given": (
        sql("    true\n", "    segment in (:wanted)\n"),
        6,
        ":wanted is not among",
    ),
    "list without a value": (
        yml("    name: Tiers\n", "    name: Tiers\n    lists: {wanted: []}\n"),
        11,
        "wanted must be a list of texts",
    ),
    "model on a page": (
        yml("    name: Tiers\n", "    name: Tiers\n    model: true\n"),
        11,
        "a table without at, and without a filter",
    ),
    "list that nothing reads": (
        yml("    name: Tiers\n", "    name: Tiers\n    lists: {wanted: [SME]}\n"),
        11,
        "the statement has no :wanted",
    ),
    "overlap": (yml("at: [0, 12, 12, 6]", "at: [5, 11, 12, 6]"), 21, "overlaps the card at row 0"),
    "off the grid": (yml("at: [0, 12, 12, 6]", "at: [0, 14, 12, 6]"), 21, "off the grid of 24"),
    "left of the grid": (yml("at: [0, 0, 12, 6]", "at: [0, -1, 12, 6]"), 12, "is off the grid"),
    "no place": (yml("at: [0, 0, 12, 6]", "at: [0, 0, 12]"), 12, "[row, column, width, height]"),
    "unknown key": (yml("    display: bar", "    displya: x\n    display: bar"), 11, "'displya'"),
    "missing name": (yml("    name: Tiers\n", ""), 9, "name is missing"),
    "key there twice": (yml("  - key: customers", "  - key: tiers"), 18, "taken by line 9"),
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
        26,
        "returns no column 'churn'",
    ),
    "bad format": (yml("format: percent", "format: per cent"), 26, "'per cent' is none of euro"),
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
        28,
        "'lookup' is none of drawn, risk",
    ),
    "click sets an unknown filter": (
        yml("set: {segment: segment}", "set: {customer: segment}"),
        30,
        "risk has no filter 'customer'",
    ),
    "link to an unknown page": (yml("dashboard:risk", "dashboard:riks"), 34, "is no dashboard"),
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


# For each rule of what Metabase draws otherwise than meant (`python_ml/pages/drawing.py`).
DRAWN_OTHERWISE = {
    "rows that share a point": (
        _edit("drawn/curve.sql", "group by x, feature_set", "group by x, feature_set, point"),
        "drawn.yml",
        "graph.dimensions: [x, feature_set]",
        "several rows may share the same x and feature_set, and Metabase adds them up",
    ),
    "rows without a group that share a point": (
        _edit("drawn/slices.sql", "group by risk_tier", "group by risk_tier, segment"),
        "drawn.yml",
        "pie.dimension: risk_tier",
        "several rows may share the same risk_tier",
    ),
    "limit without auto_range": (
        drawn("      graph.y_axis.auto_range: false\n", ""),
        "drawn.yml",
        "graph.y_axis.min: 0",
        "graph.y_axis.min: has no effect without graph.y_axis.auto_range: false",
    ),
    "second axis by itself": (
        drawn("      graph.y_axis.auto_split: false\n", ""),
        "drawn.yml",
        "graph.metrics: [measure_value]",
        "graph.y_axis.auto_split: false",
    ),
    "series without order and colours": (
        drawn("[x, feature_set]", "[x, measure_value]"),
        "drawn.yml",
        "graph.dimensions: [x, measure_value]",
        "values of 'measure_value' have no order and no colours",
    ),
    "metrics without colours": (
        _edit("risk.yml", "[customer_count]", "[customer_count, risk_tier]"),
        "risk.yml",
        "graph.metrics: [customer_count, risk_tier]",
        "'customer_count' has no colour",
    ),
    "table too low for its rows": (
        drawn("rows: 6", "rows: 7"),
        "drawn.yml",
        "at: [0, 12, 12, 6]",
        "7 rows need a height of 7, not 6",
    ),
    "table that promises no rows": (
        drawn("    rows: 6\n", ""),
        "drawn.yml",
        "at: [0, 12, 12, 6]",
        "rows is missing",
    ),
    "rows of several lines": (
        drawn("wrap: 1", "wrap: 2"),
        "drawn.yml",
        "at: [0, 12, 12, 6]",
        "6 rows need a height of 8, not 6",
    ),
    "object too low for its fields": (
        drawn("at: [6, 14, 10, 4]", "at: [6, 14, 10, 3]"),
        "drawn.yml",
        "at: [6, 14, 10, 3]",
        "3 fields need a height of 4, not 3",
    ),
    "cell that cannot be read": (
        drawn(
            "    columns:\n      month",
            "    visualization:\n      table.column_formatting:\n        - {columns: [month], "
            "type: single, operator: '=', value: x, color: bad}\n    columns:\n      month",
        ),
        "drawn.yml",
        "table.column_formatting:",
        "has a contrast of 2.0; at least 4.5 is required",
    ),
    "long text that is cut": (
        drawn("{title: Reasons, wrap: 1, width: 300}", "{title: Reasons}"),
        "drawn.yml",
        "reasons: {title: Reasons}",
        "reasons: long text is cut unless it has wrap",
    ),
    "columns wider than the card": (
        drawn("width: 300", "width: 500"),
        "drawn.yml",
        "columns:\n      month",
        "in a card of 683; the last ones are cut",
    ),
    "axis without a title": (
        drawn("      graph.x_axis.labels_enabled: false\n", ""),
        "drawn.yml",
        "graph.metrics: [measure_value]",
        "the x axis is titled with the raw name of a column",
    ),
    "title that is cut": (
        drawn("name: Trend", "name: Trend of the customers of all the runs until now"),
        "drawn.yml",
        "name: Trend of",
        "name: Metabase cuts 'Trend of the customers of all the runs until now'",
    ),
    "month with a day": (
        drawn("month: {title: Month}", "first_month: {title: Month, format: month}"),
        "drawn.yml",
        "first_month: {",
        "first_month: Metabase writes a month with a day",
    ),
    "true and false": (
        drawn("month: {title: Month}", "is_flagged: {title: Flagged}"),
        "drawn.yml",
        "is_flagged: {",
        "is_flagged: Metabase writes true and false",
    ),
    "click without a tab": (
        drawn("      tab: one\n      column", "      column"),
        "drawn.yml",
        "dashboard: drawn\n",
        "drawn has tabs: name one under tab (one)",
    ),
    "click on an unknown tab": (
        drawn("      tab: one\n      column", "      tab: two\n      column"),
        "drawn.yml",
        "tab: two",
        "drawn has no tab 'two'",
    ),
    "link without a tab": (
        drawn("(dashboard:drawn/one)", "(dashboard:drawn)"),
        "drawn.yml",
        "markdown: See",
        "drawn has tabs",
    ),
    "trend without a date": (
        _edit("drawn/trend.sql", "    as_of_date,\n", ""),
        "drawn.yml",
        "scalar.field: customer_count",
        "exactly one column of dates beside numbers, not 0",
    ),
    "trend with text": (
        _edit("drawn/trend.sql", "    customer_count,", "    run_id,\n    customer_count,"),
        "drawn.yml",
        "scalar.field: customer_count",
        "no text (run_id)",
    ),
    "legend of a narrow pie": (
        drawn("at: [6, 6, 8, 6]", "at: [6, 6, 7, 6]"),
        "drawn.yml",
        "at: [6, 6, 7, 6]",
        "the legend of a pie needs a width of 8",
    ),
}


@pytest.mark.parametrize(
    ("edit", "file", "at", "message"), DRAWN_OTHERWISE.values(), ids=DRAWN_OTHERWISE.keys()
)
def test_what_metabase_would_draw_otherwise_is_refused_with_file_and_line(
    folder: Path, edit: Callable[[Path], Path], file: str, at: str, message: str
) -> None:
    edit(folder)
    text = (folder / file).read_text()
    assert text.count(at) == 1
    line = 1 + text.count("\n", 0, text.index(at))
    with pytest.raises(DefinitionError) as refused:
        load_dashboards(folder)
    found = [problem for problem in refused.value.problems if message in problem.message]
    assert found, str(refused.value)
    assert (found[0].path, found[0].line) == (folder / file, line), str(refused.value)


@pytest.mark.parametrize("path", sorted(DEFINITIONS.glob("*.yml")), ids=lambda path: path.stem)
def test_pages_use_the_words_of_the_glossary(path: Path) -> None:
    """In names, titles, descriptions, filters and texts; and write numbers as English does."""
    text = path.read_text(encoding="utf-8")
    found = [
        f"line {number}: {wrong!r} is called {right!r}"
        for number, line in enumerate(text.splitlines(), 1)
        for wrong, right in {**REPLACED, r"\d %": "95%"}.items()
        if re.search(rf"\b(?:{wrong})", line, re.IGNORECASE)
    ]
    assert found == []


def test_a_theme_with_a_dark_cell_is_refused_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "theme.yml"
    text = THEME_FILE.read_text(encoding="utf-8")
    path.write_text(text.replace('watch: "#f5c39b"', 'watch: "#d9782d"'))
    line = 1 + next(n for n, it in enumerate(text.splitlines()) if 'watch: "#f5c39b"' in it)
    with pytest.raises(DefinitionError, match=r"a contrast of 3\.5") as refused:
        read_theme(path)
    assert [(it.path, it.line) for it in refused.value.problems] == [(path, line)]


def test_tiers_of_a_stack_are_in_the_order_of_their_rank_and_in_their_colours() -> None:
    settings = CARDS["customer_risk.segments"].visualization_settings
    assert settings["graph.series_order_dimension"] == "risk_tier"
    assert [it["key"] for it in settings["graph.series_order"]] == list(theme().values["risk_tier"])
    assert {it["key"]: it["color"] for it in settings["graph.series_order"]} == theme().values[
        "risk_tier"
    ]


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


SHARED = """\
-- The highest tier.
with

chosen as (
    select max(risk_tier) as risk_tier
    from mart_customer_risk
)
"""


@pytest.mark.parametrize(
    ("broken", "place"),
    [("shared/chosen.sql", ("chosen.sql", 6)), ("risk/customers.sql", ("customers.sql", 7))],
)
def test_what_cards_begin_with_is_told_by_the_file_that_it_stands_in(
    folder: Path, broken: str, place: tuple[str, int]
) -> None:
    (folder / "shared").mkdir()
    (folder / "shared" / "chosen.sql").write_text(SHARED)
    own = "-- begins with ../shared/chosen.sql\n\n" + CUSTOMERS
    (folder / "risk" / "customers.sql").write_text(own)
    card = load_dashboards(folder)[0].cards[1]
    assert card.statements["duckdb"] == card_sql(SHARED + "\n" + CUSTOMERS.strip(), "duckdb")
    path = folder / broken
    path.write_text(path.read_text().replace("from mart_customer_risk", "from gold_master"))
    with pytest.raises(DefinitionError) as refused:
        load_dashboards(folder)
    found = [(it.path.name, it.line) for it in refused.value.problems]
    assert [it for it in found if it[0].endswith(".sql")] == [place]


def test_a_beginning_that_is_not_there_is_named(folder: Path) -> None:
    own = "-- begins with ../shared/nothing.sql\n" + CUSTOMERS
    (folder / "risk" / "customers.sql").write_text(own)
    with pytest.raises(DefinitionError, match=r"there is no .*nothing\.sql"):
        load_dashboards(folder)


FIRST_SCREEN = 13  # rows of the grid on a laptop, below the head of a page
FILTERS, TABS = 1, 1  # rows that these take


def test_four_readers_find_five_answers_each() -> None:
    readers = [question.reader for question in questions()]
    assert {reader: readers.count(reader) for reader in readers} == {
        "Retention manager": 5,
        "Analyst": 5,
        "Data scientist": 5,
        "On-call engineer": 5,
    }


@pytest.mark.parametrize("question", questions(), ids=lambda it: it.text)
def test_a_question_is_answered_within_the_first_screen(question: Question) -> None:
    page, card = question.find(PAGES)
    shown = card.position
    assert shown is not None
    filters = any(tag.name for it in page.cards if it.tab == card.tab for tag in it.tags)
    last = FIRST_SCREEN - (FILTERS if filters else 0) - (TABS if page.tabs else 0)
    # A list that goes on below shows its first rows here.
    end = shown.row + 4 if card.is_scrolled else shown.row + shown.height
    assert end <= last, f"{page.name}, {card.name} ends in row {end} of {last}"


def test_a_question_without_its_card_is_found_out() -> None:
    question = Question("Analyst", "Who?", "Overview", None, "No such card")
    with pytest.raises(LookupError, match="0 cards 'No such card'"):
        question.find(PAGES)
