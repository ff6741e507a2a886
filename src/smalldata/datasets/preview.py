"""What stands in the files of a table before any column has a role: for a look without a target.

Step in the line: **files** -> Dataset. Only reading can fail here, not the content.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from smalldata.datasets.columns import label, text_markers
from smalldata.datasets.intake import read_tables
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import Cells, RawTable
from smalldata.datasets.text import NUMBER
from smalldata.datasets.vocabulary import (
    MISSING_NUMBER,
    NEGATIVE_CLASSES,
    OUTCOME_NAMES,
    POSITIVE_CLASSES,
)
from smalldata.findings import Finding
from smalldata.task import Dropped

N_COLUMNS = 40
"""Columns of a file that are described."""
N_ROWS = 6
"""Rows that are shown as they stand."""
N_TARGETS = 8
"""Columns of a file that are offered as the target."""


@dataclass(frozen=True, kw_only=True)
class ColumnPreview:
    """A column as it stands.

    Attributes
    ----------
    name : str
    holds : str
        ``numbers``, ``text``, ``numbers and text`` or ``nothing``.
    n_different, n_missing : int
    examples : tuple of str
        The first entries, or the classes of a column that could be the target with their counts.
    could_be_target : bool
    """

    name: str
    holds: str
    n_different: int
    n_missing: int
    examples: tuple[str, ...]
    could_be_target: bool


@dataclass(frozen=True, kw_only=True)
class FilePreview:
    """A file as it stands.

    Attributes
    ----------
    block, source, taken_for : str
    notes : tuple of str
        What was found out: separator, encoding, sheet.
    n_rows, n_columns : int
    columns : tuple of ColumnPreview
        The first ones, and those that could be the target.
    targets : tuple of str
        Columns that could be the target, the likeliest first.
    header : tuple of str
    first_rows : tuple of tuple of str
    findings : tuple of Finding
    dropped : tuple of Dropped
    """

    block: str
    source: str
    taken_for: str
    notes: tuple[str, ...]
    n_rows: int
    n_columns: int
    columns: tuple[ColumnPreview, ...]
    targets: tuple[str, ...]
    header: tuple[str, ...]
    first_rows: tuple[tuple[str, ...], ...]
    findings: tuple[Finding, ...]
    dropped: tuple[Dropped, ...]


def preview(options: TableOptions) -> list[FilePreview]:
    """Read the files of a table and describe their columns.

    Parameters
    ----------
    options : TableOptions
        The target may be missing.

    Returns
    -------
    list of FilePreview
        One a block.

    Raises
    ------
    ConfigError, DataError
        If a file cannot be read as a table.
    """
    return [_describe(block, table) for block, table in read_tables(options).items()]


def _describe(block: str, table: RawTable) -> FilePreview:
    columns = [
        _column(name or "(first column)", cells)
        for name, cells in zip(table.names, table.columns, strict=True)
    ]
    targets = sorted(
        (column for column in columns if column.could_be_target), key=_likelihood, reverse=True
    )[:N_TARGETS]
    shown = [
        column
        for place, column in enumerate(columns)
        if place < N_COLUMNS or any(column is target for target in targets)
    ]
    width = min(len(table.names), 10)
    return FilePreview(
        block=block,
        source=table.source,
        taken_for=table.taken_for or "a table of samples by columns",
        notes=table.notes,
        n_rows=table.n_rows,
        n_columns=len(table.names),
        columns=tuple(shown),
        targets=tuple(column.name for column in targets),
        header=tuple(table.names[:width]),
        first_rows=tuple(
            tuple(label(cells[row]) for cells in table.columns[:width])
            for row in range(min(N_ROWS, table.n_rows))
        ),
        findings=table.findings,
        dropped=table.dropped,
    )


def _column(name: str, cells: Cells) -> ColumnPreview:
    if isinstance(cells, list):
        marks = text_markers(cells)
        present = [cell for cell in cells if cell.lower() not in marks]
        n_numbers = sum(
            NUMBER.fullmatch(cell) is not None or cell.lower() in MISSING_NUMBER for cell in present
        )
    else:
        present = [label(cell) for cell in cells[~np.isnan(cells)]]
        n_numbers = len(present)
    counts = Counter(present)
    holds = (
        "nothing"
        if not present
        else "numbers"
        if n_numbers == len(present)
        else "text"
        if not n_numbers
        else "numbers and text"
    )
    few = 2 <= len(counts) <= max(2, min(10, len(present) // 4))
    could = bool(present) and (few or bool(_words(name) & OUTCOME_NAMES and len(counts) > 1))
    examples = (
        tuple(f"{entry} ({n})" for entry, n in counts.most_common(4))
        if few
        else tuple(dict.fromkeys(present[:20]))[:3]
    )
    return ColumnPreview(
        name=name,
        holds=holds,
        n_different=len(counts),
        n_missing=len(cells) - len(present),
        examples=examples,
        could_be_target=could,
    )


def _likelihood(column: ColumnPreview) -> tuple[int, int, int]:
    """Order what could be the target: by its name, its classes, and text before numbers."""
    classes = {example.rpartition(" (")[0].lower() for example in column.examples}
    named = bool(_words(column.name) & OUTCOME_NAMES)
    known = bool(classes & (POSITIVE_CLASSES | NEGATIVE_CLASSES))
    return (2 * named + known, int(column.holds == "text"), -column.n_missing)


def _words(name: str) -> set[str]:
    spaced = "".join(letter if letter.isalpha() else " " for letter in name.lower())
    return set(spaced.split())
