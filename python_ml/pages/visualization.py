"""Visualization settings of a card: what each display knows, checked against the columns.

Metabase checks none of it. A definition uses Metabase's own names; `columns` is a short form of
`column_settings` and `table.columns`, in which the format of a column follows from the suffix of
its name (`_eur`, `_kwh`, `_pct`, …) unless it says otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from python_ml.pages.problems import Entry, Problems, read_yaml
from python_ml.settings import PROJECT_DIR

THEME_FILE = PROJECT_DIR / "infra" / "metabase" / "theme.yml"

AXES = {
    "graph.dimensions": "columns",
    "graph.metrics": "columns",
    "graph.x_axis.title_text": "text",
    "graph.y_axis.title_text": "text",
    "graph.x_axis.labels_enabled": "bool",
    "graph.y_axis.labels_enabled": "bool",
    "graph.x_axis.scale": ("ordinal", "histogram", "timeseries", "linear", "pow", "log"),
    "graph.y_axis.scale": ("linear", "pow", "log"),
    "graph.y_axis.auto_range": "bool",
    "graph.y_axis.auto_split": "bool",
    "graph.y_axis.min": "number",
    "graph.y_axis.max": "number",
    "graph.show_values": "bool",
    "graph.label_value_formatting": ("auto", "compact", "full"),
    "graph.show_goal": "bool",
    "graph.goal_value": "number",
    "graph.goal_label": "text",
    "stackable.stack_type": ("stacked", "normalized"),
    "series_settings": "series",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "bar": AXES,
    "row": AXES,
    "line": AXES,
    "area": AXES,
    "combo": AXES,
    "scatter": {**AXES, "scatter.bubble": "column"},
    "waterfall": {**AXES, "waterfall.show_total": "bool"},
    "pie": {
        "pie.dimension": "column",
        "pie.metric": "column",
        "pie.show_legend": "bool",
        "pie.show_total": "bool",
        "pie.sort_rows": "bool",
        "pie.percent_visibility": ("off", "legend", "inside", "both"),
    },
    "funnel": {
        "funnel.dimension": "column",
        "funnel.metric": "column",
        "funnel.type": ("funnel", "bar"),
    },
    "scalar": {"scalar.field": "column"},
    "smartscalar": {
        "scalar.field": "column",
        "scalar.switch_positive_negative": "bool",
        "scalar.comparisons": "comparisons",
    },
    "gauge": {"gauge.segments": "segments"},
    "progress": {"progress.goal": "number", "progress.color": "color"},
    "table": {"table.column_formatting": "formatting", "table.row_index": "bool"},
    "object": {},
}
REQUIRED = {
    **dict.fromkeys(
        ("bar", "row", "line", "area", "combo", "scatter", "waterfall"),
        ("graph.dimensions", "graph.metrics"),
    ),
    "pie": ("pie.dimension", "pie.metric"),
    "funnel": ("funnel.dimension", "funnel.metric"),
    "scalar": ("scalar.field",),
    "smartscalar": ("scalar.field", "scalar.comparisons"),
    "gauge": ("gauge.segments",),
    "progress": ("progress.goal",),
}
DISPLAYS = tuple(SETTINGS)

# How a number is written; Metabase's own names. A share is stored from 0 to 1.
FORMATS: dict[str, dict[str, Any]] = {
    "euro": {"number_style": "decimal", "decimals": 0, "suffix": " €"},
    "euro_cents": {"number_style": "decimal", "decimals": 2, "suffix": " €"},
    "euro_month": {"number_style": "decimal", "decimals": 0, "suffix": " € a month"},
    "percent": {"number_style": "percent", "decimals": 1},
    "percent_points": {"number_style": "decimal", "decimals": 1, "suffix": " %"},
    "integer": {"number_style": "decimal", "decimals": 0},
    "decimal": {"number_style": "decimal", "decimals": 3},
    "kwh": {"number_style": "decimal", "decimals": 0, "suffix": " kWh"},
    "m3": {"number_style": "decimal", "decimals": 0, "suffix": " m³"},
    "kw": {"number_style": "decimal", "decimals": 1, "suffix": " kW"},
    "seconds": {"number_style": "decimal", "decimals": 1, "suffix": " s"},
    "megabytes": {"number_style": "decimal", "decimals": 0, "suffix": " MB"},
    "days": {"number_style": "decimal", "decimals": 0, "suffix": " days"},
    "months": {"number_style": "decimal", "decimals": 1, "suffix": " months"},
    "date": {"date_style": "D MMMM, YYYY", "date_abbreviate": True},
    "month": {"date_style": "MMMM, YYYY", "date_abbreviate": True},
    "timestamp": {"date_style": "D MMMM, YYYY", "date_abbreviate": True, "time_enabled": "minutes"},
    "text": {},
}
BY_NAME = (
    (r"_eur(_month)?$", "euro"),
    (r"_eur_(kwh|m3)$", "decimal"),
    (r"_kwh$", "kwh"),
    (r"_m3$", "m3"),
    (r"_kw$", "kw"),
    (r"(_share|probability)(_low|_high)?$", "percent"),
    (r"_pct$", "percent_points"),
    (r"(_count|_rank)$", "integer"),
    (r"^seconds$|_seconds$", "seconds"),
    (r"_mb$", "megabytes"),
    (r"_days$|_days_ago$", "days"),
    (r"_months$|^months_to_", "months"),
    (r"_date$", "date"),
    (r"_at$", "timestamp"),
    (r"^month_start$|_month$", "month"),
)
UNITS = re.compile(r"(_eur_month|_eur_kwh|_eur_m3|_eur|_kwh|_m3|_kw|_pct|_mb|_date|_at)$")


@dataclass(frozen=True)
class Theme:
    """Colours by name, and of values by column and value."""

    colors: dict[str, str]
    values: dict[str, dict[str, str]]  # in charts; their order is that of stacks and legends
    cells: dict[str, dict[str, str]]  # behind the text of a table's cell
    dark: dict[str, str]  # replaces a colour on a dark page of the preview


@cache
def theme() -> Theme:
    """The colours of `theme.yml`.

    Raises:
        DefinitionError: a cell's colour makes its text hard to read.
    """
    return read_theme(THEME_FILE)


def read_theme(path: Path) -> Theme:
    """Read and check a theme; see `theme`."""
    problems = Problems()
    entry = read_yaml(path, problems)
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    for column, colors in found["cells"].items():
        lines = entry.entry("cells") if entry else None
        for value, color in colors.items():
            if lines and (of_values := lines.entry(column)) and contrast_in_cell(color) < CONTRAST:
                of_values.complain(value, unreadable(color))
    problems.raise_if_any()
    return Theme(found["colors"], found["values"], found["cells"], found["dark"])


# Metabase lays the colour of a cell over white, two thirds opaque, behind text of one colour.
CELL_TEXT, CELL_OPACITY, CONTRAST = "#4c5773", 0.65, 4.5


def contrast_in_cell(color: str) -> float:
    """Contrast of Metabase's text on a cell of this colour, as WCAG defines it."""
    behind = [CELL_OPACITY * it + (1 - CELL_OPACITY) * 255 for it in _channels(color)]
    light, dark = _luminance(behind), _luminance(_channels(CELL_TEXT))
    return (max(light, dark) + 0.05) / (min(light, dark) + 0.05)


