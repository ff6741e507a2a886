"""A look on the terminal: what was read, the first rows, the findings with what to do.

Step in the line: LookNumbers -> **lines on stdout**.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from smalldata.datasets.commands import command
from smalldata.datasets.preview import FilePreview
from smalldata.findings import Finding
from smalldata.report.look_page.numbers import LookNumbers
from smalldata.report.look_page.page import say_table
from smalldata.report.plain import count, format_percent, name_some
from smalldata.task import Dropped

if TYPE_CHECKING:
    from rich.console import Console

WIDEST = 24
"""Characters of a cell."""
N_COLUMNS = 6
"""Columns of the first rows."""
N_PREVIEWED = 12
"""Columns of a file that are described, beside those that could be the target."""


def print_look(numbers: LookNumbers, *, console: "Console") -> None:
    """Print how a table was read."""
    _title(console, numbers.name)
    _lines(console, numbers.taken_for, say_table(numbers), numbers.messages)
    gap_names = [f"in {entry.name}" for entry in numbers.classes] if numbers.n_gappy else []
    if len(numbers.blocks) > 1 or (numbers.missing and numbers.classes):
        _table(
            console,
            ["block", "features", "missing", *gap_names],
            [
                [
                    block.name,
                    str(block.n),
                    format_percent(block.missing),
                    *map(format_percent, block.missing_by_class[: len(gap_names)]),
                ]
                for block in numbers.blocks
            ],
        )
    for title, labels in (("batch", numbers.batch), ("groups", numbers.groups)):
        if labels is not None and numbers.classes and labels.n <= len(labels.names):
            _table(
                console,
                [title, "samples", *(entry.name for entry in numbers.classes)],
                [
                    [name, str(size), *map(str, row)]
                    for name, size, row in zip(
                        labels.names, labels.sizes, labels.counts, strict=False
                    )
                ],
            )
    if numbers.units:
        shown = [f"{name} [{unit}]" for name, unit in numbers.units.items()]
        _lines(console, [f"units: {name_some(shown, 6)}"])
    _title(console, "first rows")
    _rows(console, numbers.header, numbers.first_rows)
    _left_out(console, numbers.dropped)
    _findings(console, numbers.findings)


def print_preview(previews: Sequence[FilePreview], *, console: "Console") -> None:
    """Print what stands in files that did not become a dataset."""
    for found in previews:
        chosen = [
            column
            for place, column in enumerate(found.columns)
            if place < N_PREVIEWED or column.name in found.targets
        ]
        _title(console, found.source)
        _lines(
            console,
            [
                f"taken for {found.taken_for} ({', '.join(found.notes)})",
                f"{count(found.n_rows, 'row')}, {count(found.n_columns, 'column')}",
            ],
        )
        _table(
            console,
            ["column", "holds", "different", "missing", "for example"],
            [
                [
                    column.name,
                    column.holds,
                    str(column.n_different),
                    str(column.n_missing),
                    ", ".join(column.examples),
                ]
                for column in chosen
            ],
        )
        if found.n_columns > len(chosen):
            _lines(console, [f"{len(chosen)} of {found.n_columns} columns; the page shows more"])
        _title(console, "first rows")
        _rows(console, found.header, found.first_rows)
        _left_out(console, found.dropped)
    _findings(console, [finding for found in previews for finding in found.findings])
    targets = [name for found in previews for name in found.targets]
    if targets:
        _title(console, "what could be the target")
        _lines(console, [command("target", name) for name in targets])


def _left_out(console: "Console", dropped: Sequence[Dropped]) -> None:
    if dropped:
        _title(console, "left out")
        _lines(
            console,
            [
                f"{len(entry.names)} {entry.what}, {entry.reason}: "
                f"{name_some(list(entry.names), 5)}"
                for entry in dropped
            ],
        )


def _findings(console: "Console", findings: Sequence[Finding]) -> None:
    _title(console, "findings")
    if not findings:
        _lines(console, ["nothing that needs a look"])
    from rich.text import Text

    for finding in findings:
        is_warning = finding.level == "warning"
        style = "yellow" if is_warning else ""
        shown = f"{finding.what}: {finding.evidence}" if finding.evidence else finding.what
        console.print(Text(f"  {finding.code} {shown}", style=style), soft_wrap=True)
        if finding.remedy:
            console.print(Text(f"        {finding.remedy}"), soft_wrap=True)


def _title(console: "Console", text: str) -> None:
    from rich.text import Text

    console.print(Text(text, style="bold"), soft_wrap=True)


def _lines(console: "Console", *parts: Sequence[str]) -> None:
    from rich.text import Text

    for part in parts:
        for line in part:
            console.print(Text(f"  {line}"), soft_wrap=True)


def _rows(console: "Console", header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print the first columns."""
    names = [name or "(no name)" for name in header[:N_COLUMNS]]
    _table(console, names, [row[:N_COLUMNS] for row in rows])


def _table(console: "Console", header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns that are as wide as what they hold, without wrapping."""
    from rich.text import Text

    lines = [[_cut(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
    for number, line in enumerate(lines):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        text = "  " + "  ".join(cells).rstrip()
        if console.is_terminal:
            text = text[: console.width]
        console.print(Text(text, style="" if number else "dim"), soft_wrap=True)


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= WIDEST else f"{flat[: WIDEST - 1]}…"
