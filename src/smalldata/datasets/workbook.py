"""Reads one sheet of an Excel workbook into records.

Step in the line: **files** -> Dataset.
"""

import io
import re
import warnings
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from smalldata.datasets.assembling import listed
from smalldata.datasets.commands import command
from smalldata.datasets.damage import refusing
from smalldata.datasets.decimals import find_decimal
from smalldata.datasets.marked import Marked, read_marked
from smalldata.datasets.raw import Grid
from smalldata.errors import ConfigError, DataError
from smalldata.findings import Finding

N_ROWS_COMPARED = 200
N_COLUMNS_COMPARED = 200
"""What of the other sheets is looked at to tell whether they hold the same samples."""

NUMBER_WITH_FRACTION = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")

# openpyxl turns such a cell into #VALUE!, which would be read as missing.
_NO_DATE = "Cell .* is marked as a date"


def read_workbook(
    content: bytes,
    source: str,
    *,
    sheet: str | int | None,
    decimal: str | None,
    sha256: str,
) -> Grid:
    """Read all cells of a sheet, whatever range it declares.

    Parameters
    ----------
    content : bytes
    source : str
        Name of the file.
    sheet : str or int, optional
        By name or counted from 0; default: the first.
    decimal : str, optional
        Decimal sign of cells that are text; default: found out. Cells that are numbers are written
        with it too, so that one sign holds for the whole table.
    sha256 : str
        Of the file's bytes.

    Returns
    -------
    Grid
        Equally wide rows that hold something.

    Raises
    ------
    ConfigError
        If there is no such sheet.
    DataError
        If the workbook is damaged or the sheet empty.
    """
    from openpyxl import load_workbook

    rows: list[tuple[Any, ...]] = []
    with (
        refusing(
            f"{source} must be an Excel workbook",
            found="it is another zip file or damaged",
            remedy="Save it again as xlsx or csv.",
        ),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of formats that openpyxl does not keep
        warnings.filterwarnings("error", message=_NO_DATE)
        with closing(load_workbook(io.BytesIO(content), read_only=True, data_only=True)) as book:
            titles = [worksheet.title for worksheet in book.worksheets]
            chosen = _choose(titles, sheet, source)
            worksheet = book[chosen]
            xml = book._archive.read(worksheet._worksheet_path)
            marked, formulas = read_marked(xml), _formulas(xml)
            declared = (worksheet.max_row, worksheet.max_column)
            worksheet.reset_dimensions()
            try:
                rows.extend(worksheet.iter_rows(values_only=True))
            except UserWarning as warning:
                raise DataError(
                    f"a date must exist; in sheet {chosen!r} of {source} {str(warning)[:1].lower()}"
                    f"{str(warning)[1:].partition('. ')[0]}. Format it as a number."
                ) from None
            others = (
                {title: _leading(book[title]) for title in titles if title != chosen}
                if sheet is None
                else dict[str, list[list[str]]]()
            )
    numbered = enumerate(([_stripped(cell) for cell in row] for row in rows), start=1)
    kept = [(number, row) for number, row in numbered if any(cell != "" for cell in row)]
    if not kept:
        raise DataError(f"{source} must hold a table; its sheet {chosen!r} is empty.")
    # Formatted cells that hold nothing at all on the right are no columns.
    width = max(max(place for place, cell in enumerate(row, 1) if cell != "") for _, row in kept)
    texts = (cell for _, row in kept for cell in row if isinstance(cell, str))
    sign = decimal or find_decimal(texts, source=source)
    records = [[_text(cell, sign) for cell in (row + [""] * width)[:width]] for _, row in kept]
    notes = ("xlsx", *([f"sheet {chosen}"] if len(titles) > 1 else []))
    lines = [number for number, _ in kept]
    reach = (len(rows), max(map(len, rows)))
    advice = _compare_range(declared, held=(lines[-1], width), reach=reach)
    return Grid(
        source=source,
        rows=records,
        lines=lines,
        place="row",
        notes=notes,
        sha256=sha256,
        findings=(
            *(
                Finding(
                    code="SD018",
                    what=f"sheet {chosen!r} of {source} {text}",
                    remedy="check that none is missing",
                )
                for text in advice
            ),
            *_told_formulas(formulas, chosen, source),
            *_told_sheets(chosen, records, others, source),
            *_told_hidden(marked, lines, width, source),
        ),
        others=others,
        merged=marked.across,
        merged_down=marked.down,
    )


def _told_hidden(marked: Marked, lines: list[int], width: int, source: str) -> Iterable[Finding]:
    """Say that hidden rows and columns were read."""
    n_rows = len(marked.hidden_rows.intersection(lines))
    n_columns = len(marked.hidden_columns.intersection(range(width)))
    told = [
        f"{n} hidden {kind}{'s' * (n > 1)}"
        for n, kind in ((n_rows, "row"), (n_columns, "column"))
        if n
    ]
    if told:
        yield Finding(
            code="SD019",
            what=f"{' and '.join(told)} of {source} {'were' if n_rows + n_columns > 1 else 'was'} "
            "read like the others",
            remedy="delete them in the file if they are not to count",
        )


_FORMULA = re.compile(
    rb"<(?:\w+:)?c\s(?P<attributes>[^>]*)>\s*"
    rb"<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
"""A cell with a formula and no value."""


def _formulas(xml: bytes) -> list[str]:
    """Find the cells with a formula whose value is not stored; a stored empty text is one."""
    cells = (match["attributes"] for match in _FORMULA.finditer(xml))
    found = (re.search(rb'\br="(\w+)"', cell) for cell in cells if b't="str"' not in cell)
    return [match[1].decode() for match in found if match]


def _told_formulas(formulas: list[str], sheet: str, source: str) -> list[Finding]:
    if not formulas:
        return []
    n = len(formulas)
    return [
        Finding(
            code="SD050",
            what=f"{n} cell{'s' * (n > 1)} of sheet {sheet!r} of {source} hold{'s' * (n == 1)} a "
            "formula without its value and "
            f"{'were' if n > 1 else 'was'} read as missing",
            evidence=listed(formulas),
            remedy="open the file in a spreadsheet program and save it, which stores the values",
        )
    ]


def _leading(worksheet: Any) -> list[list[str]]:
    """First rows of a sheet that hold something, equally wide."""
    worksheet.reset_dimensions()
    rows = [
        [str(_stripped(cell)) for cell in row]
        for row in worksheet.iter_rows(
            max_row=N_ROWS_COMPARED, max_col=N_COLUMNS_COMPARED, values_only=True
        )
    ]
    width = max((at for row in rows for at, cell in enumerate(row, 1) if cell), default=0)
    return [row[:width] for row in rows if any(row)]


def _entries(rows: list[list[str]]) -> list[set[str]]:
    """Names in the first row of a sheet, and entries of its first columns."""
    sides = [
        rows[0][1:] if rows else [],
        *([row[place] for row in rows[1:] if place < len(row)] for place in range(3)),
    ]
    return [
        {cell for cell in side if cell and not NUMBER_WITH_FRACTION.fullmatch(cell)}
        for side in sides
    ]


def _told_sheets(
    chosen: str, records: list[list[str]], others: dict[str, list[list[str]]], source: str
) -> list[Finding]:
    """Name the sheets that hold the same samples as the one that was read."""
    own = _entries(records)
    same = [
        title
        for title, rows in others.items()
        if any(
            len(mine & side) >= max(2, len(side) / 2)
            for mine in own
            for side in _entries(rows)
            if len(side) > 1
        )
    ]
    if not same:
        return []
    several = len(same) > 1
    return [
        Finding(
            code="SD017",
            what=f"the first sheet {chosen!r} of {source} was read; {len(same)} other"
            f"{'s hold' if several else ' holds'} the same samples",
            evidence=", ".join(map(repr, same)),
            remedy=f"read them together with {command('sheet', (chosen, *same))}",
        )
    ]


def _choose(titles: list[str], sheet: str | int | None, source: str) -> str:
    if not titles:
        raise DataError(f"{source} must hold a sheet with a table; it has none.")
    if sheet is None:
        return titles[0]
    if isinstance(sheet, int) and 0 <= sheet < len(titles):
        return titles[sheet]
    if str(sheet) in titles:
        return str(sheet)
    if str(sheet).isdigit() and int(sheet) < len(titles):
        return titles[int(sheet)]
    raise ConfigError(
        f"sheet must be one of {', '.join(map(repr, titles))} in {source}, or its number "
        f"counted from 0; got {sheet!r}."
    )


def _compare_range(
    declared: tuple[int | None, int | None], *, held: tuple[int, int], reach: tuple[int, int]
) -> Iterable[str]:
    """Say where the declared range leaves out cells, or covers more than the file has.

    Empty cells that are formatted belong to the range, so ``reach``, which counts them, is its
    upper bound and ``held`` its lower one.
    """
    from openpyxl.utils import get_column_letter

    n_rows, n_columns = declared
    if n_rows is None or n_columns is None:
        return
    short = n_rows < held[0] or n_columns < held[1]
    if short or n_rows > reach[0] or n_columns > reach[1]:
        yield (
            f"declares the range A1:{get_column_letter(n_columns)}{n_rows}, but its cells reach "
            f"{get_column_letter(held[1])}{held[0]}; every cell was read"
        )


def _stripped(cell: Any) -> Any:
    if cell is None:
        return ""
    return cell.strip() if isinstance(cell, str) else cell


def _text(cell: Any, decimal: str) -> str:
    text = str(cell)
    is_number = isinstance(cell, float) and decimal == ","
    return text.replace(".", ",") if is_number else text
