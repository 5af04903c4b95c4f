"""One meaning: a figure or a term that appears in several places is the same in all of them.

The list is made from the places themselves: marts, cards on both engines (as Metabase and the pages
run them), Metabase's metrics, the pages as they were written, the terminal and the model card. It
is written to `target/one_meaning.md`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from python_ml.engines import Warehouse
from python_ml.pages.compile import load_dashboards
from python_ml.pages.metabase.wanted import Ids, Wanted
from python_ml.pages.metrics import load_metrics
from python_ml.pages.model import Card
from python_ml.pages.results import plain, run_card, statement
from python_ml.view.summary import DEFINED_TERMS
from tests.dashboards.fake.queries import sql_of

PAGES = {page.key: page for page in load_dashboards()}
LIST = Path("target/one_meaning.md")
METRICS = {
    "PR-AUC": "pr_auc",
    "ROC-AUC": "roc_auc",
    "Precision": "precision",
    "Recall": "recall",
    "Calibration error": "ece",
}


@dataclass
class Fact:
    """One figure or term; place -> what it says there, as text."""

    name: str
    said: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}: {self.said}"


@dataclass
class Places:
    """Where figures are looked up."""

    warehouse: Warehouse
    postgres: psycopg.Connection
    home: Path

    def card(
        self, symbol: str, column: str, key: str | None = None, is_at: str | int = ""
    ) -> dict[str, Any]:
        """A value of a card: by DuckDB, by Postgres as Metabase runs it, and in the page."""
        page, _, name = symbol.partition(".")
        card = next(it for it in PAGES[page].cards if it.key == name)
        return {
            f"{symbol} (DuckDB)": self._value(
                card, run_card(self.warehouse, card, "duckdb"), column, key, is_at
            ),
            f"{symbol} (Metabase)": self._value(card, self._by_metabase(card), column, key, is_at),
            f"{page}.html": self._value(card, self._in_page(card), column, key, is_at),
        }

    def metric(self, key: str) -> dict[str, Any]:
        """A metric of Metabase's query builder, as Postgres answers it."""
        metric = next(it for it in load_metrics() if it.key == key)
        numbers = {name: number for number, name in enumerate(sorted(metric.columns))}
        fields = [{"id": number, "name": name} for name, number in numbers.items()]
        ids = Ids(
            tables={metric.table: 1},
            fields={(metric.table, name): number for name, number in numbers.items()},
        )
        body = Wanted((), "postgres", "main").metric_body(metric, ids)
        table = {"schema": "company", "name": metric.table, "fields": fields}
        row = self.postgres.execute(sql_of(body["dataset_query"], {1: table}).encode()).fetchone()
        assert row is not None
        return {f"metric {key} (Metabase)": row[0]}

    def _by_metabase(self, card: Card) -> list[list[Any]]:
        rows = self.postgres.execute(statement(card, "postgres"))
        return [[float(it) if isinstance(it, Decimal) else plain(it) for it in row] for row in rows]

    def _in_page(self, card: Card) -> list[list[Any]]:
        path = self.home / "reports" / "dashboards" / f"{card.dashboard}.html"
        document = path.read_text(encoding="utf-8").split('id="document">')[1]
        cards = json.loads(document.split("</script>")[0])["cards"]
        return next(it["rows"] for it in cards if it["key"] == card.key)

    @staticmethod
    def _value(
        card: Card, rows: list[list[Any]], column: str, key: str | None, is_at: str | int
    ) -> Any:
        at = card.columns.index
        found = [row for row in rows if key is None or row[at(key)] == is_at]
        assert len(found) == 1, (card.symbol, is_at)
        return found[0][at(column)]

    def terminal(self, command: str) -> str:
        """What a command printed, its lines joined and its frames dropped."""
        text = (self.home / f"{command}.txt").read_text(encoding="utf-8")
        return " ".join(re.sub(r"[┃│┏┓┡┩└┘━─┳╇┴┼├┤]", " | ", text).split())


def euro(value: float) -> str:
    return f"{value:,.0f} €"


def count(value: float) -> str:
    return f"{value:,}"


def third(value: float) -> str:
    return f"{value:.3f}"


def percent(value: float) -> str:
    return f"{value:.1%}"


