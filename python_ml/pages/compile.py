"""Reads the definitions of dashboards and checks them, before any server is asked.

A dashboard is `<key>.yml`; the SQL of its cards lies beside it in `<key>/<card>.sql`. Errors carry
file and line, and one pass tells all of them.
"""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify

from python_ml.pages import drawing
from python_ml.pages.marts import mart_columns, mart_schema
from python_ml.pages.model import (
    GRID_WIDTH,
    Card,
    Click,
    ClickParameter,
    Dashboard,
    Parameter,
    ParameterMapping,
    Position,
    Tab,
    TemplateTag,
    TextCard,
    ValueCard,
    parameter_id,
    tag_id,
)
from python_ml.pages.problems import Entry, Problems, read_yaml
from python_ml.pages.template import (
    DIALECTS,
    SqlError,
    Statement,
    Template,
    card_sql,
    parse,
    read_statement,
    with_lists,
)
from python_ml.pages.visualization import DISPLAYS, read_settings
from python_ml.settings import PROJECT_DIR

DEFINITIONS = PROJECT_DIR / "infra" / "metabase" / "dashboards"
KEY = re.compile(r"[a-z][a-z0-9_]*")
Reads = dict[str, tuple[str, ...]]  # mart -> its columns
LINK = re.compile(r"\(dashboard:([a-z0-9_]*)(?:/([a-z0-9_]*))?\)")


def load_dashboards(folder: Path = DEFINITIONS) -> tuple[Dashboard, ...]:
    """All dashboards of a folder, in the order of the menu.

    Raises:
        DefinitionError: with every problem found, each with file and line.
    """
    problems = Problems()
    entries = {path.stem: read_yaml(path, problems) for path in sorted(folder.glob("*.yml"))}
    readers = [Reader(key, entry, problems) for key, entry in entries.items() if entry is not None]
    if not readers:
        problems.add(folder, 1, "no dashboard is defined here")
    parameters = {reader.key: reader.parameters for reader in readers}
    dashboards = [reader.read(parameters) for reader in readers]
    by_key = {dashboard.key: dashboard for dashboard in dashboards}
    for reader in readers:
        for entry, target, tab in reader.links:
            drawing.check_click(entry, tab, by_key.get(target))
    numbers: dict[int, str] = {}
    for reader, dashboard in zip(readers, dashboards, strict=True):
        if (other := numbers.setdefault(dashboard.number, dashboard.key)) != dashboard.key:
            reader.entry.complain("number", f"number {dashboard.number} is that of {other} too")
    problems.raise_if_any()
    return tuple(sorted(dashboards, key=lambda it: it.number))


