"""Put text of others (customers, files, settings, errors) where a format would read it as its own.

One function a place. Each keeps the text readable and whole: what the place cannot hold is shown
by a sign that stands for it, and never dropped.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

# What has no shape of its own: control characters but tab and line breaks, formatting that turns
# the text around it (U+202A to U+202E, U+2066 to U+2069), the byte order mark, which readers drop,
# and halves of surrogate pairs, which a file name that is not UTF-8 leaves in a str and no file in
# UTF-8 can hold.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_LINE_BREAK = re.compile(r"\r\n|[\r\n\u2028\u2029]")
# Ends the script's element (`</script`), or hides its end (`<!--<script`), or, in older readers of
# JavaScript, ends a line.
_SCRIPT_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
_SCRIPT_ESCAPES |= {"\u2028": "\\u2028", "\u2029": "\\u2029"}
_SCRIPT_UNSAFE = re.compile(f"[{''.join(_SCRIPT_ESCAPES)}\ud800-\udfff]")
_MARKDOWN_INLINE = re.compile(
    r"[\\`*~<>\[\]|$&@]"  # emphasis, code, tags, links, cells, formulas, entities, addresses
    r"|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])"  # inside of a word it is a mere underscore
    r"|(?<=[A-Za-z]):(?=//)|(?<=\bwww)\."  # GitHub makes links of bare addresses
)
# A heading, an item of a list, a rule.
_MARKDOWN_START = re.compile(r"#{1,6}(?=\s|$)|[+-](?=\s|$|-)|\d+(?=[.)](?:\s|$))")


def visible(text: str) -> str:
    """The text with a sign for each character that cannot be seen or not be written as UTF-8.

    `␀` stands for NUL and so on to `␡`; other characters are shown as Python writes them, such as
    `\\x9b`, `\\u202e` or `\\udcff`.

    >>> visible("a\\x00b")
    'a␀b'
    """
    return _UNSEEN.sub(_sign, text) if _UNSEEN.search(text) else text


def in_rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows for a table of the warehouse, whose texts are UTF-8."""
    return [
        {name: visible(it) if isinstance(it, str) else it for name, it in row.items()}
        for row in rows
    ]


def in_html(text: str) -> str:
    """Text between tags, or the value of an attribute in quotes, of an HTML page."""
    return html.escape(visible(text)).replace("\r", "&#13;")


def in_script(document: Any) -> str:
    """A document as JSON, inside a `<script>` element or as a value in JavaScript.

    Raises:
        ValueError: a number in it is infinite or not a number.
    """
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _SCRIPT_UNSAFE.sub(
        lambda match: _SCRIPT_ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04x}", text
    )


def in_markdown(text: str) -> str:
    """Text in a line, a list item or a cell of a Markdown document; line breaks are `<br>`."""
    escaped = _MARKDOWN_INLINE.sub(lambda match: f"\\{match[0]}", visible(text))
    if start := _MARKDOWN_START.match(escaped):
        end = start.end()
        escaped = f"\\{escaped}" if not start[0][0].isdigit() else f"{start[0]}\\{escaped[end:]}"
    elif escaped[:1] in (" ", "\t"):  # four of them would make a block of code
        escaped = f"&#{ord(escaped[0])};{escaped[1:]}"
    return _LINE_BREAK.sub("<br>", escaped)


def in_plot(text: str) -> str:
    """A label of matplotlib, which reads `$…$` as a formula and hides what begins with `_`."""
    shown = visible(text).replace("$", r"\$")
    return f"\u200b{shown}" if shown.startswith("_") else shown


def _sign(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
