"""What Metabase's front end makes of a card: rules that a definition must keep to look as meant.

Metabase checks none of this, and draws something else without a word: it adds up rows that share a
point, ignores limits of an axis, hides rows of a table under its footer. Sizes are pixels at a
window 1,440 wide, the narrowest for which pages are laid out; in a wider one everything has more
room.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types

from python_ml.pages.marts import mart_keys, mart_schema
from python_ml.pages.model import Dashboard, Position
from python_ml.pages.problems import Entry
from python_ml.pages.visualization import CONTRAST, column_key, contrast_in_cell, unreadable

AXES = ("bar", "row", "line", "area", "combo", "scatter", "waterfall")
SUMMED = (*(it for it in AXES if it != "scatter"), "pie", "funnel")
# The grid, and the parts of a card.
ROW, COLUMN, GAP = 57, 57.6, 8
TITLE, TABLE_HEAD, TABLE_ROW, TABLE_LINE, TABLE_FOOT = 41, 35, 36, 17, 30
OBJECT_HEAD, OBJECT_ROW = 63, 40
CHARACTER = 8.3  # of a title
SCALAR_CHARACTER = 6.6  # of the name below a number
ICON = 20  # behind which the description hides
PIE_WIDTH = 8  # cells; in a narrower one, the legend is cut
LONG_TEXT = re.compile(
    r"(^|_)(sentence|reasons?|reason_\d|detail|summary|message|note|accepted_by|definition)$"
)
# A flag that one run or date has at a time.
NEWEST = {"is_newest_run": "run_id", "is_current": "run_id", "is_newest": "as_of_date"}


@dataclass(frozen=True)
class Drawing:
    """A card as far as it is compiled, for the rules."""

    entry: Entry
    name: str
    description: str
    display: str
    settings: dict[str, Any]
    position: Position | None
    tree: exp.Query | None  # qualified; None where the query itself is broken
    rows: int | None  # that a table promises to show without scrolling

    @property
    def visualization(self) -> Entry:
        return self.entry.entry("visualization") or self.entry

    @property
    def width(self) -> float:
        """Pixels of the card."""
        return COLUMN * self.position.width - GAP if self.position else math.inf


def check(drawing: Drawing) -> None:
    """Complain of everything that Metabase would draw differently than meant."""
    if drawing.position is None:
        return
    _check_name(drawing)
    if drawing.display in SUMMED:
        _check_points(drawing)
    if drawing.display in AXES:
        _check_axes(drawing)
        _check_series(drawing)
    if drawing.display == "pie" and drawing.position.width < PIE_WIDTH:
        drawing.entry.complain("at", f"at: the legend of a pie needs a width of {PIE_WIDTH}")
    if drawing.display == "smartscalar":
        _check_trend(drawing)
    if drawing.display in ("table", "object"):
        _check_columns(drawing)
        _check_height(drawing)
    if drawing.display == "table":
        _check_cells(drawing)


def check_click(entry: Entry, tab: str | None, target: Dashboard | None) -> None:
    """A link that names no tab of a dashboard with tabs opens whichever was open last."""
    if target is None:
        return
    keys = tuple(it.key for it in target.tabs)
    if keys and tab is None:
        named = "dashboard" if "dashboard" in entry else "markdown"
        entry.complain(named, f"{target.key} has tabs: name one under tab ({', '.join(keys)})")
    elif tab is not None and tab not in keys:
        entry.complain("tab", f"tab: {target.key} has no tab {tab!r}")


def _check_name(drawing: Drawing) -> None:
    if drawing.display == "scalar":
        needed = SCALAR_CHARACTER * len(drawing.name) + 2 * ICON
    else:
        needed = CHARACTER * len(drawing.name) + 2 * ICON
    if drawing.description:
        needed += ICON
    if needed > drawing.width:
        drawing.entry.complain(
            "name",
            f"name: Metabase cuts {drawing.name!r}, which needs {needed:.0f} pixels of "
            f"{drawing.width:.0f}; shorten it or widen the card",
        )


# ---------- charts


def _check_points(drawing: Drawing) -> None:
    settings, tree = drawing.settings, drawing.tree
    dimension = settings.get("graph.dimensions")
    if dimension is None:
        key = f"{drawing.display}.dimension"
        dimension = [settings[key]] if key in settings else None
    if tree is None or not isinstance(dimension, list):
        return
    if not is_one_row_each(tree, dimension):
        shown = " and ".join(map(str, dimension))
        drawing.visualization.complain(
            "graph.dimensions",
            f"several rows may share the same {shown}, and Metabase adds them up: "
            f"group the statement by {shown}",
        )


def is_one_row_each(tree: exp.Query, names: list[str]) -> bool:
    """Whether the statement itself says that no two rows agree in all of these columns."""
    if not isinstance(tree, exp.Select):
        return False
    outputs = {it.alias_or_name: it.unalias() for it in tree.selects}
    chosen = [outputs[name] for name in names if name in outputs]
    if any(isinstance(it, exp.Window) and isinstance(it.this, exp.RowNumber) for it in chosen):
        return True
    fixed = _fixed_columns(tree)
    group = tree.args.get("group")
    if group is not None:
        return all(it in chosen or it.name in fixed for it in group.expressions)
    is_one_row = all(it.find(exp.AggFunc) for it in outputs.values())
    return is_one_row or _holds_key(tree, {it.name for it in chosen if isinstance(it, exp.Column)})


def _holds_key(tree: exp.Select, columns: set[str]) -> bool:
    """Whether the statement reads one mart, whose primary key is among the columns."""
    source = tree.args.get("from_") or tree.args.get("from")
    if tree.args.get("joins") or source is None or not isinstance(source.this, exp.Table):
        return False
    key = mart_keys().get(source.this.name)
    return bool(key) and set(key or ()) <= columns | _fixed_columns(tree)


def _fixed_columns(tree: exp.Select) -> set[str]:
    """Columns that have one value in all rows, by the conditions."""
    where = tree.args.get("where")
    if where is None:
        return set()
    fixed = set()
    for condition in where.this.flatten() if isinstance(where.this, exp.And) else [where.this]:
        if isinstance(condition, exp.EQ) and isinstance(condition.this, exp.Column):
            fixed.add(condition.this.name)
        elif isinstance(condition, exp.Column) and condition.name in NEWEST:
            fixed.add(NEWEST[condition.name])
    return fixed


def _check_axes(drawing: Drawing) -> None:
    settings, entry = drawing.settings, drawing.visualization
    for key in ("graph.y_axis.min", "graph.y_axis.max"):
        if key in settings and settings.get("graph.y_axis.auto_range") is not False:
            entry.complain(key, f"{key}: has no effect without graph.y_axis.auto_range: false")
    for axis in ("x", "y"):
        is_named = f"graph.{axis}_axis.title_text" in settings
        if not is_named and settings.get(f"graph.{axis}_axis.labels_enabled") is not False:
            entry.complain(
                "graph.metrics",
                f"the {axis} axis is titled with the raw name of a column: set "
                f"graph.{axis}_axis.title_text, or graph.{axis}_axis.labels_enabled: false",
            )


def _check_series(drawing: Drawing) -> None:
    settings, entry = drawing.settings, drawing.visualization
    dimensions, metrics = settings.get("graph.dimensions"), settings.get("graph.metrics")
    if not isinstance(dimensions, list) or not isinstance(metrics, list):
        return
    series = settings.get("series_settings") or {}
    is_broken_out = len(dimensions) > 1
    if is_broken_out and "graph.series_order" not in settings:
        entry.complain(
            "graph.dimensions",
            f"values of {dimensions[1]!r} have no order and no colours, so Metabase chooses them "
            "by the order of rows: add them to values in theme.yml",
        )
    elif not is_broken_out:
        for metric in metrics:
            if "color" not in series.get(metric, {}):
                entry.complain(
                    "graph.metrics",
                    f"{metric!r} has no colour, so Metabase chooses one: set it in series_settings",
                )
    has_several = is_broken_out or len(metrics) > 1
    is_apart = drawing.display in ("row", "scatter") or "stackable.stack_type" in settings
    if has_several and not is_apart and settings.get("graph.y_axis.auto_split") is not False:
        entry.complain(
            "graph.metrics",
            "Metabase puts a series of another size on a second axis of its own: set "
            "graph.y_axis.auto_split: false, and axis: right for a series that has its own unit",
        )


# ---------- tables, objects, trends


def _types(tree: exp.Query) -> dict[str, Any]:
    """Column of the result -> kind of type, by SQLGlot's names."""
    annotated = annotate_types(tree.copy(), schema=mart_schema(), dialect="duckdb")
    return {
        it.alias_or_name: it.type.this if it.type is not None else None for it in annotated.selects
    }