def unreadable(color: str) -> str:
    """What is wrong with the colour of a cell."""
    return (
        f"{color} behind the text of a cell has a contrast of {contrast_in_cell(color):.1f}; "
        f"at least {CONTRAST} is required, so use a lighter colour"
    )


def _channels(color: str) -> list[float]:
    return [int(color[at : at + 2], 16) for at in (1, 3, 5)]


def _luminance(channels: list[float]) -> float:
    linear = [
        it / 12.92 if (it := value / 255) <= 0.04045 else ((it + 0.055) / 1.055) ** 2.4
        for value in channels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def column_key(column: str) -> str:
    """The key of a column in `column_settings`."""
    return json.dumps(["name", column], separators=(",", ":"))


def format_of(column: str) -> str:
    """The format that the name of a column asks for."""
    return next((kind for pattern, kind in BY_NAME if re.search(pattern, column)), "text")


def title_of(column: str) -> str:
    """`expected_monthly_loss_eur` is titled `Expected monthly loss`."""
    words = re.sub(r"_count$", "s", column)
    words = UNITS.sub("", words).removeprefix("is_").removeprefix("has_").replace("_", " ")
    return words[:1].upper() + words[1:]


def read_settings(card: Entry, display: str, columns: tuple[str, ...]) -> dict[str, Any]:
    """The `visualization` and `columns` of a card, as Metabase stores them.

    Complains of keys that the display does not know, of values that are none of its choices and of
    columns that the query does not return.
    """
    known = SETTINGS.get(display, {})
    settings: dict[str, Any] = {}
    entry = card.entry("visualization")
    if entry is not None:
        for key in entry:
            value = entry.value(key)
            if key not in known:
                entry.complain(key, f"{display} has no setting {key!r}; it has {', '.join(known)}")
            else:
                settings[key] = _checked(entry, key, known[key], value, columns)
    for key in REQUIRED.get(display, ()):
        if key not in settings:
            card.complain("visualization", f"{display} needs the setting {key}")
    shown, widths = _read_columns(card, columns, settings)
    if display in ("table", "object"):
        settings["table.columns"] = [
            {"name": name, "enabled": name in shown}
            for name in (*shown, *(name for name in columns if name not in shown))
        ]
        if display == "table":
            settings["table.pivot"] = False
            if any(it.get("text_wrapping") for it in settings["column_settings"].values()):
                settings["table.column_widths"] = [widths[name] for name in shown]
    _colour(display, columns, settings)
    return settings


def _read_columns(
    card: Entry, columns: tuple[str, ...], settings: dict[str, Any]
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Fill `column_settings`.

    Returns:
        The columns that a table shows, in order (without `columns`, all), and the width of each, in
        pixels.
    """
    entry = card.entry("columns")
    formats = {
        name: {"column_title": title_of(name), **FORMATS[format_of(name)]} for name in columns
    }
    shown, own_widths = columns, dict[str, int]()
    if entry is not None:
        shown = tuple(name for name in entry if name in columns)
        for name in entry:
            if columns and name not in columns:
                entry.complain(
                    name, f"the query returns no column {name!r}, but {', '.join(columns)}"
                )
            own = entry.entry(name)
            if own is not None and name in columns:
                formats[name] = _read_column(own, name, own_widths)
    settings["column_settings"] = {column_key(name): it for name, it in formats.items()}
    widths = {name: own_widths.get(name) or default_width(it) for name, it in formats.items()}
    return shown, widths


def default_width(column: Mapping[str, Any]) -> int:
    """Pixels that a column needs for its title and its values, by its settings."""
    title = 34 + 7 * len(column["column_title"])
    if "date_style" in column:
        value = 150 if column.get("time_enabled") else 104
    elif column.get("number_style"):
        value = 62 + 8 * len(column.get("suffix", ""))
    else:
        value = 92
    return max(title, value + (74 if column.get("show_mini_bar") else 0))


def _read_column(entry: Entry, name: str, widths: dict[str, int]) -> dict[str, Any]:
    kind = entry.choice("format", tuple(FORMATS), format_of(name))
    found = {"column_title": entry.text("title", title_of(name)), **FORMATS.get(kind, {})}
    decimals = entry.value("decimals")
    if decimals is not None:
        if not isinstance(decimals, int):
            entry.complain("decimals", f"decimals: expected a whole number, got {decimals!r}")
        found["decimals"] = decimals
    if entry.value("bar", False):
        found["show_mini_bar"] = True
    for key in ("width", "wrap"):
        value = entry.value(key)
        if value is None:
            continue
        if not isinstance(value, int) or value < 1:
            entry.complain(key, f"{key}: expected a whole number, got {value!r}")
        elif key == "width":
            widths[name] = value
        else:
            found["text_wrapping"] = True
    entry.finish()
    return found


def _checked(entry: Entry, key: str, kind: Any, value: Any, columns: tuple[str, ...]) -> Any:
    """The value of a setting, with names of colours resolved."""
    plain: dict[str, Any] = {"text": str, "bool": bool, "number": (int, float)}
    if isinstance(kind, tuple):
        if value not in kind:
            entry.complain(key, f"{key}: {value!r} is none of {', '.join(kind)}")
    elif kind in plain:
        if not isinstance(value, plain[kind]):
            entry.complain(key, f"{key}: expected {kind}, got {value!r}")
    elif kind in ("column", "columns"):
        listed = value if isinstance(value, list) else [value]
        if isinstance(value, list) != (kind == "columns"):
            entry.complain(
                key, f"{key}: expected {'a list of columns' if kind == 'columns' else 'one column'}"
            )
        _check_columns(entry, key, listed, columns)
    elif kind == "color":
        return _color(entry, key, value)
    else:
        return _nested(entry, key, kind, value, columns)
    return value


NESTED: dict[str, dict[str, Any]] = {
    "series": {
        "title": str,
        "color": "color",
        "display": ("bar", "line", "area"),
        "axis": ("left", "right"),
        "line.style": ("solid", "dashed", "dotted"),
        "line.interpolate": ("linear", "cardinal", "step-before", "step-after"),
        "line.marker_enabled": bool,
        "show_series_values": bool,
    },
    "comparisons": {"id": str, "type": ("anotherColumn",), "column": "column", "label": str},
    "segments": {"min": (int, float), "max": (int, float), "color": "color", "label": str},
    "formatting": {
        "columns": "columns",
        "type": ("single", "range"),
        "operator": ("=", "!=", "<", ">", "<=", ">=", "is-true", "is-false"),
        "value": (str, int, float, bool),
        "color": "color",
        "colors": "colors",
        "highlight_row": bool,
    },
}


def _nested(entry: Entry, key: str, kind: str, value: Any, columns: tuple[str, ...]) -> Any:
    known = NESTED[kind]
    if not isinstance(value, dict if kind == "series" else list):
        entry.complain(key, f"{key}: expected a {'mapping' if kind == 'series' else 'list'}")
        return value
    items = value.items() if kind == "series" else enumerate(value)
    found: dict[Any, dict[str, Any]] = {}
    for name, item in items:
        if not isinstance(item, dict):
            entry.complain(key, f"{key}: expected a mapping, got {item!r}")
            continue
        found[name] = {}
        for part, it in item.items():
            if part not in known:
                entry.complain(key, f"{key}: unknown key {part!r}; known are {', '.join(known)}")
            else:
                found[name][part] = _part(entry, key, part, known[part], it, columns)
    return found if kind == "series" else list(found.values())


def _part(
    entry: Entry, key: str, part: str, kind: Any, value: Any, columns: tuple[str, ...]
) -> Any:
    if kind == "color":
        return _color(entry, key, value)
    if kind == "colors":
        return [_color(entry, key, it) for it in value]
    if kind in ("column", "columns"):
        _check_columns(entry, key, value if kind == "columns" else [value], columns)
    elif isinstance(kind, tuple) and isinstance(kind[0], str):
        if value not in kind:
            entry.complain(key, f"{key}: {part}: {value!r} is none of {', '.join(kind)}")
    elif not isinstance(value, kind):
        entry.complain(key, f"{key}: {part}: unexpected {value!r}")
    return value


def _check_columns(entry: Entry, key: str, names: list[Any], columns: tuple[str, ...]) -> None:
    for name in names if columns else ():  # none: the query itself is broken, which is told
        if name not in columns:
            entry.complain(
                key, f"{key}: the query returns no column {name!r}, but {', '.join(columns)}"
            )


def _color(entry: Entry, key: str, value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"#[0-9a-f]{6}", value):
        return value
    colors = theme().colors
    if value not in colors:
        entry.complain(key, f"{key}: no colour {value!r}; theme.yml has {', '.join(colors)}")
    return colors.get(value, "#000000")


def _colour(display: str, columns: tuple[str, ...], settings: dict[str, Any]) -> None:
    """Give values that the theme knows their colour, and series their order."""
    values = theme().values
    dimensions = settings.get("graph.dimensions")
    metrics = settings.get("graph.metrics")
    if isinstance(dimensions, list) and len(dimensions) == 2 and dimensions[1] in values:
        series = settings.setdefault("series_settings", {})
        settings["graph.series_order_dimension"] = dimensions[1]
        settings["graph.series_order"] = []
        for value, color in values[dimensions[1]].items():
            own = series.setdefault(value, {})
            own.setdefault("title", title_of(value))
            own.setdefault("color", color)
            settings["graph.series_order"].append(
                {"key": value, "name": own["title"], "color": own["color"], "enabled": True}
            )
    elif isinstance(metrics, list) and len(metrics) == 1 and len(dimensions or ()) == 1:
        own = settings.setdefault("series_settings", {}).setdefault(metrics[0], {})
        own.setdefault("color", theme().colors["primary"])
    elif display == "pie" and settings.get("pie.dimension") in values:
        settings["pie.colors"] = dict(values[settings["pie.dimension"]])
        settings.setdefault("pie.sort_rows", False)
    elif display == "table":
        cells = theme().cells
        rules = settings.setdefault("table.column_formatting", [])
        for column in (name for name in columns if name in cells):
            for value, color in cells[column].items():
                rule = {"columns": [column], "type": "single", "operator": "=", "value": value}
                rules.append({**rule, "color": color, "highlight_row": False})