def facts(places: Places) -> list[Fact]:
    found: list[Fact] = []
    (overview,) = places.warehouse.query("select * from mart_overview").to_dict("records")
    score, run = places.terminal("score"), places.terminal("run")

    def add(name: str, write: Any, said: dict[str, Any], text: str = "", pattern: str = "") -> None:
        fact = Fact(name, {place: write(value) for place, value in said.items()})
        if text:
            match = re.search(pattern, text)
            fact.said["terminal"] = match[1] if match else f"no match of {pattern!r}"
        found.append(fact)

    card, mart = places.card, "mart_overview"
    number = r"([\d,.]+(?:%| €)?)"
    add(
        "Customers",
        count,
        {
            mart: overview["customer_count"],
            **places.metric("customers"),
            **card("customer_risk.customers", "customer_count"),
            **card("overview.state", "customer_count"),
        },
        score,
        rf"of {number} customers are flagged",
    )
    add(
        "Customers at risk",
        count,
        {
            mart: overview["at_risk_count"],
            **places.metric("customers_at_risk"),
            **card("overview.at_risk", "at_risk_count"),
            **card("customer_risk.at_risk", "customer_count"),
        },
    )
    add(
        "Flagged",
        count,
        {
            mart: overview["flagged_count"],
            **places.metric("customers_flagged"),
            **card("customer_risk.flagged", "customer_count"),
        },
        score,
        rf"{number} of [\d,]+ customers are flagged",
    )
    add(
        "Expected loss, all customers",
        euro,
        {
            mart: overview["expected_monthly_loss_eur"],
            **places.metric("expected_loss"),
            **card("overview.expected_loss", "expected_monthly_loss_eur"),
            **card("customer_risk.loss", "expected_monthly_loss_eur"),
            **card("overview.trend", "expected_monthly_loss_eur", "run_number", 2),
        },
        score,
        rf"Expected loss of all customers: {number}",
    )
    at_risk = places.warehouse.query(
        "select sum(expected_monthly_loss_eur) as loss from mart_customer_risk where is_at_risk"
    )["loss"].iloc[0]
    add(
        "Expected loss, at risk",
        euro,
        {
            "mart_customer_risk": at_risk,
            **card("overview.loss_at_risk", "expected_monthly_loss_eur"),
        },
        score,
        rf"{number} of it from customers at risk",
    )
    add(
        "Mean probability",
        percent,
        {
            mart: overview["mean_churn_probability"],
            **places.metric("expected_churn_rate"),
            **card("customer_risk.mean_risk", "churn_probability"),
        },
        score,
        rf"All \| [\d,]+ \| 100.0% \| {number} \|",
    )
    add(
        "Offers to make",
        count,
        {
            mart: overview["offer_count"],
            **places.metric("offers"),
            **card("recommendations.offers", "offer_count"),
        },
        score,
        rf"{number} offers to make",
    )
    cost = overview["offer_budget_eur"] + overview["contact_cost_eur"]
    add(
        "Offer cost",
        euro,
        {
            mart: cost,
            **places.metric("offer_cost"),
            **card("recommendations.cost", "offer_cost_eur"),
        },
        score,
        rf"offers to make cost {number}",
    )
    add(
        "Net value of the offers",
        euro,
        {
            mart: overview["expected_net_value_eur"],
            **places.metric("net_value"),
            **card("overview.net_value", "expected_net_value_eur"),
            **card("recommendations.net_value", "expected_net_value_eur"),
        },
        score,
        rf"All(?: \| [^|]+){{5}} \| [\d,]+ € \| {number} \|",
    )
    for name, column in (
        ("As of", "as_of_date"),
        ("Labels of", "training_as_of_date"),
        ("Run", "run_id"),
        ("Model version", "model_version"),
    ):
        said = {mart: plain(overview[column])}
        for page in ("overview", "customer_risk", "recommendations", "model_performance"):
            said |= card(f"{page}.state", column)
        add(name, str, said)
    tiers = places.warehouse.query(
        "select risk_tier, count(*) as n, sum(expected_monthly_loss_eur) as loss "
        "from mart_customer_risk group by risk_tier"
    ).to_dict("records")
    for tier in tiers:
        name = tier["risk_tier"]
        row = rf"\b{name} \| "
        cells = card("overview.tiers", "customer_count", "risk_tier", name)
        add(
            f"Customers in {name}",
            count,
            {
                "mart_customer_risk": tier["n"],
                **cells,
                **card("customer_risk.tiers", "customer_count", "risk_tier", name),
            },
            score,
            rf"{row}{number}",
        )
        add(
            f"Expected loss in {name}",
            euro,
            {
                "mart_customer_risk": tier["loss"],
                **card("overview.tiers", "expected_monthly_loss_eur", "risk_tier", name),
            },
            score,
            rf"{row}(?:[^|]+\| ){{3}}{number}",
        )
        for title, column, write, before in (
            ("Mean probability", "mean_churn_probability", percent, 2),
            ("Offers", "offer_count", count, 4),
            ("Offer cost", "offer_cost_eur", euro, 5),
            ("Net value", "expected_net_value_eur", euro, 6),
        ):
            add(
                f"{title} in {name}",
                write,
                card("overview.tiers", column, "risk_tier", name),
                score,
                rf"{row}(?:[^|]+\| ){{{before}}}{number}",
            )
    version = overview["model_version"]
    model_card = " ".join(
        next((places.home / "reports" / "cards" / version).glob("*.md"))
        .read_text(encoding="utf-8")
        .split()
    )
    for title, metric in METRICS.items():
        said = {
            mart: overview[f"test_{metric}"],
            **card("model_performance.metrics", "champion_value", "measure", title),
        }
        add(f"{title} on the test set", third, said, run, rf"\| {title} \| {number}")
        match = re.search(rf"\| {title} \| {number}", model_card)
        found[-1].said["model card"] = match[1] if match else "missing"
        if metric in ("pr_auc", "recall", "ece"):
            shown = {"ece": "calibration error", "pr_auc": "PR-AUC"}.get(metric, metric)
            estimate = card("model_performance.gate", "estimate", "measure", shown)
            found[-1].said |= {place: third(value) for place, value in estimate.items()}
        if metric != "ece":
            scalar = (
                card(f"model_performance.{metric}", "measure_value") if metric != "roc_auc" else {}
            )
            found[-1].said |= {place: third(value) for place, value in scalar.items()}
        without = card("model_performance.metrics", "without_text_value", "measure", title)
        add(
            f"{title} without text",
            third,
            without,
            run,
            rf"\| {title} \| [\d.]+ \| [\d.]+ to [\d.]+ \| {number}",
        )
    add(
        "Checks of the gate",
        str,
        {
            mart: "{gate_passed_count} of {gate_check_count} checks passed".format_map(overview),
            **card("overview.health", "detail", "area", "Model: gate"),
        },
    )
    drift = {
        "mart_health": places.warehouse.query(
            "select verdict from mart_health where area = 'Model: drift'"
        )["verdict"].iloc[0],
        **card("overview.health", "verdict", "area", "Model: drift"),
        **card("drift_monitor.prediction", "verdict"),
    }
    add("Drift", str, drift, score, r"Drift: (not measured)")
    return found


