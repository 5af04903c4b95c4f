"""Metrics of the marts as dbt defines them, written as clauses of Metabase's query language.

A figure keeps one definition: `models/marts/_metrics.yml`, which MetricFlow answers from too. What
reads no mart is left out, because Metabase sees the marts only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from python_ml.pages.marts import MARTS_FILE, mart_columns
from python_ml.pages.problems import Entry, Problems, read_yaml

METRICS_FILE = MARTS_FILE.with_name("_metrics.yml")
REF = re.compile(r"ref\('([a-z0-9_]+)'\)")
OPERATORS = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.EQ: "="}


@dataclass(frozen=True)
class Column:
    """A column of the mart, in a clause; a server has an id for it."""

    name: str


Clause = list[Any]  # an operator, its options, then arguments: clauses, columns and literals


@dataclass(frozen=True)
class Metric:
    """One aggregation of one mart, for people to break down in the query builder."""

    key: str
    name: str
    description: str
    table: str
    aggregation: Clause
    column: str  # of the result; its suffix says the unit

    @property
    def symbol(self) -> str:
        """Unique among metrics and cards: no page is called so."""
        return f"metric.{self.key}"

    @property
    def columns(self) -> set[str]:
        return {it.name for it in _leaves(self.aggregation) if isinstance(it, Column)}


def load_metrics(path: Path = METRICS_FILE) -> tuple[Metric, ...]:
    """The metrics of a file that read marts, in its order.

    Raises:
        DefinitionError: a measure that Metabase cannot compute, with file and line.
    """
    problems = Problems()
    entry = read_yaml(path, problems)
    found: dict[str, Metric] = {}
    if entry is not None:
        measures = _measures(entry)
        for item in entry.entries("metrics"):
            metric = _metric(item, measures, found)
            if metric is not None:
                found[metric.key] = metric
    problems.raise_if_any()
    return tuple(found.values())


def with_fields(clause: Clause, field: Callable[[str], Any]) -> Clause:
    """The clause with each column replaced by what `field` says of it."""

    def filled(part: Any) -> Any:
        if isinstance(part, Column):
            return field(part.name)
        return [filled(it) for it in part] if isinstance(part, list) else part

    return [filled(part) for part in clause]


def _leaves(clause: Clause) -> list[Any]:
    return [
        leaf for part in clause for leaf in (_leaves(part) if isinstance(part, list) else [part])
    ]


def _measures(entry: Entry) -> dict[str, tuple[str, Entry]]:
    """Name of a measure -> the mart it reads and how it is defined."""
    found = {}
    for model in entry.entries("semantic_models"):
        reference = REF.fullmatch(model.text("model"))
        for measure in model.entries("measures"):
            if reference and reference[1] in mart_columns():
                found[measure.text("name")] = (reference[1], measure)
    return found


def _metric(
    item: Entry, measures: dict[str, tuple[str, Entry]], known: dict[str, Metric]
) -> Metric | None:
    key, name = item.text("name"), item.text("label")
    description, parameters = item.text("description"), item.entry("type_params")
    kind = item.choice("type", ("simple", "ratio"))
    if parameters is None:
        return None
    if kind == "ratio":
        above = known.get(parameters.text("numerator"))
        below = known.get(parameters.text("denominator"))
        if above is None or below is None:
            return None  # of a table that is no mart
        if above.table != below.table:
            item.complain("type_params", f"{key}: Metabase divides figures of one mart only")
        ratio = ["/", {}, above.aggregation, below.aggregation]
        return Metric(key, name, description, above.table, ratio, f"{key}_share")
    table, measure = measures.get(measure_name := parameters.text("measure"), (None, None))
    if table is None or measure is None:
        return None
    return Metric(key, name, description, table, _aggregation(measure, table), measure_name)


def _aggregation(measure: Entry, table: str) -> Clause:
    """What MetricFlow aggregates, in Metabase's words."""
    how, sql = measure.text("agg"), measure.text("expr", measure.text("name"))
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
        for column in tree.find_all(exp.Column):
            if column.name not in mart_columns()[table]:
                raise ValueError(f"{table} has no column {column.name}")
        if how == "count":
            return ["count", {}, _expression(tree)]
        if how != "sum":
            raise ValueError(f"{how} is not translated")
        return _sum(tree)
    except (SqlglotError, ValueError) as error:
        measure.complain("expr", f"{sql!r} is no measure of Metabase: {error}")
        return ["count", {}]


def _sum(tree: exp.Expr) -> Clause:
    if not isinstance(tree, exp.Case):
        return ["sum", {}, _expression(tree)]
    (branch, *others), default = tree.args["ifs"], tree.args.get("default")
    if others or tree.this is not None or not _is_number(default, 0):
        raise ValueError("only `case when … then … else 0 end` is translated")
    condition = _condition(branch.this)
    value = branch.args["true"]
    if _is_number(value, 1):
        return ["count-where", {}, condition]
    return ["sum-where", {}, _expression(value), condition]


def _condition(tree: exp.Expr) -> Any:
    found = _expression(tree)
    return ["=", {}, found, True] if isinstance(found, Column) else found


def _expression(tree: exp.Expr) -> Any:
    if isinstance(tree, exp.Column):
        return Column(tree.name)
    if isinstance(tree, exp.Literal):
        return tree.this if tree.is_string else float(tree.this)
    if isinstance(tree, exp.Binary) and type(tree) in OPERATORS:
        return [OPERATORS[type(tree)], {}, _expression(tree.left), _expression(tree.right)]
    raise ValueError(f"{tree.sql()} is not translated")


def _is_number(tree: exp.Expr | None, value: int) -> bool:
    return isinstance(tree, exp.Literal) and tree.this == str(value)