class Reader:
    """Reads one dashboard; what is wrong goes to `problems`."""

    def __init__(self, key: str, entry: Entry, problems: Problems) -> None:
        self.key, self.entry, self.problems = key, entry, problems
        self.sql_folder = entry.path.parent / key
        self.tabs = tuple(self._tab(it) for it in entry.entries("tabs"))
        self.parameters = {it.key: it for it in map(self._parameter, entry.entries("parameters"))}
        self.lines: dict[str, Entry] = {}
        self.places: list[tuple[str | None, Position, Entry]] = []
        self.links: list[tuple[Entry, str, str | None]] = []  # to a page, and to a tab of it

    def read(self, parameters: dict[str, dict[str, Parameter]]) -> Dashboard:
        entry = self.entry
        cards = [self._card(it, parameters) for it in entry.entries("cards")]
        texts = [self._text(it, parameters) for it in entry.entries("texts")]
        number = entry.value("number", 0)
        if not isinstance(number, int) or number < 1:
            entry.complain("number", "number: the place in the menu is missing; it counts from 1")
        dashboard = Dashboard(
            key=self.key,
            name=entry.text("name"),
            description=entry.text("description"),
            number=number if isinstance(number, int) else 0,
            width=entry.choice("width", ("fixed", "full"), "full"),
            tabs=self.tabs,
            parameters=tuple(self.parameters.values()),
            cards=tuple(card for card in cards if card is not None),
            texts=tuple(text for text in texts if text is not None),
        )
        entry.finish()
        self._check_grid()
        self._check_filters(dashboard)
        self._check_files(dashboard)
        return dashboard

    def _key(self, entry: Entry, taken: dict[str, Entry] | None = None) -> str:
        key = entry.text("key")
        if key and not KEY.fullmatch(key):
            entry.complain("key", f"key: {key!r} is not lower case letters, digits and _")
        if taken is not None:
            if key in taken:
                entry.complain("key", f"key {key!r} is taken by line {taken[key].line}")
            taken.setdefault(key, entry)
        return key

    def _tab(self, entry: Entry) -> Tab:
        tab = Tab(self._key(entry), entry.text("name"))
        entry.finish()
        return tab

    def _parameter(self, entry: Entry) -> Parameter:
        key = self._key(entry)
        values: Any = None
        if isinstance(listed := entry.value("values"), list):
            values = tuple(str(value) for value in listed)
        elif listed is not None and (source := entry.entry("values")) is not None:
            values = ValueCard(source.text("card"), source.text("column"))
            source.finish()
        parameter = Parameter(
            key=key,
            id=parameter_id(self.key, key),
            name=entry.text("name"),
            type=entry.choice("type", ("string/=", "number/="), "string/="),
            default=entry.optional_text("default"),
            values=values,
            column=entry.text("column", key),
        )
        if isinstance(values, tuple) and parameter.default not in (None, *values):
            entry.complain("default", f"default: {parameter.default!r} is not among the values")
        entry.finish()
        return parameter

    def _card(self, entry: Entry, parameters: dict[str, dict[str, Parameter]]) -> Card | None:
        key = self._key(entry, self.lines)
        path = self.sql_folder / f"{key}.sql"
        if (shared := entry.optional_text("sql")) is not None:
            path = entry.path.parent / shared
        display = entry.choice("display", DISPLAYS)
        statement, template, columns, reads, tree = self._query(entry, path)
        tags = tuple(self._tags(statement, key, template))
        rows = entry.value("rows")
        if rows is not None and (display != "table" or not isinstance(rows, int) or rows < 1):
            entry.complain("rows", "rows: a whole number, of a table")
        is_scrolled = entry.value("scrolls", False) is True
        is_model = entry.value("model", False) is True
        card = Card(
            dashboard=self.key,
            key=key,
            name=entry.text("name"),
            description=entry.text("description", ""),
            display=display,
            statements={it: card_sql(statement.sql, it) for it in DIALECTS} if template else {},
            tags=tags,
            mappings=tuple(
                ParameterMapping(tag.name, self.parameters[tag.name].id, tag.name)
                for tag in tags
                if tag.name in self.parameters
            ),
            visualization_settings=read_settings(entry, display, columns),
            columns=columns,
            reads=reads,
            position=(position := self._position(entry, is_optional=True)),
            tab=self._tab_of(entry, is_placed=position is not None),
            click=self._click(entry, columns, parameters),
            empty=entry.text("empty", f"Nothing to show{' for these filters' if tags else ''}."),
            rows=rows,
            is_scrolled=is_scrolled,
            is_model=is_model,
        )
        drawing.check(
            drawing.Drawing(
                entry=entry,
                name=card.name,
                description=card.description,
                display=display,
                settings=dict(card.visualization_settings),
                position=position,
                tree=tree,
                rows=rows if isinstance(rows, int) else None,
            )
        )
        if is_model and (display != "table" or position is not None or tags):
            entry.complain("model", "model: a table without at, and without a filter in its SQL")
        self._check_reach(entry, card)
        entry.finish()
        return card if template is not None else None

    def _query(
        self, entry: Entry, path: Path
    ) -> tuple[Statement, Template | None, tuple[str, ...], Reads, exp.Query | None]:
        """The statement, parsed; the columns that it returns, the marts and columns that it reads,
        and its tree with every column qualified."""
        try:
            statement = read_statement(path)
        except OSError as error:
            entry.complain("key", f"there is no {error.filename}")
            return Statement("", path), None, (), {}, None
        try:
            statement = with_lists(statement, self._lists(entry, statement))
            template = parse(statement.sql)
            for target in DIALECTS:
                card_sql(statement.sql, target)
        except SqlError as error:
            self.problems.add(*statement.place(error.line), str(error))
            return statement, None, (), {}, None
        return statement, template, *self._columns(statement, template)

    def _lists(self, entry: Entry, statement: Statement) -> dict[str, list[str]]:
        """Lists of texts that the card gives to the statement that it shares with others."""
        lists = entry.entry("lists")
        found: dict[str, list[str]] = {}
        for key in lists or ():
            value = lists.value(key) if lists else None
            if not (isinstance(value, list) and value and all(isinstance(it, str) for it in value)):
                entry.complain("lists", f"lists: {key} must be a list of texts, with one at least")
                value = [""]
            elif f":{key}" not in statement.sql:
                entry.complain("lists", f"lists: the statement has no :{key}")
            found[key] = value
        return found

    def _columns(
        self, statement: Statement, template: Template
    ) -> tuple[tuple[str, ...], Reads, exp.Query | None]:
        marts, sql = mart_columns(), statement.sql
        common = {it.alias for it in template.tree.find_all(exp.CTE)}
        named = [table.name for table in template.tree.find_all(exp.Table)]
        tables = sorted({name for name in named if name not in common})
        for table in tables:
            if table not in marts:
                place = statement.place(_line_of(sql, table))
                self.problems.add(*place, f"{table} is no mart; cards select from marts only")
                return (), {}, None
        try:
            tree = qualify(template.tree.copy(), schema=mart_schema(), dialect="duckdb")
        except SqlglotError as error:
            name = re.search(r"['\"]([a-z0-9_.\"]+)['\"]", str(error))
            line = _line_of(sql, name[1].split(".")[-1].strip('"')) if name else 1
            self.problems.add(*statement.place(line), str(error).split("\n")[0])
            return (), dict.fromkeys(tables, ()), None
        read = {column.name for column in tree.find_all(exp.Column)}
        reads = {table: tuple(it for it in marts[table] if it in read) for table in tables}
        return tuple(tree.named_selects), reads, tree if isinstance(tree, exp.Query) else None

    def _tags(
        self, statement: Statement, card: str, template: Template | None
    ) -> list[TemplateTag]:
        found = []
        for name, is_required in template.tags if template is not None else ():
            parameter = self.parameters.get(name)
            if parameter is None:
                line = template.tag_lines[name] if template is not None else 1
                message = f"{{{{{name}}}}}: no filter of {self.key} has this key"
                self.problems.add(*statement.place(line), message)
                continue
            if is_required and parameter.default is None:
                line = template.tag_lines[name] if template is not None else 1
                message = f"{{{{{name}}}}} is outside of [[ ]], but the filter has no default"
                self.problems.add(*statement.place(line), message)
            found.append(
                TemplateTag(
                    id=tag_id(self.key, card, name),
                    name=name,
                    display_name=parameter.name,
                    type="number" if parameter.section_id == "number" else "text",
                    is_required=is_required,
                    default=parameter.default if is_required else None,
                )
            )
        return found

    def _text(self, entry: Entry, parameters: dict[str, dict[str, Parameter]]) -> TextCard | None:
        key = self._key(entry, self.lines)
        markdown = entry.text("markdown")
        for target, tab in LINK.findall(markdown):
            if target not in parameters:
                entry.complain("markdown", f"dashboard:{target} is no dashboard")
            self.links.append((entry, target, tab or None))
        display = entry.choice("display", ("text", "heading"), "text")
        position, tab = self._position(entry), self._tab_of(entry)
        entry.finish()
        return TextCard(key, display, markdown, position, tab) if position else None

    def _position(self, entry: Entry, *, is_optional: bool = False) -> Position | None:
        at = entry.value("at")
        if at is None and is_optional:
            return None
        if not (isinstance(at, list) and len(at) == 4 and all(isinstance(it, int) for it in at)):
            entry.complain("at", "at: expected [row, column, width, height], in cells of the grid")
            return None
        position = Position(*at)
        if min(position.row, position.column) < 0 or min(position.width, position.height) < 1:
            entry.complain("at", f"at: {at} is off the grid")
        if position.column + position.width > GRID_WIDTH:
            last = position.column + position.width
            entry.complain("at", f"at: ends at column {last}, off the grid of {GRID_WIDTH}")
        tab = entry.value("tab")
        self.places.append((tab, position, entry))
        return position

    def _tab_of(self, entry: Entry, *, is_placed: bool = True) -> str | None:
        keys = tuple(tab.key for tab in self.tabs)
        if not keys:
            return entry.choice("tab", ()) if entry.optional_text("tab") else None
        if not is_placed and entry.optional_text("tab") is None:
            return None
        return entry.choice("tab", keys) or None

    def _click(
        self, entry: Entry, columns: tuple[str, ...], parameters: dict[str, dict[str, Parameter]]
    ) -> Click | None:
        click = entry.entry("click")
        if click is None:
            return None
        target = click.choice("dashboard", tuple(parameters))
        column, tab = click.optional_text("column"), click.optional_text("tab")
        self.links.append((click, target, tab))
        found = []
        if (sets := click.entry("set")) is not None:
            for key in sets:
                source = sets.text(key)
                if key not in parameters.get(target, {}):
                    sets.complain(key, f"{target} has no filter {key!r}")
                if source not in columns:
                    sets.complain(key, f"the query returns no column {source!r}")
                found.append(ClickParameter(key, parameter_id(target, key), source))
        if column is not None and column not in columns:
            click.complain("column", f"the query returns no column {column!r}")
        click.finish()
        return Click(target, column, tuple(found), tab)

    def _check_reach(self, entry: Entry, card: Card) -> None:
        """A filter reaches every card that reads its column, unless the card says why not."""
        ignored = entry.entry("ignores")
        reasons = {key: ignored.text(key) for key in ignored} if ignored else {}
        marts = mart_columns()
        tags = {tag.name for tag in card.tags}
        for key in reasons:
            if key not in self.parameters or key in tags:
                entry.complain("ignores", f"ignores: {key!r} is no filter, or reaches the card")
        if card.position is None:
            return
        for key, parameter in self.parameters.items():
            readers = [table for table in card.tables if parameter.column in marts[table]]
            if readers and key not in tags and key not in reasons:
                entry.complain(
                    "key",
                    f"filter {key!r} does not reach card {card.key!r}, which reads "
                    f"{readers[0]}.{parameter.column}; use {{{{{key}}}}} or say why under ignores",
                )

    def _check_grid(self) -> None:
        for (tab, one, _), (other_tab, other, entry) in combinations(self.places, 2):
            if tab == other_tab and one.overlaps(other):
                entry.complain("at", f"at: overlaps the card at row {one.row}, column {one.column}")

    def _check_filters(self, dashboard: Dashboard) -> None:
        """Every filter reaches some card, and its values come from a card that has them."""
        used = {mapping.parameter_key for card in dashboard.cards for mapping in card.mappings}
        cards = {card.key: card for card in dashboard.cards}
        for key, parameter in self.parameters.items():
            if key not in used:
                self.entry.complain("parameters", f"filter {key!r} reaches no card")
            if isinstance(source := parameter.values, ValueCard):
                card = cards.get(source.card)
                if card is None or source.column not in card.columns:
                    message = (
                        f"filter {key!r}: no card {source.card!r} with column {source.column!r}"
                    )
                    self.entry.complain("parameters", message)

    def _check_files(self, dashboard: Dashboard) -> None:
        for path in sorted(self.sql_folder.glob("*.sql")):
            if path.stem not in self.lines:
                self.problems.add(path, 1, f"no card of {dashboard.key}.yml has this SQL")


def _line_of(sql: str, word: str) -> int:
    found = re.search(rf"\b{re.escape(word)}\b", sql, re.IGNORECASE)
    return sql.count("\n", 0, found.start()) + 1 if found else 1
