"""Tells a table from the text below it and from what stands beside it.

Step in the line: **files** -> Dataset.
"""

from collections.abc import Sequence

from smalldata.datasets.assembling import listed
from smalldata.datasets.raw import Grid
from smalldata.datasets.units import is_number
from smalldata.findings import Finding
from smalldata.task import Dropped

N_IDS_SEEN = 50
"""Rows whose ids are compared with a note."""

N_FOOTNOTES = 30
"""Lines of text below a table, at most."""

_NOTE_WORDS = ("note", "abbrev", "source", "legend", "data ", "values", "footnote", "http")
_NOTE_SIGNS = "*†‡§¶#^("


def without_footnotes(
    rows: list[list[str]], lines: list[int], width: int
) -> tuple[list[list[str]], list[int], list[tuple[int, str]]]:
    """Split off the text below a table: it begins with a note, and no value follows.

    The commas of a sentence split it into fields, if these separate the columns.

    Parameters
    ----------
    rows : list of list of str
    lines : list of int
        Where they stand.
    width : int
        Usual number of fields.

    Returns
    -------
    rows : list of list of str
    lines : list of int
    notes : list of (int, str)
        Line and text of each note.
    """
    ids = [row[0] for row in rows[:N_IDS_SEEN] if any(row[1:])]
    end = len(rows)
    for at in range(len(rows) - 1, max(2, len(rows) - N_FOOTNOTES) - 1, -1):
        n_filled = sum(map(bool, rows[at]))
        is_text = n_filled <= max(1, width // 2) and not any(map(is_number, rows[at]))
        if not is_text or not all(rows[at][:n_filled]):
            break
        if _is_note(rows[at], ids, is_short=len(rows[at]) <= width // 2):
            end = at
    notes = [
        (line, ", ".join(cell for cell in row if cell))
        for line, row in zip(lines[end:], rows[end:], strict=True)
    ]
    return rows[:end], lines[:end], notes


def _is_note(row: Sequence[str], ids: Sequence[str], *, is_short: bool) -> bool:
    """Whether a row is a note, not a sample: it has words and begins like one, or is long."""
    first = row[0]
    if " " not in first:
        return False
    if first.lower().startswith(_NOTE_WORDS) or first[0] in _NOTE_SIGNS:
        return True
    if is_short and not any(" " in entry for entry in ids):
        return True
    return not any(row[1:]) and len(first) > max(20, 2 * max(map(len, ids), default=0))


def told_footnotes(grid: Grid, notes: Sequence[tuple[int, str]]) -> list[Finding]:
    """Say that text below a table was skipped."""
    if not notes:
        return []
    line, words = notes[0]
    return [
        Finding(
            code="SD012",
            what=f"{len(notes)} {grid.place}{'s' * (len(notes) > 1)} of text below the table of "
            f"{grid.source} {'were' if len(notes) > 1 else 'was'} skipped",
            evidence=f"{grid.place} {line} {words if len(words) <= 40 else words[:40] + '…'!r}",
        )
    ]


def without_beside(
    names: list[str], rows: list[list[str]], source: str, *, target: str | None
) -> tuple[list[str], list[list[str]], Dropped]:
    """Leave out a legend on the right of a table, apart by an empty column.

    It has fewer columns and less than half the rows of the table, and some text.

    Parameters
    ----------
    names : list of str
        The header.
    rows : list of list of str
    source : str
        Name of the file.
    target : str, optional

    Returns
    -------
    names : list of str
    rows : list of list of str
    dropped : Dropped
        The columns that were left out.
    """
    out: list[str] = []
    gaps = [
        at
        for at in range((len(names) + 1) // 2, len(names) - 1)
        if not names[at] and not any(any(row[at : at + 1]) for row in rows)
    ]
    for gap in gaps:
        right = [row[gap + 1 :] for row in rows if any(row[gap + 1 :])]
        has_text = any(cell and not is_number(cell) for row in right for cell in row)
        if len(right) * 2 < len(rows) and has_text and target not in names[gap:]:
            out = [name for name in names[gap + 1 :] if name]
            names, rows = names[:gap], [row[:gap] for row in rows]
            break
    reason = f"columns beside the table of {source}"
    return names, rows, Dropped(what="columns", names=tuple(out), reason=reason)


def told_beside(beside: Dropped) -> list[Finding]:
    """Say that columns beside a table were left out."""
    n_columns = len(beside.names)
    if not n_columns:
        return []
    return [
        Finding(
            code="SD012",
            what=f"{n_columns} {beside.reason}, apart by an empty one, were left out"
            if n_columns > 1
            else f"1 {beside.reason.replace('columns', 'column')}, apart by an empty one, was left "
            "out",
            evidence=listed(list(beside.names)),
            remedy="delete the empty column if they belong to the table",
        )
    ]
