"""SQL that turns what a file holds into the types of the schema, and says why a row cannot stay.

Text is read by a convention found per column (decimal comma, order of day and month), never by a
guess per value. docs/landing.md states the rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from python_ml.contracts.schema import ColumnSchema
from python_ml.engines.sql import literal, literals
from python_ml.land.mapping import ColumnMapping, Conventions, ReadingsMapping, SourceMapping
from python_ml.land.result import Problem

# Spanish clock time: an instant with a zone is put on it.
TIME_ZONE = "Europe/Madrid"

_NULL_WORDS = ("null", "none", "na", "n/a", "nan", "nat")
_NO_VALUE = ("#n/d", "#n/a", "n/d", "(null)", r"\n")  # in text, too
_ZERO_DATES = ("00/00/0000", "0000-00-00", "00-00-0000", "00.00.0000", "0000/00/00")
# What stands for nothing in one column or another, in lower case.
MISSING_WORDS = (*_NULL_WORDS, *_NO_VALUE, *_ZERO_DATES)
_CLEAR = 0.95  # share of the values that tell; the others are wrong
_FEW, _MANY = 0.05, 10  # share of dates with a number above 12 that proves nothing among so many
_ORDER = "Write them as YYYY-MM-DD, or state the order in the mapping."
BOOLEAN_WORDS = {
    "true": ("1", "1.0", "true", "t", "yes", "y", "si", "sí", "s"),
    "false": ("0", "0.0", "false", "f", "no", "n"),
}
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
YEAR_LAST = r"^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(\D.*)?$"
_COMPACT = r"^(\d{4})(\d{2})(\d{2})$"
_ZONED = r"\d(Z|[-+]\d{2}(:?\d{2})?)$"


@dataclass(frozen=True)
class Convention:
    """How the text of one column is to be read."""

    decimal_comma: bool = False
    year_last: bool = False
    day_first: bool = True
    zoned: bool = False  # values name their zone
    compact: bool = False
    thousands: str | None = None
    date_format: str | None = None
    label_minutes: int = 0  # labels name the end of intervals of so many minutes
    zone: str | None = None  # of values that do not name theirs; None is local clock time


def text_of(column: ColumnSchema, raw: str, said: Conventions | None = None) -> str:
    """Trimmed text, null where it stands for nothing; in text only '' does, for NA is Navarre.

    Args:
        column: what it is to be.
        raw: the expression.
        said: what a mapping says of it: further words for nothing, and words that stand for ours.
    """
    trimmed = f"nullif(trim({raw}), '')"
    own = [word.lower() for word in said.nulls or ()] if said else []
    if own or (isinstance(said, ColumnMapping) and said.words):
        trimmed = f"nfc_normalize({trimmed})"
    if own:
        trimmed = f"case when lower({trimmed}) not in ({literals(own)}) then {trimmed} end"
    if isinstance(said, ColumnMapping) and said.words:
        cases = " ".join(
            f"when {literal(theirs)} then {literal(ours)}" for theirs, ours in said.words.items()
        )
        trimmed = f"case {trimmed} {cases} else {trimmed} end"
    if column.data_type == "varchar":
        # An accent may be a character of its own: both spellings are one text.
        words = literals([*_NO_VALUE, *(word.upper() for word in _NO_VALUE)])
        return f"case when {trimmed} not in ({words}) then nfc_normalize({trimmed}) end"
    words = literals((*_NULL_WORDS, *_NO_VALUE))
    if column.data_type in ("date", "timestamp"):
        zeros = literals(_ZERO_DATES)  # sort before '01'
        return (
            f"case when {trimmed} between '01' and ':' then {trimmed} "
            f"when lower({trimmed}) not in ({words}, {zeros}) then {trimmed} end"
        )
    # What begins with a digit, a sign or a point sorts from '+' to '9' and is no word.
    return (
        f"case when {trimmed} between '+' and ':' then {trimmed} "
        f"when lower({trimmed}) not in ({words}) then nfc_normalize({trimmed}) end"
    )


def survey(column: ColumnSchema, text: str) -> dict[str, str]:
    """Aggregates over a text column that `agree` decides from, by name; cheap ones."""
    if is_number(column):
        return {"commas": _count(f"contains({text}, ',')")}
    if column.data_type in ("date", "timestamp"):
        # A year that comes first has no separator in the first three places.
        early = " or ".join(f"substr({text}, {place}, 1) in ('/', '-', '.')" for place in (2, 3))
        last = f"case when {early} then regexp_matches({text}, {literal(YEAR_LAST)}) end"
        numbers = [
            f"case when {early} then "
            f"try_cast(regexp_extract({text}, {literal(YEAR_LAST)}, {place}) as integer) end"
            for place in (1, 2)
        ]
        found = {
            "year_last": _count(last),
            "day_first": _count(f"{numbers[0]} > 12 and {numbers[1]} <= 12"),
            "month_first": _count(f"{numbers[1]} > 12 and {numbers[0]} <= 12"),
            "compact": _count(f"length({text}) = 8 and try_cast({text} as integer) is not null"),
            "zoned": _count(f"contains({text}, ':') and regexp_matches({text}, {literal(_ZONED)})"),
        }
        if column.data_type == "timestamp":
            clock = f"regexp_extract({text}, '[ T](.*)$', 1)"
            found |= {
                "ends": _count(f"contains({text}, '24:00') and {clock} like '24:00%'"),
                "midnights": _count(
                    f"length({text}) <= 10 or "
                    f"(contains({text}, '0:00') and regexp_matches({clock}, '^0{{1,2}}:00(:00)?'))"
                ),
                "quarters": _count(f"contains({text}, ':15') or contains({text}, ':45')"),
                "halves": _count(f"contains({text}, ':30')"),
            }
        return found
    return {}


def survey_signs(column: ColumnSchema, text: str) -> dict[str, str]:
    """Further ones, which are needed only where numbers of the file have commas."""
    if not is_number(column):
        return {}
    return {
        "comma_proofs": _proofs(text, ",", "."),
        "point_proofs": _proofs(text, ".", ","),
        "comma_groups": _count(_is_one_group(text, ",", ".")),
        "point_groups": _count(_is_one_group(text, ".", ",")),
    }


def _count(condition: str) -> str:
    return f"count(*) filter (where {condition})"


def _is_one_group(text: str, sign: str, other: str) -> str:
    """Whether a number may have thousands or three decimals behind its only sign: `1,314`."""
    before = f"strpos({text}, {literal(sign)}) - 1 - (substr({text}, 1, 1) in ('-', '+'))::integer"
    return (
        f"contains({text}, {literal(sign)}) and not contains({text}, {literal(other)}) "
        f"and length({text}) - strpos({text}, {literal(sign)}) = 3 "
        f"and {before} between 1 and 3 and ltrim({text}, '+-') not like '0%'"
    )


def _proofs(text: str, sign: str, other: str) -> str:
    """Numbers in which the sign can only be the decimal one."""
    only = f"^[-+]?\\d*[{sign}]\\d*([eE][-+]?\\d+)?$"
    alone = (
        f"not contains({text}, {literal(other)}) and not ({_is_one_group(text, sign, other)}) "
        f"and regexp_matches({text}, {literal(only)})"
    )
    groups = f"^[-+]?\\d{{1,3}}([{other}]\\d{{3}})+[{sign}]\\d*$"
    many = f"^[-+]?\\d{{1,3}}([{other}]\\d{{3}}){{2,}}$"
    return _count(
        f"case when contains({text}, {literal(sign)}) "
        f"then ({alone}) or regexp_matches({text}, {literal(groups)}) "
        f"when contains({text}, {literal(other)}) then regexp_matches({text}, {literal(many)}) end"
    )


def agree(
    file: str, found: Mapping[str, Mapping[str, int]], said: SourceMapping
) -> tuple[dict[str, Convention], list[Problem]]:
    """The convention of each column of a file, and why one cannot be known.

    What a mapping says holds. Otherwise the values of the column decide, all of them; a value
    against a clear majority is a wrong value of its row. Where the column leaves it open, the other
    columns of the file decide; where they do too, nothing is guessed.

    Args:
        file: name in messages.
        found: by column, what `survey` counted, and `survey_signs` where there are commas.
        said: what the mapping says of the file.
    """
    conventions: dict[str, Convention] = {}
    problems: list[Problem] = []
    commas = sum(each.get("comma_proofs", 0) for each in found.values())
    points = sum(each.get("point_proofs", 0) for each in found.values())
    days = sum(each.get("day_first", 0) for each in found.values())
    months = sum(each.get("month_first", 0) for each in found.values())
    for name, counts in found.items():
        outcome: Convention | Problem = Convention()
        if "commas" in counts:
            outcome = _decimal(file, name, counts, said.conventions(name), (commas, points))
        elif "year_last" in counts:
            outcome = _instants(file, name, counts, said, (days, months))
        if isinstance(outcome, Problem):
            problems.append(outcome)
        else:
            conventions[name] = outcome
    return conventions, problems


def _decimal(
    file: str,
    name: str,
    counts: Mapping[str, int],
    said: Conventions,
    of_file: tuple[int, int],
) -> Convention | Problem:
    """The decimal sign; the other one is then of thousands."""
    comma, point = counts.get("comma_proofs", 0), counts.get("point_proofs", 0)
    comma_groups, point_groups = counts.get("comma_groups", 0), counts.get("point_groups", 0)
    commas, points = of_file
    if said.decimal or said.thousands:
        is_comma = decimal_of(said) == ","
        return Convention(
            decimal_comma=is_comma, thousands=said.thousands or ("." if is_comma else ",")
        )
    if not comma_groups and not point_groups and not comma:
        return Convention()
    if comma or point:  # the column decides
        is_comma = comma > point
    elif (commas > 0) != (points > 0):  # the other columns do
        is_comma = commas > 0
    elif comma_groups:
        return Problem(
            file,
            "a comma may separate thousands or decimals, as in 1,314: no value of the file tells",
            "Write numbers with a decimal point, or state the decimal sign in the mapping.",
            column=name,
            rows=comma_groups,
        )
    else:  # as documented: numbers have a decimal point
        return Convention()
    return Convention(decimal_comma=is_comma, thousands="." if is_comma else ",")


def _instants(
    file: str,
    name: str,
    counts: Mapping[str, int],
    said: SourceMapping,
    of_file: tuple[int, int],
) -> Convention | Problem:
    labels = _labels(file, name, counts, said.readings)
    if isinstance(labels, Problem):
        return labels
    own = said.conventions(name)
    plain = Convention(
        zoned=counts["zoned"] > 0,
        compact=counts["compact"] > 0,
        date_format=own.date_format,
        label_minutes=labels,
        zone=said.zone if "ends" in counts else None,
    )
    rows = counts["year_last"]
    if own.date_format or not rows:
        return plain
    if own.date_order in ("day_first", "month_first"):
        return replace(plain, year_last=True, day_first=own.date_order == "day_first")
    order = _day_first(file, name, counts, of_file)
    if isinstance(order, Problem):
        return order
    return replace(plain, year_last=True, day_first=order)


def _day_first(
    file: str, name: str, counts: Mapping[str, int], of_file: tuple[int, int]
) -> bool | Problem:
    """Whether the day comes before the month where the year comes last."""
    rows, day, month = counts["year_last"], counts["day_first"], counts["month_first"]
    other_days, other_months = of_file[0] - day, of_file[1] - month
    others_tell = (other_days > 0) != (other_months > 0)
    if day and month and max(day, month) < _CLEAR * (day + month):
        what = f"dates with the day first ({day:,}) and with the month first ({month:,})"
        return Problem(file, f"{what} in one column", _ORDER, column=name, rows=rows)
    if not day and not month and not others_tell:
        what = "no date tells whether the day or the month comes first"
        return Problem(file, what, _ORDER, column=name, rows=rows)
    if rows >= _MANY and day + month < _FEW * rows:
        # Most dates of a file have a day above 12: so few of them are rather wrong than a proof.
        if others_tell:
            return other_days > 0
        what = (
            f"only {day + month:,} of {rows:,} dates {'has' if day + month == 1 else 'have'} a "
            f"number above 12, in {'first' if day else 'second'} place: either they are wrong, or "
            "all the others"
        )
        return Problem(file, what, _ORDER, column=name, rows=day + month)
    return day > month if day or month else other_days > 0


def native_convention(
    column: ColumnSchema, source_type: str, said: SourceMapping
) -> Convention | None:
    """What a mapping says of instants that are no text; None where it says nothing."""
    if column.data_type != "timestamp":
        return None
    readings = said.readings
    minutes = 0
    if readings is not None and readings.hour_label == "ending":
        minutes = 15 if readings.layout == "quarter_hourly" else 60
    zone = said.zone if source_type != "TIMESTAMP WITH TIME ZONE" else None
    return Convention(label_minutes=minutes, zone=zone) if minutes or zone else None


def _labels(
    file: str, name: str, counts: Mapping[str, int], said: ReadingsMapping | None
) -> int | Problem:
    """Minutes by which labels lie behind the beginning of their interval."""
    if "ends" not in counts:
        return 0
    is_quarter = counts["quarters"] or (said is not None and said.layout == "quarter_hourly")
    minutes = 15 if is_quarter else 30 if counts["halves"] else 60
    if said is not None and said.hour_label:
        return minutes if said.hour_label == "ending" else 0
    ends, midnights = counts["ends"], counts["midnights"]
    if not ends or ends <= (1 - _CLEAR) * (ends + midnights):
        return 0
    if ends >= _CLEAR * (ends + midnights):
        return minutes
    return Problem(
        file,
        f"{ends:,} hours are labelled 24:00 and {midnights:,} 00:00: the labels may name the end "
        "of an hour or its beginning",
        "State which of them in the mapping (readings.hour_label: starting or ending).",
        column=name,
        rows=ends + midnights,
    )


def is_number(column: ColumnSchema) -> bool:
    """Whether values are numbers, of any kind."""
    return column.data_type in ("double", "integer", "bigint")


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
        return _cast_native(column, given, source_type, read_as)
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


def _cast_native(column: ColumnSchema, raw: str, source_type: str, read_as: Convention) -> str:
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
            given = f"cast({local} as {column.duckdb_type})"
            return _labelled(_on_local_clocks(given, read_as), read_as)
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
    number = f"replace({text}, ',', '.')" if read_as.decimal_comma else text
    if not read_as.thousands:
        return number
    # A separator stands before three digits; elsewhere the value is no number.
    sign = re.escape(read_as.thousands)
    point = "," if read_as.decimal_comma else r"\."
    grouped = rf"[-+]?\d{{1,3}}({sign}\d{{3}})+({point}\d*)?"
    plain = f"replace({text}, {literal(read_as.thousands)}, '')"
    plain = f"replace({plain}, ',', '.')" if read_as.decimal_comma else plain
    return (
        f"case when not contains({text}, {literal(read_as.thousands)}) then {number} "
        f"when regexp_full_match({text}, {literal(grouped)}) then {plain} end"
    )


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
        listing = literals([*BOOLEAN_WORDS[word], *of_column.get(word, ())])
        choices.append(f"when lower({text}) in ({listing}) then {outcome}")
    return f"case {' '.join(choices)} end"


def _instant(text: str, read_as: Convention) -> str:
    iso = text
    if read_as.date_format:
        # The engine knows no 24:00: it is 0:00 of the next day.
        local = (
            f"try_strptime(replace({text}, '24:00', '00:00'), {literal(read_as.date_format)}) + "
            f"case when contains({text}, '24:00') then interval 1 day else interval 0 day end"
        )
        return _labelled(_on_local_clocks(local, read_as), read_as)
    if read_as.year_last:
        order = r"\3-\2-\1\4" if read_as.day_first else r"\3-\1-\2\4"
        iso = f"regexp_replace({iso}, {literal(YEAR_LAST)}, {literal(order)})"
    if read_as.compact:
        iso = f"regexp_replace({iso}, {literal(_COMPACT)}, '\\1-\\2-\\3')"
    # The engine also reads "epoch", "infinity" and years of two digits.
    iso = f"case when substr({iso}, 5, 1) in ('-', '/') then {iso} end"
    local = f"try_cast({iso} as timestamp)"
    if read_as.zoned:
        local = _on_local_clocks(local, read_as)
        zoned = f"try_cast({iso} as timestamptz) at time zone {literal(TIME_ZONE)}"
        local = f"case when regexp_matches({text}, {literal(_ZONED)}) then {zoned} else {local} end"
        return _labelled(local, read_as)
    return _labelled(_on_local_clocks(local, read_as), read_as)


def _on_local_clocks(value: str, read_as: Convention) -> str:
    """An instant of the zone that a mapping says."""
    if read_as.zone is None:
        return value
    return f"timezone({literal(TIME_ZONE)}, timezone({literal(read_as.zone)}, {value}))"


def _labelled(value: str, read_as: Convention) -> str:
    """The beginning of the interval that a label names."""
    return f"{value} - interval {read_as.label_minutes} minutes" if read_as.label_minutes else value