def terms(places: Places) -> list[Fact]:
    score, found = places.terminal("score"), []
    for term in places.warehouse.query(
        "select * from mart_definition order by definition_number"
    ).to_dict("records"):
        said = {"mart_definition": term["definition"]}
        for page in PAGES.values():
            cards = [it for it in page.cards if it.key == "definitions"]
            if cards and f"'{term['term_key']}'" in cards[0].statements["duckdb"]:
                said |= places.card(f"{page.key}.definitions", "definition", "term", term["term"])
        fact = Fact(f"{term['term']} means", {place: str(text) for place, text in said.items()})
        if term["term_key"] in DEFINED_TERMS:
            fact.said["terminal"] = (
                str(term["definition"])
                if f"{term['term']}: {term['definition']}" in score
                else "other words"
            )
        found.append(fact)
    return found


@pytest.fixture(scope="module")
def listed(
    warehouse: Warehouse, marts_in_postgres: psycopg.Connection, company: Path
) -> list[Fact]:
    places = Places(warehouse, marts_in_postgres, company)
    found = [*facts(places), *terms(places)]
    LIST.parent.mkdir(exist_ok=True)
    rows = [
        f"| {it.name} | {len(it.said)} | {' · '.join(sorted(set(it.said.values())))} |"
        for it in found
    ]
    LIST.write_text("\n".join(["| What | Places | Says |", "| --- | --- | --- |", *rows, ""]))
    return found


def test_at_least_forty_figures_and_terms_are_in_more_than_one_place(listed: list[Fact]) -> None:
    several = [it for it in listed if len(it.said) > 1]
    print(f"{len(several)} figures and terms, {sum(len(it.said) for it in several)} places")
    assert len(several) >= 40


def test_all_places_say_the_same(listed: list[Fact]) -> None:
    assert [str(it) for it in listed if len(set(it.said.values())) > 1] == []


def test_the_glossary_has_every_term(warehouse: Warehouse) -> None:
    glossary = Path("docs/glossary.md").read_text(encoding="utf-8").lower()
    terms = warehouse.query("select term from mart_definition")["term"]
    rows = {cell.strip() for line in glossary.splitlines() for cell in line.split("|")[1:2]}
    words = {word.strip() for row in rows for word in row.split(",")}
    missing = [term for term in terms if term.lower() not in words | {"95% interval"}]
    assert missing == [] and "interval" in words
