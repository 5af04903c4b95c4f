"""The terminal, as every command uses it: plain text, tables of one kind, the tiers' colours.

What is printed holds paths, ids and messages of others. So a string is never read as markup, here
or in a table's cell: what is to be coloured says so by `line`. Control characters are shown, not
sent. A terminal that lacks a character gets the nearest one that it has.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import select
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

# The same colours wherever a tier is shown; distinct for colour-blind eyes too. A tier that the
# seed adds is shown in the colour of the text.
TIER_STYLES = {"Critical": "bold red", "High": "yellow", "Medium": "cyan", "Low": "dim"}
WIDTH = 110  # of what is not a terminal

_SPELLINGS = {"€": "EUR", "–": "-", "—": "-", "−": "-", "…": "...", "→": "->", "×": "x"}
_SPELLINGS |= {"✓": "+", "✗": "x", "●": "*", "•": "-", "·": "-", "█": "#", "░": ".", "│": "|"}
_SPELLINGS |= {"±": "+/-", "“": '"', "”": '"', "‘": "'", "’": "'"}
_CONTROLS = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"
}
_ERRORS = "spanishgas-nearest"


@dataclass(frozen=True)
class Column:
    """Of a table that has to fit: spared columns go where the terminal is narrow."""

    name: str
    is_figure: bool = False
    is_spared: bool = False


class PlainConsole(Console):
    """A console that shows every string as it is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def on_broken_pipe(self) -> None:
        """Leave it to `writing_to_stdout`; rich would end the process with exit code 1, also after
        a run has published."""
        raise BrokenPipeError(errno.EPIPE, "nobody reads the output")

    def render_str(self, text: str, **options: Any) -> Text:
        options |= {"markup": False, "emoji": False}
        return super().render_str(harmless(text), **options)


def new_table(title: str, *columns: str) -> Table:
    """A table whose first column is text and whose others are figures."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table


def fitting_table(
    console: Console,
    columns: Sequence[Column],
    rows: Sequence[tuple[Sequence[str], str]],
    title: str = "",
) -> Table:
    """A table no wider than the console: columns that can be spared are left out, the last first.

    Args:
        console: where it is to be printed.
        columns: their cells are never broken over lines.
        rows: the cells of each, and its style.
        title: above the table.
    """
    shown, wide = list(range(len(columns))), console.options.update(max_width=10_000)
    while True:
        table = new_table(title)
        for number in shown:
            column = columns[number]
            justify: JustifyMethod = "right" if column.is_figure else "left"
            table.add_column(column.name, justify=justify, no_wrap=True)
        for cells, style in rows:
            table.add_row(*(cells[number] for number in shown), style=style)
        spare = [number for number in shown if columns[number].is_spared]
        if not spare or console.measure(table, options=wide).maximum <= console.width:
            return table
        shown.remove(spare[-1])


def open_console(width: int = WIDTH) -> Console:
    """Stdout; wide enough for our tables where it is not a terminal."""
    console = PlainConsole()
    return console if console.is_terminal else PlainConsole(width=width)


def line(*parts: str | tuple[str, str]) -> Text:
    """Text of parts, each as it is or with its style: `line(("note", "yellow"), f" {warning}")`."""
    return Text.assemble(
        *(harmless(p) if isinstance(p, str) else (harmless(p[0]), p[1]) for p in parts)
    )


def harmless(text: str) -> str:
    """The text with control characters spelled out, so that it cannot steer the terminal."""
    return text.translate(_CONTROLS)


def open_streams() -> None:
    """Let stdout and stderr take every text, whatever their encoding."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # closed, or put there by a caller
            stream.reconfigure(errors=_ERRORS)  # type: ignore[union-attr]


@contextlib.contextmanager
def writing_to_stdout() -> Iterator[None]:
    """Whoever reads may have seen enough (`| head`), which is no error.

    Raises:
        OSError: stdout takes no more, or a service has closed its connection; what is left is
            dropped, so that it does not fail anew when the process ends.
    """
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        has_reader = all(map(_has_reader, (sys.stdout, sys.stderr)))
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if has_reader or not isinstance(error, BrokenPipeError):
            raise


def _has_reader(stream: TextIO) -> bool:
    """Whether what is written to a stream can be read: not so a pipe whose other end is closed."""
    poll = select.poll()
    try:
        poll.register(stream, 0)
    except (OSError, ValueError, TypeError):  # a stream of a caller, which is no file
        return True
    return not any(event & select.POLLERR for _, event in poll.poll(0))


def can_show(stream: TextIO, text: str) -> bool:
    """Whether the stream's encoding has every character of the text."""
    try:
        text.encode(stream.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def _nearest(error: UnicodeError) -> tuple[str, int]:
    """Error handler of a codec: what stands in for characters that it lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_spelled(character) for character in lacking), error.end


def _spelled(character: str) -> str:
    if 0xDC80 <= ord(character) <= 0xDCFF:  # a byte of a path that is no text
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character in _SPELLINGS:
        return _SPELLINGS[character]
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain or "?"


codecs.register_error(_ERRORS, _nearest)
