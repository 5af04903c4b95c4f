"""What landing hands back, and how it says what is wrong."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import date
from itertools import islice
from typing import Any, ClassVar

from python_ml.errors import BadInputError

_LONGEST_NAME = 120  # characters
_MOST_NAMES = 20


@dataclass
class TableResult:
    """What became of one file of the batch."""

    name: str
    files: list[str] = field(default_factory=list)
    rows_in: int = 0
    rows_landed: int = 0
    set_aside: dict[str, int] = field(default_factory=dict)  # rows by reason
    duplicate_key_rows: int = 0  # rows kept although an earlier one has the same key
    byte_count: int = 0  # of the landed Parquet
    seconds: float = 0.0
    taken: str = "rewritten"  # "as is", "rewritten", "partly as is" or "absent"
    rows_added_up: int = 0  # readings beyond the first of an hour, added to it
    rows_made: int = 0  # hours beyond the first of a reading of a longer interval
    rows_estimated: int = 0  # hours whose energy was spread from a longer interval

    @property
    def rows_set_aside(self) -> int:
        return sum(self.set_aside.values())


@dataclass
class LandResult:
    """One landed batch."""

    document_name: ClassVar[str] = "landing"

    batch_id: str
    content_hash: str
    newest_month: str  # YYYY-MM, of consumption
    as_of_date: date  # last day of the newest month
    tables: dict[str, TableResult]
    warnings: list[str] = field(default_factory=list)
    ignored_files: list[str] = field(default_factory=list)
    months: dict[str, str] = field(default_factory=dict)  # SHA-256 of the readings of each month
    absent: list[str] = field(default_factory=list)  # tables, and columns as table.column
    customer_id_pattern: str | None = None  # that a mapping gives
    reused: bool = False  # the lake held this very batch already
    seconds: float = 0.0

    @property
    def row_count(self) -> int:
        """Rows landed in all tables."""
        return sum(table.rows_landed for table in self.tables.values())

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON-able values."""
        document = asdict(self) | {"as_of_date": self.as_of_date.isoformat()}
        for name, table in self.tables.items():
            document["tables"][name]["rows_set_aside"] = table.rows_set_aside
        return document

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> LandResult:
        """The inverse of `as_dict`."""
        tables = {
            name: TableResult(
                **{key: entry[key] for key in TableResult.__dataclass_fields__ if key in entry}
            )
            for name, entry in document["tables"].items()
        }
        as_of_date = date.fromisoformat(document["as_of_date"])
        return cls(**{**document, "tables": tables, "as_of_date": as_of_date})


@dataclass(frozen=True)
class Problem:
    """One reason to refuse a batch: where, what, how many rows, and what to do about it."""

    file: str
    what: str
    remedy: str
    column: str | None = None
    rows: int | None = None

    def __str__(self) -> str:
        place = shown(self.file)
        if self.column:
            place += f", column {shown(self.column)}"
        count = (
            "" if self.rows is None else f" ({self.rows:,} {'row' if self.rows == 1 else 'rows'})"
        )
        return f"{place}: {self.what}{count}. {self.remedy}"


def shown(name: str) -> str:
    """A name of a file or column as one short line: a control character as its escape."""
    plain = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in name)
    return plain if len(plain) <= _LONGEST_NAME else f"{plain[:_LONGEST_NAME]}…"


def listing(names: Collection[str]) -> str:
    """Names as one line; the first ones and a count where there are many.

    >>> listing(["a.csv", "b.csv"])
    'a.csv, b.csv'
    """
    first = ", ".join(shown(name) for name in islice(names, _MOST_NAMES))
    return first if len(names) <= _MOST_NAMES else f"{first} and {len(names) - _MOST_NAMES:,} more"


class Refusal(Exception):
    """Problems that keep one file from being read any further."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


class EngineLost(Exception):
    """A file made the engine give up: nothing more can be checked.

    Args:
        problem: the file, and what the engine said.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def refuse(source: str, problems: list[Problem]) -> BadInputError:
    """The one error for a whole batch."""
    count = f"{len(problems)} problem" + ("" if len(problems) == 1 else "s")
    listing = "\n".join(f"  - {problem}" for problem in problems)
    return BadInputError(
        f"The raw batch in {source} was refused and the lake is as it was; {count}:\n{listing}"
    )
