"""The terminal, as every command uses it: tables of one kind, and the colours of the tiers."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

# The same colours wherever a tier is shown; distinct for colour-blind eyes too.
TIER_STYLES = {"Critical": "bold red", "High": "yellow", "Medium": "cyan", "Low": "dim"}


def new_table(title: str, *columns: str) -> Table:
    """A table whose first column is text and whose others are figures."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table


def open_console() -> Console:
    """Stdout; wide enough for our tables where it is not a terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=110)
