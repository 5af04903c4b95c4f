"""What `spanishgas inspect` prints."""

from __future__ import annotations

from python_ml.console import line, new_table, open_console
from python_ml.land.propose import Proposal, missing


def show_inspection(found: Proposal) -> None:
    """What each file is taken for, column by column, and what is missing."""
    console = open_console()
    for source in found.sources:
        if source.file is None:
            continue
        title = f"{source.name}: {source.file.label}, {source.file.rows:,} rows"
        table = new_table(title, "Our column", "Your column", "Confidence", "Evidence")
        for name in ("Your column", "Evidence"):
            next(c for c in table.columns if c.header == name).justify = "left"
        for column in source.columns:
            table.add_row(
                column.ours,
                " + ".join(column.sum) or column.theirs,
                f"{column.confidence:.0%}",
                "; ".join(column.evidence),
            )
        console.print(table)
        for question in source.questions:
            console.print(line("  ", ("?", "yellow"), f" {question}"))
    taken = {source.file.label for source in found.sources if source.file}
    for file in found.files:
        if file.problem:
            console.print(line(("not read", "yellow"), f" {file.label}: {file.problem}"))
        elif file.label not in taken:
            console.print(line(("not used", "yellow"), f" {file.label}: {file.rows:,} rows"))
    if lacking := missing(found.sources):
        console.print(line(("Missing", "yellow"), f": {', '.join(lacking)}"))
        console.print(line(("Switched off", "yellow"), f": {found.consequence or 'nothing'}"))
