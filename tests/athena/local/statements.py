"""What kind of statement it is, by Athena's own two levels (StatementType, SubstatementType)."""

from __future__ import annotations

from dataclasses import dataclass

from tests.athena.local.lexer import ParseError, Reader, Token, tokenize

# First words -> statement type, substatement type. The longest match wins.
_KINDS: dict[tuple[str, ...], tuple[str, str]] = {
    ("select",): ("DML", "SELECT"),
    ("with",): ("DML", "SELECT"),
    ("values",): ("DML", "SELECT"),
    ("(",): ("DML", "SELECT"),
    ("insert", "into"): ("DML", "INSERT"),
    ("merge", "into"): ("DML", "MERGE"),
    ("update",): ("DML", "UPDATE"),
    ("delete", "from"): ("DML", "DELETE"),
    ("unload",): ("DML", "UNLOAD"),
    ("explain",): ("DML", "EXPLAIN"),
    ("optimize",): ("DML", "OPTIMIZE"),
    ("vacuum",): ("DML", "VACUUM"),
    ("create", "table"): ("DDL", "CREATE_TABLE_AS_SELECT"),
    ("create", "view"): ("DDL", "CREATE_VIEW"),
    ("create", "or", "replace", "view"): ("DDL", "CREATE_VIEW"),
    ("create", "external", "table"): ("DDL", "CREATE_TABLE"),
    ("create", "schema"): ("DDL", "CREATE_DATABASE"),
    ("create", "database"): ("DDL", "CREATE_DATABASE"),
    ("drop", "schema"): ("DDL", "DROP_DATABASE"),
    ("drop", "database"): ("DDL", "DROP_DATABASE"),
    ("drop", "table"): ("DDL", "DROP_TABLE"),
    ("drop", "view"): ("DDL", "DROP_VIEW"),
    ("alter", "table"): ("DDL", "ALTER_TABLE"),
    ("show",): ("UTILITY", "SHOW"),
    ("describe",): ("UTILITY", "DESCRIBE"),
}
# Done in Glue, as Athena's own Hive parser does; all the rest is Trino's.
HIVE_DDL = frozenset(
    ("CREATE_TABLE", "CREATE_DATABASE", "DROP_DATABASE", "DROP_TABLE", "ALTER_TABLE")
)


@dataclass(frozen=True)
class Statement:
    """One statement without its closing semicolon and without its leading comment."""

    sql: str
    tokens: tuple[Token, ...]
    kind: str
    subkind: str

    @property
    def has_result(self) -> bool:
        """GetQueryResults gives a header row and columns."""
        return self.subkind in ("SELECT", "EXPLAIN")

    @property
    def form(self) -> str:
        """The statement's outline, for the list of forms that the project emits."""
        if self.subkind == "CREATE_TABLE_AS_SELECT":
            return f"create table with ({', '.join(sorted(table_properties(self)))}) as select"
        if self.subkind == "ALTER_TABLE":
            table = Reader(self.sql, list(self.tokens[2:]))
            table.name()
            words = [token.lower for token in table.tokens[table.position :][:2]]
            return f"alter table … {' '.join(words)}"
        if self.subkind == "CREATE_TABLE":
            marks = ("partitioned", "serde", "stored", "location", "tblproperties")
            found = [token.lower for token in self.tokens if token.lower in marks]
            return f"create external table … {' '.join(found)}"
        return self.subkind.lower().replace("_", " ")


def classify(sql: str) -> Statement:
    """Read one statement.

    Raises:
        ParseError: nothing, several statements at once, or one that Athena does not have.
    """
    tokens = tokenize(sql)
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    if not tokens:
        raise ParseError("queries of this type are not supported: empty statement")
    if any(token.text == ";" for token in tokens):
        raise ParseError("only one statement at a time is allowed")
    words = tuple(token.lower for token in tokens[:4])
    for length in range(4, 0, -1):
        if found := _KINDS.get(words[:length]):
            text = sql[tokens[0].start : tokens[-1].end]
            return Statement(text, tuple(tokenize(text)), *_explained(found, tokens))
    raise ParseError(f"queries of this type are not supported: {' '.join(words[:2])}")


def _explained(kind: tuple[str, str], tokens: list[Token]) -> tuple[str, str]:
    """WITH may open an INSERT's query but never the INSERT; CREATE TABLE must select."""
    if kind[1] != "CREATE_TABLE_AS_SELECT":
        return kind
    if not any(token.lower == "as" for token in tokens):
        raise ParseError("CREATE TABLE without a query needs TBLPROPERTIES; not used here")
    return kind


def table_properties(statement: Statement) -> dict[str, str]:
    """The properties of a CTAS, names in lower case, values as written."""
    return _parse_ctas(statement)[2]


def _parse_ctas(statement: Statement) -> tuple[tuple[str, ...], bool, dict[str, str], str]:
    reader = Reader(statement.sql, list(statement.tokens))
    reader.expect("create", "table")
    is_conditional = reader.accept("if", "not", "exists")
    name = reader.name()
    properties = properties_clause(reader) if reader.accept("with") else {}
    reader.expect("as")
    following = reader.peek()
    if following is None:
        raise ParseError("CREATE TABLE AS without a query")
    return name, is_conditional, properties, statement.sql[following.start :]


def properties_clause(reader: Reader) -> dict[str, str]:
    """`(name = value, …)`, values as written."""
    reader.expect("(")
    properties = {}
    while not reader.accept(")"):
        key = reader.next()
        reader.expect("=")
        properties[key.value.lower()] = reader.until(",", ")")
        reader.accept(",")
    return properties


@dataclass(frozen=True)
class TableCreation:
    """The parts of a CTAS; `properties` as written."""

    name: tuple[str, ...]
    if_not_exists: bool
    properties: dict[str, str]
    query: str

    @property
    def is_iceberg(self) -> bool:
        return self.properties.get("table_type", "").strip("'").lower() == "iceberg"

    def text(self, key: str) -> str | None:
        """A property's value without quotes."""
        value = self.properties.get(key)
        return None if value is None else value.strip().strip("'")


def table_creation(statement: Statement) -> TableCreation:
    """The parts of a CTAS."""
    return TableCreation(*_parse_ctas(statement))


@dataclass(frozen=True)
class Unload:
    """The parts of `UNLOAD (query) TO 'location' WITH (properties)`."""

    query: str
    location: str
    properties: dict[str, str]


def unload(statement: Statement) -> Unload:
    """The parts of an UNLOAD.

    Raises:
        ParseError: it is not of that form.
    """
    reader = Reader(statement.sql, list(statement.tokens))
    reader.expect("unload", "(")
    query = reader.until(")", is_query=True)
    reader.expect(")", "to")
    location = reader.next().value
    properties = properties_clause(reader) if reader.accept("with") else {}
    return Unload(query, location, properties)
