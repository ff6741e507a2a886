"""Cells of a file as a format sees them: the first rows to recognise it by, all rows to read it.

Step in the line: **files** -> Dataset. Instruments write features in rows; here such rows become
the columns of a table, as numbers at once, so that large files are read in seconds.
"""

import csv
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets.decimals import find_decimal
from smalldata.datasets.formats.fast import N_CHARACTERS_FAST, read_block
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import Cells, Grid, TextFile
from smalldata.datasets.sniffing import (
    SEPARATORS,
    allow_long_cells,
    find_separator,
    lines_of,
    named_separator,
)
from smalldata.datasets.vocabulary import MISSING_NUMBER
from smalldata.errors import DataError
from smalldata.findings import Finding

Numbered = tuple[int, list[str]]
"""A row with its line in the file."""

N_HEAD = 40
"""Rows that a format is recognised by: more than any of them writes above its header."""

N_CHARACTERS_HEAD = 4_000_000
N_WIDE = 8
"""Rows instead where the others hold more characters than that; no format is as wide."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Rows of cells of one file.

    Attributes
    ----------
    source : str
        Name of the file.
    head : list of (int, list of str)
        The first rows that hold something, stripped, each with its line.
    rows : callable
        Gives all rows that hold something, each with its line; cells are not stripped.
    place : str
        What a row is called: ``line`` or ``row``.
    notes : tuple of str
    sha256 : str
    findings : tuple of Finding
    text, separator : str
        The text that the rows are of, if they are of one.
    first_line : int
        Line of the file that the text begins with.
    """

    source: str
    head: list[Numbered]
    rows: Callable[[], Iterator[Numbered]]
    place: str
    notes: tuple[str, ...]
    sha256: str
    findings: tuple[Finding, ...] = ()
    text: str = ""
    separator: str = ""
    first_line: int = 1

    @property
    def header(self) -> list[str]:
        """The first row."""
        return self.head[0][1]

    def body(self, n_above: int) -> Iterator[Numbered]:
        """All rows below the first ones."""
        return islice(self.rows(), n_above, None)


def sheet_of_text(file: TextFile, options: TableOptions) -> Sheet | None:
    """Cut a text into cells; None where nothing separates them or a quote stays open."""
    first = list(islice(lines_of(file.text), N_HEAD))
    if sum(map(len, first)) > N_CHARACTERS_HEAD:
        first = first[:N_WIDE]
    separator = named_separator(options.separator) if options.separator is not None else None
    if separator is None and any("\t" in line for line in first):
        separator = "\t"
    if separator is None:
        separator = find_separator("".join(line for line in first if not line.startswith("#")))
    if separator is None:
        return None

    def rows() -> Iterator[Numbered]:
        allow_long_cells()
        reader = csv.reader(
            lines_of(file.text), delimiter=separator, skipinitialspace=True, strict=True
        )
        try:
            for row in reader:
                if any(row):
                    yield reader.line_num, row
        except csv.Error as error:
            raise DataError(
                f"the quotes of {file.source} must be closed; line {reader.line_num} is broken "
                f"({error}). Double a quote inside a quoted text."
            ) from None

    try:
        head = [(line, _stripped(row)) for line, row in islice(rows(), len(first))]
    except DataError:
        return None  # a plain table is refused with the place
    if not head:
        return None
    return Sheet(
        source=file.source,
        head=head,
        rows=rows,
        place="line",
        notes=(SEPARATORS.get(separator, repr(separator)), file.encoding),
        sha256=file.sha256,
        text=file.text,
        separator=separator,
    )


def sheet_of_grid(grid: Grid) -> Sheet | None:
    """Take the cells of a grid."""
    rows = [(line, row) for line, row in zip(grid.lines, grid.rows, strict=True) if any(row)]
    if not rows:
        return None
    return Sheet(
        source=grid.source,
        head=[(line, _stripped(row)) for line, row in rows[:N_HEAD]],
        rows=lambda: iter(rows),
        place=grid.place,
        notes=grid.notes,
        sha256=grid.sha256,
        findings=grid.findings,
    )


@dataclass(frozen=True, kw_only=True)
class Features:
    """Features that stand in rows.

    Attributes
    ----------
    texts : dict of int to list of str
        Annotations of the features, by column.
    values : list of (ndarray of float64 or list of str)
        One entry a feature, over the samples; text where some of it is not a number.
    """

    texts: dict[int, list[str]]
    values: list[Cells]

    def __len__(self) -> int:
        """Return the number of features."""
        return len(self.values)

    def kept(self, chosen: Sequence[bool] | NDArray[np.bool_]) -> "Features":
        """Return some of the features."""
        rows = [row for row, keep in enumerate(chosen) if keep]
        return Features(
            texts={column: [cells[row] for row in rows] for column, cells in self.texts.items()},
            values=[self.values[row] for row in rows],
        )

    def without_empty(self) -> "Features":
        """Return the features that have a value in some sample."""
        return self.kept([not _is_empty(cells) for cells in self.values])


