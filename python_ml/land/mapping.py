"""What a retailer's own files hold, told once: the file that `--mapping` names.

Without a mapping, files have the names and columns of models/sources.yml. A mapping says, source by
source, which files stand for it, which of their columns are meant, and how they are written; what
it does not mention is recognised as before. docs/own-files.md explains it to users.

How readers use it:

- `read_mapping(path)` gives the checked `BatchMapping`; `BatchMapping.apply(schemas)` gives the
  schemas of this batch. They differ from those of models/sources.yml in `meta` alone: the names of
  columns (`aliases`), the pattern of identifiers, words for yes and no, and columns that are
  absent, which are neither required nor refused for being null. Whatever goes by the schema
  (checks, conversion, the scan of hourly files) needs no other look at the mapping. The schemas are
  part of the batch's content hash, and so is `BatchMapping.content`.
- `RawFile.mapping` is the `SourceMapping` of a file, empty where nothing is declared, with the
  mapping's `defaults` filled in: `encoding`, `delimiter`, `zone`, `sheet` and the like are read
  from it as they are. None means: find out.
- `SourceMapping.column(name)` is the `ColumnMapping` of a product column, likewise with the
  source's conventions filled in. `read.mapped` and `read.declared` turn it into an expression over
  the file (a column, a sum of columns, a constant), `convert` applies `decimal`, `thousands`,
  `dates`, `nulls`, `yes`, `no`, `words` and `factor`.
- `SourceMapping.readings` tells how readings are laid out (`layout`) and which further columns of
  the file the layout needs. The readers turn each layout into rows of consumption_hourly.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from python_ml.contracts.schema import (
    ColumnSchema,
    TableSchema,
    customer_id_pattern,
    load_source,
)
from python_ml.documents import read_json
from python_ml.errors import BadInputError
from python_ml.land.s3 import is_s3, read_object
from python_ml.settings import Settings, expanded

PAGE = "docs/own-files.md"
Layout = Literal[
    "hourly",
    "quarter_hourly",
    "daily",
    "monthly",
    "billing_period",
    "register",
    "hour_matrix",
]
DateOrder = Literal["year_first", "day_first", "month_first"]

# A unit is a quantity, or a quantity a quantity ("EUR/MWh"): what it measures, and how many of the
# first unit of its kind it stands for.
_QUANTITIES: dict[str, tuple[str, float]] = {
    **{"kWh": ("energy", 1.0), "Wh": ("energy", 0.001), "MWh": ("energy", 1000.0)},
    **{"GWh": ("energy", 1_000_000.0), "kW": ("power", 1.0), "W": ("power", 0.001)},
    **{"MW": ("power", 1000.0), "EUR": ("money", 1.0), "cent": ("money", 0.01)},
    **{"m3": ("volume", 1.0), "dam3": ("volume", 1000.0)},
    **{"month": ("time", 1.0), "year": ("time", 12.0), "days": ("days", 1.0)},
}
_KWH_IN_M3 = 11.0  # of gas
KEYS = {"customer_id", "timestamp", "pricing_date", "month", "date", "churn"}


def _listed(value: object) -> object:
    """One name stands for a list of one."""
    return [value] if isinstance(value, str) else value


Names = Annotated[list[Annotated[str, Field(min_length=1)]], BeforeValidator(_listed)]


class _Part(BaseModel):
    """A part of the mapping; a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Conventions(_Part):
    """How text is written. What is not said is found out from the whole column."""

    decimal: Literal[".", ","] | None = None
    thousands: Literal[".", ",", " ", "'"] | None = None
    dates: str | None = Field(
        None, description="year_first, day_first, month_first, or a format such as %d/%m/%Y %H:%M"
    )
    nulls: Names | None = Field(None, description="further words for a missing value")
    yes: Names | None = Field(None, description="further words for yes")
    no: Names | None = Field(None, description="further words for no")

    @field_validator("dates")
    @classmethod
    def _is_order_or_format(cls, value: str | None) -> str | None:
        if value in (None, "year_first", "day_first", "month_first"):
            return value
        if "%" not in str(value):
            raise ValueError(
                "expected year_first, day_first, month_first or a format such as %d/%m/%Y"
            )
        return value

    @model_validator(mode="after")
    def _signs_differ(self) -> Self:
        if self.decimal is not None and self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}")
        return self

    @property
    def date_order(self) -> DateOrder | None:
        """The order of day, month and year, where that is what `dates` says."""
        return self.dates if self.dates and "%" not in self.dates else None  # type: ignore[return-value]

    @property
    def date_format(self) -> str | None:
        """The format of dates, where `dates` is one."""
        return self.dates if self.dates and "%" in self.dates else None