def _shown(drawing: Drawing) -> list[str]:
    listed = drawing.settings.get("table.columns", [])
    return [it["name"] for it in listed if it["enabled"]]


def _check_columns(drawing: Drawing) -> None:
    columns = drawing.entry.entry("columns") or drawing.entry
    settings = drawing.settings["column_settings"]
    types = _types(drawing.tree) if drawing.tree is not None else {}
    for name in _shown(drawing):
        own = settings[column_key(name)]
        if types.get(name) == exp.DataType.Type.BOOLEAN:
            columns.complain(
                name, f"{name}: Metabase writes true and false; give words, as in case when … end"
            )
        if own.get("date_style") == "MMMM, YYYY":
            columns.complain(
                name,
                f"{name}: Metabase writes a month with a day; give text, as in "
                "substring(cast(… as varchar), 1, 7)",
            )
        if drawing.display == "table" and LONG_TEXT.search(name) and not own.get("text_wrapping"):
            columns.complain(
                name, f"{name}: long text is cut unless it has wrap (lines) and width (pixels)"
            )
    widths = drawing.settings.get("table.column_widths", [])
    if sum(widths) > drawing.width - 2:
        drawing.entry.complain(
            "columns",
            f"columns: together {sum(widths)} pixels wide, in a card of {drawing.width:.0f}; "
            "the last ones are cut",
        )


