"""SQL that turns what a file holds into the types of the schema, and says why a row cannot stay.

Text is read by a convention found per column (decimal comma, order of day and month), never by a
guess per value. docs/landing.md states the rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date

from python_ml.contracts.schema import ColumnSchema
from python_ml.engines.sql import literal, literals
from python_ml.land.mapping import ColumnMapping, Conventions
from python_ml.land.result import Problem

# Spanish clock time: an instant with a zone is put on it.
TIME_ZONE = "Europe/Madrid"

_NULL_WORDS = ("null", "none", "na", "n/a", "nan", "nat")
_WORDS = {
    "true": ("1", "1.0", "true", "t", "yes", "y", "si", "sí", "s"),
    "false": ("0", "0.0", "false", "f", "no", "n"),
}
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
_YEAR_LAST = r"^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(\D.*)?$"
_COMPACT = r"^(\d{4})(\d{2})(\d{2})$"
_ZONED = r"\d(Z|[-+]\d{2}(:?\d{2})?)$"


@dataclass(frozen=True)
class Convention:
    """How the text of one column is to be read."""

    decimal_comma: bool = False
    year_last: bool = False
    day_first: bool = True
    zoned: bool = False
    compact: bool = False
    thousands: str | None = None
    date_format: str | None = None


def text_of(column: ColumnSchema, raw: str, said: Conventions | None = None) -> str:
    """Trimmed text, null where it stands for nothing; in text only '' does, for NA is Navarre.

    Args:
        column: what it is to be.
        raw: the expression.
        said: what a mapping says of it: further words for nothing, and words that stand for ours.
    """
    trimmed = f"nullif(trim({raw}), '')"
    own = [word.lower() for word in said.nulls or ()] if said else []
    if own:
        trimmed = f"case when lower({trimmed}) not in ({literals(own)}) then {trimmed} end"
    if isinstance(said, ColumnMapping) and said.words:
        cases = " ".join(
            f"when {literal(theirs)} then {literal(ours)}" for theirs, ours in said.words.items()
        )
        trimmed = f"case {trimmed} {cases} else {trimmed} end"
    if column.data_type == "varchar":
        return trimmed
    words = literals(_NULL_WORDS)
    # What begins with a digit or a sign sorts before ':' and is no word.
    return (
        f"case when {trimmed} < ':' then {trimmed} "
        f"when lower({trimmed}) not in ({words}) then {trimmed} end"
    )


def survey(column: ColumnSchema, text: str) -> dict[str, str]:
    """Aggregates over a text column that `convention` decides from, by name."""
    if column.data_type in ("double", "integer", "bigint"):
        return {
            "commas": f"count_if(contains({text}, ','))",
            "points": f"count_if(contains({text}, '.'))",
        }
    if column.data_type in ("date", "timestamp"):
        first = f"try_cast(regexp_extract({text}, {literal(_YEAR_LAST)}, 1) as integer)"
        second = f"try_cast(regexp_extract({text}, {literal(_YEAR_LAST)}, 2) as integer)"
        return {
            "year_last": f"count_if(regexp_matches({text}, {literal(_YEAR_LAST)}))",
            "day_first": f"count_if({first} > 12)",
            "month_first": f"count_if({second} > 12)",
            "compact": f"count_if(regexp_matches({text}, {literal(_COMPACT)}))",
            "zoned": (
                f"count_if(regexp_matches({text}, {literal(_ZONED)}) and contains({text}, ':'))"
            ),
        }
    return {}


def convention(
    file: str, name: str, found: dict[str, int], said: Conventions | None = None
) -> Convention | Problem:
    """The convention of one column, or why it cannot be known; what a mapping says comes first."""
    said = said or Conventions()
    if "commas" in found:
        is_comma = found["commas"] > 0 and found["points"] == 0
        if said.decimal or said.thousands:
            is_comma = decimal_of(said) == ","
        return Convention(decimal_comma=is_comma, thousands=said.thousands)
    return _date_convention(file, name, found, said) if found else Convention()


def _date_convention(
    file: str, name: str, found: dict[str, int], said: Conventions
) -> Convention | Problem:
    plain = Convention(
        zoned=found["zoned"] > 0, compact=found["compact"] > 0, date_format=said.date_format
    )
    if said.date_format or not found["year_last"]:
        return plain
    if said.date_order in ("day_first", "month_first"):
        return replace(plain, year_last=True, day_first=said.date_order == "day_first")
    if found["day_first"] and found["month_first"]:
        return Problem(
            file,
            f"dates with the day first ({found['day_first']:,}) and with the month first "
            f"({found['month_first']:,}) in one column",
            "Write them as YYYY-MM-DD.",
            column=name,
            rows=found["year_last"],
        )
    if not found["day_first"] and not found["month_first"]:
        return Problem(
            file,
            "no date tells whether the day or the month comes first",
            "Write them as YYYY-MM-DD.",
            column=name,
            rows=found["year_last"],
        )
    return replace(plain, year_last=True, day_first=found["day_first"] > 0)


def is_text(column: ColumnSchema, source_type: str) -> bool:
    """Whether values are to be read as text rather than cast from a type of the same family."""
    family = source_type.split("(", maxsplit=1)[0]
    match column.data_type:
        case "double" | "integer" | "bigint":
            return family not in _NUMBERS
        case "date" | "timestamp":
            return not family.startswith(("DATE", "TIMESTAMP"))
        case "boolean":
            return family != "BOOLEAN"
    return True


def value_sql(column: ColumnSchema, given: str, source_type: str, read_as: Convention) -> str:
    """The typed value of a column; null where it is missing or cannot be read.

    Args:
        column: what it is to be.
        given: what the file holds, as `text_of` leaves it if it is text.
        source_type: DuckDB's type of that in the file.
        read_as: how to read text.
    """
    value = _value(column, given, source_type, read_as)
    factor = column.meta.get("factor")  # of a unit that a mapping names
    return value if factor is None or factor == 1 else f"{value} * {factor!r}"


def _value(column: ColumnSchema, given: str, source_type: str, read_as: Convention) -> str:
    if not is_text(column, source_type):
        return _cast_native(column, given, source_type)
    text = given
    match column.data_type:
        case "double":
            return f"try_cast({_number(text, read_as)} as double)"
        case "integer" | "bigint":
            return _whole(column, text, read_as)
        case "boolean":
            return _word(column, text, "true", "false")
        case "date" | "timestamp":
            return f"cast({_instant(text, read_as)} as {column.duckdb_type})"
    return text


def reason_sql(column: ColumnSchema, text_is_null: str, value: str) -> list[tuple[str, str]]:
    """Conditions under which a row is set aside on account of this column, with the reason."""
    name = column.name
    reasons: list[tuple[str, str]] = []
    if not column.nullable and column.required:
        reasons.append((text_is_null, f"{name}: missing"))
    if column.data_type != "varchar":
        kind = {"integer": "whole number", "double": "number", "boolean": "yes or no"}
        reasons.append(
            (
                f"{value} is null and not ({text_is_null})",
                f"{name}: not a {kind.get(column.data_type, column.data_type)}",
            )
        )
    if column.data_type == "double":
        reasons.append((f"isinf({value})", f"{name}: infinite"))
    if (low := column.meta.get("minimum")) is not None:
        reasons.append((f"{value} < {_limit(low)}", f"{name}: below {low}"))
    if (high := column.meta.get("maximum")) is not None:
        reasons.append((f"{value} > {_limit(high)}", f"{name}: above {high}"))
    if pattern := column.meta.get("pattern"):
        reasons.append(
            (f"not regexp_full_match({value}, {literal(pattern)})", f"{name}: not like {pattern}")
        )
    return reasons


def _limit(value: object) -> str:
    return f"date {literal(value)}" if isinstance(value, date) else str(value)


def _cast_native(column: ColumnSchema, raw: str, source_type: str) -> str:
    match column.data_type:
        case "double":
            number = f"cast({raw} as double)"
            # A missing number is NaN in what pandas writes.
            return f"case when isnan({number}) then null else {number} end"
        case "integer" | "bigint":
            whole = f"try_cast({raw} as {column.duckdb_type})"
            return f"case when {whole} = {raw} then {whole} end"
        case "date" | "timestamp":
            local = (
                f"({raw} at time zone {literal(TIME_ZONE)})"
                if source_type == "TIMESTAMP WITH TIME ZONE"
                else raw
            )
            return f"cast({local} as {column.duckdb_type})"
    return raw


def decimal_of(said: Conventions) -> str:
    """The decimal sign that a mapping says, or that follows from its thousands separator."""
    return said.decimal or ("," if said.thousands == "." else ".")


def number_sql(raw: str, source_type: str, said: Conventions) -> str:
    """A number of a column that is no column of ours, as a double; null where it is none.

    Args:
        raw: the expression.
        source_type: DuckDB's type of it.
        said: how the mapping says that numbers are written.
    """
    if source_type.split("(", maxsplit=1)[0] in _NUMBERS:
        return f"cast({raw} as double)"
    read_as = Convention(decimal_comma=decimal_of(said) == ",", thousands=said.thousands)
    return f"try_cast({_number(f'trim({raw})', read_as)} as double)"


def _number(text: str, read_as: Convention) -> str:
    if read_as.thousands:
        # A separator stands before three digits; elsewhere the value is no number.
        sign = re.escape(read_as.thousands)
        point = "," if read_as.decimal_comma else r"\."
        whole = rf"[-+]?\d{{1,3}}({sign}\d{{3}})*({point}\d*)?|[-+]?\d+({point}\d*)?"
        plain = f"replace({text}, {literal(read_as.thousands)}, '')"
        text = f"case when regexp_full_match({text}, {literal(whole)}) then {plain} end"
    return f"replace({text}, ',', '.')" if read_as.decimal_comma else text


def _whole(column: ColumnSchema, text: str, read_as: Convention) -> str:
    number = f"try_cast({_number(text, read_as)} as double)"
    whole = f"case when {number} = floor({number}) then try_cast({number} as integer) end"
    if (column.meta.get("minimum"), column.meta.get("maximum")) != (0, 1):
        return whole
    return f"coalesce({whole}, {_word(column, text, '1', '0')})"


def _word(column: ColumnSchema, text: str, if_true: str, if_false: str) -> str:
    of_column = column.meta.get("words", {})
    choices = []
    for word, outcome in (("true", if_true), ("false", if_false)):
        listing = literals([*_WORDS[word], *of_column.get(word, ())])
        choices.append(f"when lower({text}) in ({listing}) then {outcome}")
    return f"case {' '.join(choices)} end"


def _instant(text: str, read_as: Convention) -> str:
    iso = text
    if read_as.date_format:
        return f"try_strptime({text}, {literal(read_as.date_format)})"
    if read_as.year_last:
        order = r"\3-\2-\1\4" if read_as.day_first else r"\3-\1-\2\4"
        iso = f"regexp_replace({iso}, {literal(_YEAR_LAST)}, {literal(order)})"
    if read_as.compact:
        iso = f"regexp_replace({iso}, {literal(_COMPACT)}, '\\1-\\2-\\3')"
    # The engine also reads "epoch", "infinity" and years of two digits.
    iso = f"case when substr({iso}, 5, 1) in ('-', '/') then {iso} end"
    local = f"try_cast({iso} as timestamp)"
    if not read_as.zoned:
        return local
    zoned = f"try_cast({iso} as timestamptz) at time zone {literal(TIME_ZONE)}"
    return f"case when regexp_matches({text}, {literal(_ZONED)}) then {zoned} else {local} end"