class Dialect(Conventions):
    """How a whole file is written."""

    encoding: Literal["utf-8", "utf-16", "cp1252", "latin-1"] | None = None
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    zone: str | None = Field(
        None, description="of instants without a zone of their own; default: local clock time"
    )

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (KeyError, OSError, ValueError) as error:
                raise ValueError(
                    f"{value!r} is no time zone, such as UTC or Europe/Madrid"
                ) from error
        return value


class ColumnMapping(Conventions):
    """Where the values of one product column come from, and how they are written."""

    column: str | None = Field(None, min_length=1, description="name of the column in the file")
    sum: Names | None = Field(None, description="columns that are added up")
    first: Names | None = Field(
        None, description="columns, of which the first that is neither missing nor 0 counts"
    )
    value: str | None = Field(None, description="one value for all rows")
    absent: bool = Field(False, description="the files do not have it")
    unit: str | None = Field(None, description="unit in the file, where it differs from ours")
    words: dict[str, str] | None = Field(None, description="their word: ours")

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, given: object) -> object:
        return {"column": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [self.column, self.sum, self.first, self.value, self.absent or None]
        if sum(entry is not None for entry in given) != 1:
            raise ValueError("expected exactly one of column, sum, first, value and absent: true")
        return self

    @property
    def names(self) -> list[str]:
        """The columns of the file that it reads."""
        return [self.column] if self.column else [*(self.sum or ()), *(self.first or ())]


class ReadingsMapping(_Part):
    """How readings of energy are laid out, and the columns that this needs beside the product's.

    Columns of the product (customer_id, timestamp, consumption_elec_kwh, consumption_gas_m3) are
    mapped under `columns`, as everywhere; `timestamp` is needed only where no `date` is named.
    """

    layout: Layout = "hourly"
    hour_label: Literal["starting", "ending"] | None = Field(
        None, description="whether 01:00 names the hour that begins or that ends then"
    )
    hours: Literal["0-23", "1-24", "1-25"] | None = Field(None, description="numbers of the hours")
    date: str | None = Field(None, description="column of the day, beside a column of the hour")
    hour: str | None = Field(None, description="column of the hour")
    hour_columns: str | None = Field(
        None, description="names of the columns of an hour matrix, such as H{hour:02}"
    )
    period_start: ColumnMapping | None = Field(None, description="first day of a billing period")
    period_end: ColumnMapping | None = Field(None, description="last day of a billing period")
    energy_by_period: list[str] | None = Field(
        None, description="columns of peak, standard and off-peak energy, in this order"
    )
    supply_point: str | None = Field(None, description="column of the supply point, added up")
    exported: str | None = Field(None, description="column of exported energy, in the same unit")
    meter: str | None = Field(None, description="column of the meter, for registers")
    register_maximum: float | None = Field(
        None, gt=0, description="reading after which a register starts from 0 again"
    )
    method: str | None = Field(None, description="column that says how a reading was obtained")
    longer_than_month: bool = Field(
        False, description="periods do not tell months apart, as yearly sums do not"
    )

    @property
    def names(self) -> list[str]:
        """The columns of the file that it names, but for those of an hour matrix."""
        named = [self.date, self.hour, self.supply_point, self.exported, self.meter, self.method]
        periods = [name for it in (self.period_start, self.period_end) if it for name in it.names]
        return [name for name in named if name] + periods + list(self.energy_by_period or ())

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.longer_than_month and self.layout != "billing_period":
            raise ValueError("longer_than_month goes with layout billing_period")
        if self.layout == "billing_period" and not (self.period_start and self.period_end):
            raise ValueError("layout billing_period needs period_start and period_end")
        if self.layout == "hour_matrix" and not (self.date and self.hour_columns):
            raise ValueError("layout hour_matrix needs date and hour_columns")
        if self.hour and not self.date:
            raise ValueError("hour needs date")
        return self


class SourceMapping(Dialect):
    """What stands for one table of models/sources.yml."""

    files: Names | None = Field(
        None,
        description="names or patterns (clients_*.csv) below the folder; several are read as "
        "parts of one",
    )
    absent: bool = Field(False, description="there are no such data")
    columns: dict[str, ColumnMapping] = {}
    ignore: Names = Field([], description="columns to leave out; patterns, * for all others")
    sheet: str | None = Field(None, description="sheet of a workbook (default: the first)")
    header_row: int | None = Field(None, ge=1, description="line that holds the names of columns")
    readings: ReadingsMapping | None = None

    @model_validator(mode="after")
    def _is_there_or_not(self) -> Self:
        if self.absent and (self.files or self.columns or self.readings):
            raise ValueError("absent: true goes with no other key")
        return self

    def column(self, name: str) -> ColumnMapping | None:
        """How a product column is mapped, with the source's conventions; None if it is not."""
        found = self.columns.get(name)
        if found is None:
            return None
        own = {key: getattr(self, key) for key in Conventions.model_fields}
        filled = {key: value for key, value in own.items() if getattr(found, key) is None}
        return found.model_copy(update=filled)

    def conventions(self, name: str) -> Conventions:
        """How the values of a product column are written, mapped or not."""
        return self.column(name) or self

    def is_ignored(self, name: str) -> bool:
        """Whether a column of the file is to be left out."""
        return any(name == pattern or fnmatchcase(name, pattern) for pattern in self.ignore)

    def holds(self, path: str) -> bool:
        """Whether a file below the folder is one of this source."""
        return any(path == pattern or fnmatchcase(path, pattern) for pattern in self.files or ())


class CustomerId(_Part):
    """The identifier of a customer, in every source."""

    pattern: str = Field(min_length=1, description="regular expression that a whole id matches")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
            pc.match_substring_regex(pa.array([""]), value)  # as the engines read it
        except (re.error, pa.ArrowInvalid) as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from error
        return value


class BatchMapping(_Part):
    """A whole mapping file."""

    version: Literal["1"] = "1"
    customer_id: CustomerId | None = None
    defaults: Dialect = Dialect()
    sources: dict[str, SourceMapping] = {}

    @cached_property
    def content(self) -> str:
        """SHA-256 of what it says, whatever its comments, order and place."""
        text = json.dumps(self.model_dump(exclude_defaults=True), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def absent(self) -> list[str]:
        """Names of the sources that there are no data of."""
        return [name for name, source in self.sources.items() if source.absent]

    def missing(self, schemas: Mapping[str, TableSchema]) -> list[str]:
        """What the mapping says there is not: tables, and columns as `table.column`."""
        columns = [
            f"{name}.{column}"
            for name in schemas
            for column, mapped in self.source(name).columns.items()
            if mapped.absent
        ]
        said = self.source("consumption_hourly").readings
        months = ["consumption_hourly.months"] if said and said.longer_than_month else []
        return self.absent + columns + months

    def source(self, name: str) -> SourceMapping:
        """What is said of a table, with the defaults filled in."""
        found = self.sources.get(name) or SourceMapping()
        own = {key: getattr(self.defaults, key) for key in Dialect.model_fields}
        return found.model_copy(
            update={key: value for key, value in own.items() if getattr(found, key) is None}
        )

    def apply(self, schemas: Mapping[str, TableSchema]) -> dict[str, TableSchema]:
        """The schemas of this batch; they differ in `meta` alone."""
        return {name: self._table(schema) for name, schema in schemas.items()}

    def _table(self, schema: TableSchema) -> TableSchema:
        source = self.source(schema.name)
        columns = tuple(self._column(column, source) for column in schema.columns)
        meta = {**schema.meta, "absent": True} if source.absent else schema.meta
        return replace(schema, columns=columns, meta=meta)

    def _column(self, column: ColumnSchema, source: SourceMapping) -> ColumnSchema:
        meta = dict(column.meta)
        if column.name == "customer_id" and self.customer_id is not None:
            meta["pattern"] = self.customer_id.pattern
        mapped = source.column(column.name)
        if mapped is not None:
            meta["mapped"] = True
            meta["aliases"] = [mapped.column] if mapped.column else []
            if mapped.unit is not None:
                meta["factor"] = factor(mapped.unit, str(meta.get("unit", "")))
            if mapped.absent:
                meta |= {"absent": True, "required": False, "nullable": True}
        said = source.conventions(column.name)
        if said.yes or said.no:
            words = dict(meta.get("words", {}))
            for kind, more in (("true", said.yes), ("false", said.no)):
                words[kind] = [*words.get(kind, ()), *(word.lower() for word in more or ())]
            meta["words"] = words
        return replace(column, meta=meta)


def factor(unit: str, wanted: str) -> float:
    """What a value in `unit` is multiplied by to be one in `wanted`.

    Raises:
        ValueError: a unit is unknown, or they do not measure the same.
    """
    (have, given), (need, base) = _measure(unit), _measure(wanted)
    if (have, need) == (("energy",), ("volume",)):  # gas
        return given / _KWH_IN_M3 / base
    if have != need:
        raise ValueError(f"unit {unit} cannot be converted to {wanted or 'a number without unit'}")
    return given / base


def _measure(unit: str) -> tuple[tuple[str, ...], float]:
    kinds: list[str] = []
    size = 1.0
    for position, name in enumerate(unit.split("/")):
        if name not in _QUANTITIES:
            known = ", ".join(_QUANTITIES)
            raise ValueError(f"unit {unit!r} is unknown; known are {known}, and one a another")
        kind, of_base = _QUANTITIES[name]
        kinds.append(kind)
        size = size * of_base if position == 0 else size / of_base
    return tuple(kinds), size


def read_mapping(path: str | Path | None) -> BatchMapping:
    """The mapping in a file, here or in S3; an empty one without a path.

    Raises:
        BadInputError: the file cannot be read, or a key or value in it is wrong; the message names
            the file and the key.
    """
    if path is None:
        return BatchMapping()
    try:
        given = yaml.load(_content(path).decode(), _Texts)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BadInputError(f"mapping {path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise BadInputError(f"mapping {path}: this is not YAML: {error}") from error
    except RecursionError as error:
        raise BadInputError(f"mapping {path}: nested too deeply") from error
    if not isinstance(given, dict):
        raise BadInputError(f"mapping {path}: expected keys such as sources; see {PAGE}")
    try:
        mapping = BatchMapping.model_validate(given)
    except ValidationError as error:
        raise _refusal(path, error.errors(include_url=False)) from None
    problems = list(_contradictions(mapping, load_source("raw")))
    if problems:
        raise BadInputError("\n".join(f"mapping {path}: {problem}" for problem in problems))
    return mapping


def _content(path: str | Path) -> bytes:
    return read_object(str(path)) if is_s3(path) else expanded(str(path)).read_bytes()


def raw_schemas(mapping: str | Path | None) -> dict[str, TableSchema]:
    """The schemas of raw files as a mapping file, if any, declares them.

    Raises:
        BadInputError: the mapping is wrong.
    """
    schemas = load_source("raw")
    return read_mapping(mapping).apply(schemas) if mapping is not None else schemas


def id_pattern(settings: Settings) -> str:
    """What a customer id of a home looks like: by its mapping, or by the batch that it holds."""
    if settings.land.mapping is not None:
        mapping = read_mapping(settings.land.mapping)
        if mapping.customer_id is not None:
            return mapping.customer_id.pattern
    landed = read_json(settings.layout.lake / "raw" / "landing.json") or {}
    found = landed.get("result", {}).get("customer_id_pattern")
    return str(found or customer_id_pattern())


def id_columns(settings: Settings) -> frozenset[str]:
    """What the company's own files call customer ids, by the mapping; in lower case."""
    mapping = read_mapping(settings.land.mapping)
    found = [source.columns.get("customer_id") for source in mapping.sources.values()]
    names = [name for column in found if column for name in (column.column, *(column.first or ()))]
    return frozenset(name.lower() for name in names if name is not None)


def id_shape(pattern: str) -> str:
    """What identifiers look like, in words; where none is declared, how to declare one."""
    if pattern != customer_id_pattern():
        return f"like {pattern}"
    return "like C01234 (if yours do not, name the mapping of the batch in land.mapping)"


class _Texts(yaml.BaseLoader):
    """YAML whose values are texts: yes is a word, 01 a province, and 2016-01-31 what it looks like.

    A key may stand once (the library takes the last one in silence); one without a value is as if
    it were not there.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in seen:
                what = f"the key {key.value!r} is there twice"
                if not isinstance(key, yaml.ScalarNode):
                    what = "a key is no text"
                raise yaml.constructor.ConstructorError(None, None, what, key.start_mark)
            seen.add(key.value)
        node.value = [pair for pair in node.value if not _is_nothing(pair[1])]
        return super().construct_mapping(node, deep)


def _is_nothing(node: yaml.Node) -> bool:
    is_plain = isinstance(node, yaml.ScalarNode) and node.style is None
    return is_plain and node.value in ("", "null", "~")


def _refusal(path: str | Path, errors: Sequence[Any]) -> BadInputError:
    """All that is wrong with the keys and values of a mapping, a line each."""
    lines = []
    for error in errors:
        place = ".".join(str(part) for part in error["loc"])
        if error["type"] == "extra_forbidden":
            known = _known_keys(error["loc"][:-1])
            close = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
            hint = f" (did you mean {close[0]}?)" if close else f"; known are {', '.join(known)}"
            what = f"unknown key{hint}"
        elif error["type"] == "value_error":
            what = str(error["ctx"]["error"])
        else:
            message = error["msg"]
            what = f"{message[:1].lower()}{message[1:]}, got {str(error['input'])[:80]!r}"
        lines.append(f"mapping {path}: {place + ': ' if place else ''}{what}; see {PAGE}")
    return BadInputError("\n".join(lines))


def _known_keys(place: Sequence[int | str]) -> list[str]:
    """Keys that may stand at a place of the file."""
    model: type[BaseModel] = BatchMapping
    rest = list(place)
    if rest[:1] == ["sources"] and len(rest) >= 2:
        model, rest = SourceMapping, rest[2:]
        if rest[:1] == ["columns"]:
            model, rest = ColumnMapping, rest[2:]
        elif rest[:1] == ["readings"]:
            model, rest = (ReadingsMapping, []) if len(rest) == 1 else (ColumnMapping, [])
    elif rest:
        parts: dict[str, type[BaseModel]] = {"customer_id": CustomerId, "defaults": Dialect}
        model = parts.get(str(rest[0]), BatchMapping)
    return list(model.model_fields)


def _contradictions(mapping: BatchMapping, schemas: Mapping[str, TableSchema]) -> Iterable[str]:
    """What is wrong with a mapping in the light of models/sources.yml."""
    for name, source in mapping.sources.items():
        place = f"sources.{name}"
        if (schema := schemas.get(name)) is None:
            yield f"{place}: {_unknown('source', name, schemas)}"
            continue
        if source.absent and not schema.meta.get("optional"):
            yield f"{place}.absent: this source is required"
        if source.readings is not None and name != "consumption_hourly":
            yield f"{place}.readings: only consumption_hourly has readings"
        for own, column in source.columns.items():
            at = f"{place}.columns.{own}"
            if own not in schema.column_names:
                yield f"{at}: {_unknown('column', own, schema.column_names)}"
                continue
            declared = schema.column(own)
            if column.absent and own in KEYS:
                yield f"{at}.absent: {name} needs this column"
            if column.sum and declared.data_type != "double":
                yield f"{at}.sum: only numbers are added up; this is a {declared.data_type}"
            if column.first and declared.data_type != "double":
                yield f"{at}.first: only for numbers; this is a {declared.data_type}"
            if column.unit is not None:
                try:
                    factor(column.unit, str(declared.meta.get("unit", "")))
                except ValueError as error:
                    yield f"{at}.unit: {error}"


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
    return f"there is no {kind} {name!r} ({hint})"