def height_needed(display: str, count: int, lines: int = 1) -> int:
    """Cells of the grid that a table needs for rows of so many lines, or an object for fields."""
    if display == "object":
        pixels = OBJECT_HEAD + OBJECT_ROW * count
    else:
        row = TABLE_ROW + TABLE_LINE * (lines - 1)
        pixels = TITLE + TABLE_HEAD + row * count + TABLE_FOOT
    return math.ceil((pixels + GAP) / ROW)


def _check_height(drawing: Drawing) -> None:
    entry, position = drawing.entry, drawing.position
    assert position is not None
    if drawing.display == "object":
        count = len(_shown(drawing))
        what = f"{count} fields"
    elif drawing.rows is None:
        entry.complain("at", "rows is missing: how many rows the table shows without scrolling")
        return
    else:
        count = drawing.rows
        what = f"{count} rows"
    needed = height_needed(drawing.display, count, _lines(drawing))
    if position.height < needed:
        entry.complain("at", f"at: {what} need a height of {needed}, not {position.height}")


def _lines(drawing: Drawing) -> int:
    columns = drawing.entry.entry("columns")
    wraps = [1]
    for name in columns or ():
        own = columns.entry(name) if columns else None
        value = own.value("wrap") if own is not None else None
        wraps.append(value if isinstance(value, int) else 1)
    return max(wraps)


def _check_cells(drawing: Drawing) -> None:
    for rule in drawing.settings.get("table.column_formatting", []):
        for color in (rule.get("color"), *rule.get("colors", ())):
            if color is not None and contrast_in_cell(color) < CONTRAST:
                drawing.visualization.complain("table.column_formatting", unreadable(color))


def _check_trend(drawing: Drawing) -> None:
    if drawing.tree is None:
        return
    types = _types(drawing.tree)
    dates = [name for name, kind in types.items() if kind in exp.DataType.TEMPORAL_TYPES]
    others = [name for name, kind in types.items() if kind in exp.DataType.TEXT_TYPES]
    if len(dates) != 1 or others:
        drawing.visualization.complain(
            "scalar.field",
            f"a trend needs exactly one column of dates beside numbers, not {len(dates)}"
            + (f", and no text ({', '.join(others)})" if others else ""),
        )
