"""Reads which cells of a sheet are merged or hidden, from its XML, and fills the merged ones.

Step in the line: **files** -> Dataset. openpyxl does not tell them of a sheet that it streams.
"""

import re
from dataclasses import dataclass

from smalldata.datasets.assembling import listed
from smalldata.datasets.raw import Grid
from smalldata.findings import Finding

_MERGED = re.compile(rb'<(?:\w+:)?mergeCell [^>]*ref="([A-Z]+)(\d+):([A-Z]+)(\d+)"')
_HIDDEN = rb'<(?:\w+:)?%s (?=[^>]*\bhidden="(?:1|true)")[^>]*>'
_HIDDEN_ROW = re.compile(_HIDDEN % b"row")
_HIDDEN_COLUMNS = re.compile(_HIDDEN % b"col")


@dataclass(frozen=True, kw_only=True)
class Marked:
    """Merged and hidden cells of a sheet.

    Attributes
    ----------
    across : tuple of (int, int, int)
        Cells merged within one row: its number, first and last column, these counted from 0.
    down : tuple of (int, int, int)
        Cells merged over several rows: first and last row, and their first column.
    hidden_rows : frozenset of int
        Counted from 1.
    hidden_columns : frozenset of int
        Counted from 0.
    """

    across: tuple[tuple[int, int, int], ...]
    down: tuple[tuple[int, int, int], ...]
    hidden_rows: frozenset[int]
    hidden_columns: frozenset[int]


def read_marked(xml: bytes) -> Marked:
    """Read the merged and the hidden cells of a sheet.

    Parameters
    ----------
    xml : bytes

    Returns
    -------
    Marked
    """
    from openpyxl.utils import column_index_from_string

    across, down = [], []
    # They stand behind the cells.
    for left, top, right, bottom in _MERGED.findall(xml, max(0, xml.find(b"</sheetData>"))):
        first = column_index_from_string(left.decode()) - 1
        if top == bottom:
            across.append((int(top), first, column_index_from_string(right.decode()) - 1))
        else:
            down.append((int(top), int(bottom), first))
    rows, columns = set[int](), set[int]()
    if b"hidden=" in xml:
        rows = {_attribute(match[0], b"r") for match in _HIDDEN_ROW.finditer(xml)}
        for match in _HIDDEN_COLUMNS.finditer(xml):
            # A hidden rest of the sheet reaches to its last possible column.
            columns.update(range(_attribute(match[0], b"min") - 1, _attribute(match[0], b"max")))
    return Marked(
        across=tuple(across),
        down=tuple(down),
        hidden_rows=frozenset(rows),
        hidden_columns=frozenset(columns),
    )


def _attribute(tag: bytes, name: bytes) -> int:
    found = re.search(rb'\b%s="(\d+)"' % name, tag)
    return int(found[1]) if found else 0


def fill_merged(
    grid: Grid, rows: list[list[str]], lines: list[int], header: int
) -> tuple[list[list[str]], list[Finding]]:
    """Give each row of merged cells below the header the value of their first cell.

    Parameters
    ----------
    grid : Grid
    rows : list of list of str
        Its rows below the header.
    lines : list of int
        Where they stand.
    header : int
        Where the header stands.

    Returns
    -------
    rows : list of list of str
    findings : list of Finding
    """
    at_line = {line: row for row, line in enumerate(lines)}
    filled = list(rows)
    n_merged, names = 0, dict[str, None]()
    for top, bottom, place in grid.merged_down:
        if top <= header or top not in at_line or not rows[at_line[top]][place]:
            continue
        value = rows[at_line[top]][place]
        for line in range(top + 1, bottom + 1):
            if line in at_line:
                row = at_line[line]
                filled[row] = [*filled[row][:place], value, *filled[row][place + 1 :]]
        n_merged += 1
        names[value] = None
    if not n_merged:
        return rows, []
    return filled, [
        Finding(
            code="SD019",
            what=f"the value of {n_merged} merged cell{'s' * (n_merged > 1)} of {grid.source} was "
            f"given to each of {'their' if n_merged > 1 else 'its'} rows",
            evidence=listed(list(names)),
        )
    ]
