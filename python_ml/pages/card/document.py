"""A document of headings, sentences, tables and pictures, written as HTML or as Markdown."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from python_ml.embedding import in_html, in_markdown, visible

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1c1c; max-width: 62rem;
       margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #d0d0d0; }
p.lead { font-size: 1.1rem; background: #eef4f9; border-left: 4px solid #0072b2;
         padding: .7rem 1rem; }
table { border-collapse: collapse; font-size: .88rem; margin: .8rem 0; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #e4e4e4; text-align: left;
         vertical-align: top; overflow-wrap: break-word; }
td.figure, th.figure { text-align: right; font-variant-numeric: tabular-nums;
                       white-space: nowrap; }
.wide { overflow-x: auto; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figure img { max-width: 100%; } figcaption { font-size: .85rem; color: #555; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; }
               table, figure { break-inside: avoid; } }
"""


@dataclass(frozen=True)
class Text:
    """A paragraph; the lead says what matters most."""

    text: str
    is_lead: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Rows of text; columns named in `figures` are set to the right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    figures: Sequence[str] = ()


@dataclass(frozen=True)
class Picture:
    """A PNG with a file name (of Markdown) and what it shows in words."""

    name: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class Pictures:
    """Pictures side by side."""

    pictures: Sequence[Picture]


Block = Text | Bullets | Table | Pictures


@dataclass(frozen=True)
class Section:
    """A heading and what is below it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """A title, a line below it, and sections."""

    title: str
    subtitle: str
    sections: Sequence[Section]

    def pictures(self) -> list[Picture]:
        return [
            picture
            for section in self.sections
            for block in section.blocks
            if isinstance(block, Pictures)
            for picture in block.pictures
        ]

    def html(self) -> str:
        """One page that needs no other file."""
        body = "".join(
            f"<section><h2>{in_html(section.title)}</h2>"
            + "".join(_html(block) for block in section.blocks)
            + "</section>\n"
            for section in self.sections
        )
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{in_html(self.title)}</title><style>{STYLE}</style></head>\n<body>"
            f"<h1>{in_html(self.title)}</h1><p>{in_html(self.subtitle)}</p>\n{body}</body></html>\n"
        )

    def markdown(self) -> str:
        """The same; pictures are files beside it."""
        parts = [f"# {in_markdown(self.title)}", in_markdown(self.subtitle)]
        for section in self.sections:
            parts.append(f"## {in_markdown(section.title)}")
            parts += [_markdown(block) for block in section.blocks]
        return "\n\n".join(parts) + "\n"


def _html(block: Block) -> str:
    if isinstance(block, Text):
        kind = ' class="lead"' if block.is_lead else ""
        return f"<p{kind}>{in_html(block.text)}</p>"
    if isinstance(block, Bullets):
        return "<ul>" + "".join(f"<li>{in_html(item)}</li>" for item in block.items) + "</ul>"
    if isinstance(block, Pictures):
        figures = "".join(
            f'<figure><img alt="{in_html(picture.caption)}" '
            f'src="data:image/png;base64,{base64.b64encode(picture.png).decode()}">'
            f"<figcaption>{in_html(picture.caption)}</figcaption></figure>"
            for picture in block.pictures
        )
        return f'<div class="pictures">{figures}</div>'
    kinds = [' class="figure"' if name in block.figures else "" for name in block.columns]
    head = "".join(
        f"<th{kind}>{in_html(name)}</th>" for name, kind in zip(block.columns, kinds, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(f"<td{k}>{in_html(cell)}</td>" for cell, k in zip(row, kinds, strict=True))
        + "</tr>"
        for row in block.rows
    )
    return f'<div class="wide"><table><tr>{head}</tr>{rows}</table></div>'


def _markdown(block: Block) -> str:
    if isinstance(block, Text):
        if block.is_lead:
            lead = visible(block.text).strip()  # `** text**` would be no emphasis
            return f"**{in_markdown(lead)}**"
        return in_markdown(block.text)
    if isinstance(block, Bullets):
        return "\n".join(f"- {in_markdown(item)}" for item in block.items)
    if isinstance(block, Pictures):
        return "\n\n".join(f"![{in_markdown(p.caption)}]({p.name})" for p in block.pictures)
    rule = ["---:" if name in block.figures else "---" for name in block.columns]
    head, *rows = ([in_markdown(cell) for cell in line] for line in (block.columns, *block.rows))
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *rows))
