"""What a file holds: its text, its cells as they stand, its columns with their names.

Step in the line: **files** -> Dataset. A file is opened (`opening`), recognised (`formats`) or laid
out as a plain table (`layout`), and is then a RawTable.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets.detection import Met
from smalldata.findings import Finding
from smalldata.task import Dropped

Cells = list[str] | NDArray[np.float64]

_N_COLUMNS = 1024
"""Columns that are copied together."""
N_COLUMNS_AT_ONCE = 8
"""Columns that are put into rows together: 8 numbers of a row share a cache line."""


def take_cells(cells: Cells, rows: NDArray[np.intp]) -> Cells:
    """Return the cells of some rows of a column."""
    return [cells[row] for row in rows] if isinstance(cells, list) else cells[rows]


def take_rows(columns: Sequence[Cells], rows: NDArray[np.intp]) -> list[Cells]:
    """Return the cells of some rows of all columns, -1 being a row of missing ones.

    The columns of numbers become views of one matrix.
    """
    numbers = [cells for cells in columns if not isinstance(cells, list)]
    matrix = np.empty((len(numbers), len(rows)))
    for start in range(0, len(numbers), _N_COLUMNS):
        part = slice(start, start + _N_COLUMNS)
        matrix[part] = np.array(numbers[part])[:, rows]
    matrix[:, rows < 0] = np.nan
    matrix.setflags(write=False)  # shared with the table of features
    taken = iter(matrix)
    return [
        [cells[row] if row >= 0 else "" for row in rows] if isinstance(cells, list) else next(taken)
        for cells in columns
    ]


def rows_of(columns: Sequence[Any]) -> NDArray[np.float64]:
    """Put columns of numbers side by side, each row one piece of memory that nobody may change.

    The columns of such a matrix give the matrix itself.
    """
    n_rows, n_columns = len(columns[0]), len(columns)
    base = columns[0].base
    if (
        base is not None
        and base.shape == (n_rows, n_columns)
        and base.flags.c_contiguous
        and not base.flags.writeable
        and all(
            column.base is base and column.ctypes.data == base.ctypes.data + base.itemsize * place
            for place, column in enumerate(columns)
        )
    ):
        return np.asarray(base)
    matrix = np.empty((n_rows, n_columns))
    for start in range(0, n_columns, N_COLUMNS_AT_ONCE):
        places = slice(start, start + N_COLUMNS_AT_ONCE)
        matrix[:, places] = np.array(columns[places]).T
    matrix.setflags(write=False)  # shared with the table of features
    return matrix


@dataclass(frozen=True, kw_only=True)
class TextFile:
    """A decoded text file.

    Attributes
    ----------
    source : str
        Name of the file.
    text : str
    encoding : str
    sha256 : str
        Of the file's bytes.
    """

    source: str
    text: str
    encoding: str
    sha256: str

    @property
    def codec(self) -> str:
        """The encoding as Python calls it."""
        return self.encoding.replace(" with byte order mark", "-sig")


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Cells of a text file or of a sheet, as they stand: no header, no types.

    Attributes
    ----------
    source : str
        Name of the file.
    rows : list of list of str
        Stripped text; rows may differ in length.
    lines : list of int
        Line of each row in the file, counted from 1.
    place : str
        What such a line is called: ``line`` or ``row``.
    notes : tuple of str
        What was found out: separator, encoding, sheet.
    sha256 : str
        Of the file's bytes.
    findings : tuple of Finding
    skipped : tuple of str
        Lines of text that stood above the table.
    others : mapping of str to list of list of str
        First rows of the other sheets, where the sheet was not chosen by the user.
    merged : tuple of (int, int, int)
        Merged cells of one row of a sheet: line, first and last column, these counted from 0.
    merged_down : tuple of (int, int, int)
        Cells merged over several rows: first and last line, and their first column.
    settings : mapping
        Keys of ``dataset`` that were guessed, as they would be written.
    """

    source: str
    rows: list[list[str]]
    lines: list[int]
    place: str
    notes: tuple[str, ...]
    sha256: str
    findings: tuple[Finding, ...] = ()
    skipped: tuple[str, ...] = ()
    others: Mapping[str, list[list[str]]] = field(default_factory=dict)
    merged: tuple[tuple[int, int, int], ...] = ()
    merged_down: tuple[tuple[int, int, int], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RawTable:
    """A table as written.

    Attributes
    ----------
    source : str
        Name of the file.
    names : list of str
        Unique, not empty; a first column without a name is called ``""``.
    columns : list of (list of str or ndarray of float64)
        Stripped text, or numbers where the file has types.
    places : list of str
        Where each row stands in the file: ``line 7``.
    notes : tuple of str
        What was inferred: separator, encoding, sheet.
    sha256 : str
        Of the file's bytes.
    findings : tuple of Finding
        What the user should know.
    dropped : tuple of Dropped
        What of the file is not in the table.
    units : mapping of str to str
        Unit of a column, where the file says it.
    blocks : mapping of str to str
        Block of a column, where the file itself has blocks.
    about_samples : tuple of str
        Columns that stood as rows above the header: they describe the samples and are features
        only where the user asks for them.
    taken_for : str
        What the file was taken for: ``a MaxQuant table of proteins``; empty: a plain table.
    settings : mapping
        Keys of ``dataset`` that were guessed, as they would be written.
    is_sheet : bool
        The format says that this is the table of samples, whose columns describe them.
    categories : mapping of str to tuple of str
        Columns that came as categories, with the order of these, empty where they have none. A
        file has no such columns.
    met : mapping of str to Met
        What was taken as missing, or off numbers, when columns or rows were made one.
    """

    source: str
    names: list[str]
    columns: list[Cells]
    places: list[str]
    notes: tuple[str, ...]
    sha256: str
    findings: tuple[Finding, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    blocks: Mapping[str, str] = field(default_factory=dict)
    about_samples: tuple[str, ...] = ()
    taken_for: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    is_sheet: bool = False
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    met: Mapping[str, Met] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.places)


def clean_name(name: str) -> str:
    """One spelling for names that look the same: composed unicode, no blanks around."""
    return unicodedata.normalize("NFC", str(name)).strip()


def cell_text(cell: str | float) -> str:
    """Write one cell as text; NaN is empty."""
    if isinstance(cell, str):
        return cell
    return "" if np.isnan(cell) else repr(float(cell)).removesuffix(".0")


def with_id(table: RawTable, place: int) -> RawTable:
    """Note which column of a table holds the ids, where its looks no longer tell it."""
    name = table.names[place]
    return replace(table, settings={**table.settings, "id": name}) if name else table