def read_features(
    sheet: Sheet,
    *,
    header: Sequence[str],
    n_above: int,
    texts: Sequence[int],
    numbers: Sequence[int],
    options: TableOptions,
    missing: Collection[str] = (),
) -> Features:
    """Read features that stand in rows.

    Parameters
    ----------
    sheet : Sheet
    header : sequence of str
        The row of the column names; no row may be wider or miss a number.
    n_above : int
        Rows up to the header, the header included.
    texts : sequence of int
        Columns of annotations.
    numbers : sequence of int
        Columns of values, one a sample.
    options : TableOptions
        Of these the decimal sign.
    missing : collection of str
        Markers of a missing value beside the usual ones, lower case.

    Raises
    ------
    DataError
        If there is no row, or one has more or fewer cells than the header.
    """
    markers = MISSING_NUMBER | frozenset(missing)
    take = itemgetter(*numbers) if len(numbers) > 1 else lambda row: (row[numbers[0]],)
    as_text = _has_decimal_comma(sheet, n_above, numbers, options)
    if len(sheet.text) > N_CHARACTERS_FAST and n_above <= len(sheet.head) and not as_text:
        block = read_block(
            sheet.text,
            separator=sheet.separator,
            n_skipped=sheet.head[n_above - 1][0] - sheet.first_line + 1,
            n_columns=max(len(header), len(sheet.head[-1][1])),
            texts=texts,
            numbers=numbers,
            markers=markers,
        )
        if block is not None:
            return Features(texts=block[0], values=list(block[1]))
    annotations: dict[int, list[str]] = {column: [] for column in texts}
    values: list[Cells] = []
    last = max(numbers)
    for line, row in sheet.body(n_above):
        if len(row) <= last or any(cell.strip() for cell in row[len(header) :]):
            raise DataError(
                f"every row of {sheet.source} must have {len(header)} fields like the header; "
                f"{sheet.place} {line} has {len(row)}. Is the file cut? Copy or export it again."
            )
        for column, cells in annotations.items():
            cells.append(row[column].strip() if column < len(row) else "")
        values.append(_values(take(row), markers, as_text=as_text))
    if not values:
        raise DataError(f"{sheet.source} must hold rows below its header; it has none.")
    return Features(texts=annotations, values=values)


def _values(cells: Sequence[str], markers: Collection[str], *, as_text: bool) -> Cells:
    """One row as numbers, or as text where one of the cells is anything else."""
    # Python reads 1_000 as a number; in a table it is a name.
    if not as_text and "_" not in "".join(cells):
        try:
            return np.fromiter(map(float, cells), dtype=np.float64, count=len(cells))
        except ValueError:
            pass
        bare = _stripped(cells)
        kept = ["nan" if cell.lower() in markers else cell for cell in bare]
        try:
            return np.fromiter(map(float, kept), dtype=np.float64, count=len(kept))
        except ValueError:
            pass
    return ["" if cell.lower() in markers else cell for cell in _stripped(cells)]


def _has_decimal_comma(
    sheet: Sheet, n_above: int, numbers: Sequence[int], options: TableOptions
) -> bool:
    """Whether numbers must be left as text: 1.234 is one number with a comma, another without."""
    if options.decimal is not None:
        return options.decimal == ","
    below = [row for _, row in sheet.head[n_above:]]
    cells = [row[column] for row in below for column in numbers if column < len(row)]
    try:
        return find_decimal(cells, source=sheet.source) == ","
    except DataError:
        return True


def zeros_missing(features: Features) -> tuple[Features, int]:
    """Take zeros for missing values, and count them."""
    n_zeros = 0
    values: list[Cells] = []
    for cells in features.values:
        if isinstance(cells, list):
            is_zero = [_is_zero(cell) for cell in cells]
            n_zeros += sum(is_zero)
            values.append(["" if zero else cell for cell, zero in zip(cells, is_zero, strict=True)])
        else:
            n_zeros += int((cells == 0).sum())
            values.append(np.where(cells == 0, np.nan, cells))
    return replace(features, values=values), n_zeros


def _is_zero(cell: str) -> bool:
    return bool(re.fullmatch(r"0+(?:[.,]0*)?", cell))


def _is_empty(cells: Cells) -> bool:
    return not any(cells) if isinstance(cells, list) else bool(np.isnan(cells).all())


def _stripped(row: Sequence[str]) -> list[str]:
    return [cell.strip() for cell in row]
