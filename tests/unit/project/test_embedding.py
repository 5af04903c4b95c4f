"""Texts of others where a format would read them as its own; the browser's part is in
tests/dashboards/pages/test_hostile_texts.py."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest
from matplotlib.axes import Axes

from python_ml.documents import json_text, read_json, write_json
from python_ml.embedding import in_html, in_markdown, in_plot, in_script, visible
from python_ml.pages.plots import draw
from tests.dashboards.hostile import SURROGATES, TEXTS

ALL = (*TEXTS, *SURROGATES)


@pytest.mark.parametrize("text", ALL)
def test_json_in_a_script_is_the_same_and_holds_nothing_of_html(text: str) -> None:
    written = in_script({"text": text})
    assert json.loads(written) == {"text": text}
    assert not set(written) & set("<>&\u2028\u2029")
    written.encode()


@pytest.mark.parametrize("text", ALL)
def test_html_says_the_same_and_can_be_written(text: str) -> None:
    written = in_html(text)
    assert html.unescape(written) == visible(text)
    assert not set(written) & set("<>\"'\r")
    written.encode()


@pytest.mark.parametrize("text", ALL)
def test_a_json_file_keeps_every_text(text: str, tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    write_json(path, {"text": text, text: 1})
    assert read_json(path) == {"text": text, text: 1}
    assert json.loads(json_text([text])) == [text]


@pytest.mark.thorough
def test_every_character_but_line_breaks_and_tab_is_seen() -> None:
    for code in range(0x110000):
        shown = visible(chr(code))
        is_unseen = (
            (code < 0x20 or 0x7F <= code < 0xA0) and chr(code) not in "\t\n\r"
        ) or code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
        assert (shown != chr(code)) == (is_unseen or 0xD800 <= code < 0xE000), hex(code)
        shown.encode()


def test_signs_are_those_that_people_know() -> None:
    assert visible("\x00\x1b\x7f\x9b\u202e\ufeff\udcff") == "␀␛␡\\x9b\\u202e\\ufeff\\udcff"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0.504 to 0.561", "0.504 to 0.561"),
        ("-3.2 %", "-3.2 %"),
        ("mart_drift, E5_full", "mart_drift, E5_full"),
        ("[a](b) | <c>", r"\[a\](b) \| \<c\>"),
        ("- item", r"\- item"),
        ("12. item", r"12\. item"),
        ("# head", r"\# head"),
        ("    code", "&#32;   code"),
        ("a\r\nb\nc", "a<br>b<br>c"),
    ],
)
def test_markdown_escapes_what_it_must_and_no_more(text: str, written: str) -> None:
    assert in_markdown(text) == written


@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_plot_draws_every_label(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, `$\\frac{1}{2` is a formula that cannot be read, and ends the drawing."""
    labels = [*ALL, "$\\frac{1}{2$", "$x$", "_hidden"]

    def paint(axes: Axes) -> None:
        for text in labels:
            axes.plot([0, 1], [0, 1], label=in_plot(text[:60]))
        legend = axes.legend()
        shown = legend.get_texts()
        assert len(shown) == len(labels)
        legend.remove()
        axes.set_xticks(range(len(labels)), [in_plot(text[:60]) for text in labels])

    assert draw(paint).startswith(b"\x89PNG")
