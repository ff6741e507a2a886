"""Finds the header of a grid of cells, and what stands above and right below it.

Step in the line: **files** -> Dataset. Only the first rows are looked at, and of a wide table some
of their cells, so that a large table costs no more than a small one.

Above a header may stand text (its cells lie at the left end of a row), rows that belong to the
samples (blank on the left, then a name, then one value per sample) or an upper header (a name per
span of columns). Right below may stand rows of units, types or descriptions (`units`).
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from smalldata.datasets.assembling import listed
from smalldata.datasets.marked import fill_merged
from smalldata.datasets.naming import plain_name
from smalldata.datasets.raw import Grid
from smalldata.datasets.surroundings import (
    told_beside,
    told_footnotes,
    without_beside,
    without_footnotes,
)
from smalldata.datasets.text import N_CHARACTERS_SHOWN
from smalldata.datasets.units import (
    MOSTLY,
    BelowHeader,
    is_missing,
    is_number,
    rows_below,
)
from smalldata.datasets.vocabulary import ID_NAMES, METADATA_NAMES
from smalldata.errors import ConfigError, DataError
from smalldata.findings import Finding
from smalldata.task import Dropped

N_ROWS_SEEN = 50
"""Rows of a grid that are looked at."""

N_ROWS_ABOVE = 15
"""Rows above a header, at most."""

N_COLUMNS_SEEN = 200
"""Columns of a wide table that are looked at, evenly spaced."""

_DAY = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:[ T]\d{1,2}:\d{2}(?::\d{2})?)?")


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A grid whose rows are known by what they are.

    Attributes
    ----------
    grid : Grid
    above : list of list of str
        Rows above the header that belong to its columns.
    above_lines : list of int
        Where they stand.
    header : list of str
    header_line : int
    below : list of BelowHeader
        Rows of units, types and descriptions.
    rows : list of list of str
        The body.
    lines : list of int
        Where its rows stand.
    findings : tuple of Finding
    dropped : tuple of Dropped
        Text above and below the table.
    is_shown : bool
        The header is not where the table begins: how to fix it belongs to the settings.
    """

    grid: Grid
    above: list[list[str]]
    above_lines: list[int]
    header: list[str]
    header_line: int
    below: list[BelowHeader]
    rows: list[list[str]]
    lines: list[int]
    findings: tuple[Finding, ...]
    dropped: tuple[Dropped, ...]
    is_shown: bool


def find_frame(grid: Grid, *, header: int | None = None, target: str | None = None) -> Frame:
    """Tell the header, what stands above it and below it.

    Parameters
    ----------
    grid : Grid
    header : int, optional
        Line of the header, counted from 1; default: found out.
    target : str, optional
        Name of a column that the header must have.

    Returns
    -------
    Frame

    Raises
    ------
    ConfigError
        If no row stands in that line or below it.
    DataError
        If values stand where the header should, below text.
    """
    grid = _without_margin(grid)
    rows, lines = grid.rows, grid.lines
    named = None if header is None else _row_of_line(grid, header)
    usual = _usual_width(rows[named or 0 :][:N_ROWS_SEEN])
    most = min(N_ROWS_ABOVE if named is None else named, max(0, len(rows) - 2))
    n_text = 0
    spans = _lines_of_spans(grid, usual)
    while n_text < most and lines[n_text] not in spans and _is_text(rows[n_text], usual):
        if usual == 2 and any(map(is_number, rows[n_text + 1])):
            break  # of a table of one column and row names R writes a header of one field
        n_text += 1
    place = named
    if place is None:
        place = n_text + find_header(rows[n_text : n_text + N_ROWS_SEEN], target=target)
    if named is None and (n_text or grid.skipped):
        _check_names(grid, place, seen_columns(usual))
    rows, lines, place = _with_labels_above(rows, lines, place, target)
    text = [" ".join(cell for cell in row if cell) for row in rows[:n_text]]
    kept = [
        row for row in range(n_text, place) if lines[row] in spans or not _is_text(rows[row], usual)
    ]
    above = [_wide(rows[row], usual) for row in kept]
    body, body_lines, notes = without_footnotes(rows[place + 1 :], lines[place + 1 :], usual)
    body, filled = fill_merged(grid, body, body_lines, lines[place])
    names = _filled_down(rows[place], above)
    names, body, beside = without_beside(names, body, grid.source, target=target)
    start = body[:N_ROWS_SEEN]
    below = rows_below(start, body_lines[: len(start)], columns=seen_columns(usual))
    findings = [*grid.findings, *filled, *_told_text(grid, text, lines[place])]
    findings += told_footnotes(grid, notes)
    findings += told_beside(beside)
    above_words = tuple(line.strip() for line in (*grid.skipped, *text) if line.strip())
    dropped = (
        Dropped(what="rows", names=above_words, reason=f"text above the table of {grid.source}"),
        Dropped(
            what="rows",
            names=tuple(words for _, words in notes),
            reason=f"text below the table of {grid.source}",
        ),
        beside,
    )
    return Frame(
        grid=grid,
        above=above,
        above_lines=[lines[row] for row in kept],
        header=names,
        header_line=lines[place],
        below=below,
        rows=body[len(below) :],
        lines=body_lines[len(below) :],
        findings=tuple(findings),
        dropped=tuple(entry for entry in dropped if entry.names),
        is_shown=bool(text or kept or grid.skipped),
    )


def find_header(rows: Sequence[Sequence[str]], *, target: str | None = None) -> int:
    """Position of the header among the first rows, of which none is text.

    The first row is the header, unless

    - two or more of its cells on the left are blank, or more than a half of all: the first row
      that has them is the header, if it holds names;
    - it has no target, and a row below has it among names that all differ;
    - its entries repeat (at most half of them differ) and a row below has names that all differ;
    - its entries are days, or numbers that are no ids (injection orders), and a row below has
      names.

    Examples
    --------
    >>> find_header([["", "", "Class", "a", "b"], ["id", "mz", "name", "S1", "S2"],
    ...              ["1", "70.1", "M0", "3.5", "2.5"], ["2", "80.1", "M1", "3.1", "2.2"]])
    1
    """
    first = rows[0]
    width = _usual_width(rows)
    seen = seen_columns(width)
    blanks = next((place for place, cell in enumerate(first) if cell), len(first))
    n_filled = sum(1 for cell in first if cell)
    candidates = range(1, min(N_ROWS_ABOVE + 1, len(rows) - 1))
    if blanks >= 2 or n_filled <= width / 2 or (not first[0] and _is_spanned(first)):
        for place in candidates:
            if _is_full(rows[place], above=rows[:place], width=width):
                return place if _holds_names(rows, place, seen) else 0
        return 0
    if _is_upper(first, rows[1] if len(rows) > 1 else ()):
        return 1 if len(rows) > 2 and _holds_names(rows, 1, seen) else 0
    entries = [first[place] for place in seen[1:] if place < len(first) and first[place]]
    is_repeated = len(entries) >= 3 and len(set(entries)) <= len(entries) / 2
    is_order = _is_order(first, seen) and target not in first
    numbered = 0
    for place in candidates:
        row = rows[place]
        has_target = target is not None and target not in first and target in row[1:]
        # What stands in several rows is a class rather than the name of a column.
        has_target = has_target and sum(target in other for other in rows) == 1
        if is_repeated or has_target or is_order:
            names = [row[at] for at in seen if at < len(row)]
            differ = len(set(names)) == len(names) and all(names)
            # A row of counts holds whole numbers, too, but in no order.
            if differ and _holds_names(rows, place, seen) and not _holds_values(rows[place:], seen):
                if not _is_order(row, seen):
                    return place
                numbered = numbered or (0 if is_order else place)
    return numbered


def _is_order(row: Sequence[str], seen: Sequence[int]) -> bool:
    """Whether a row holds numbers or days, unless its name or their order makes them ids."""
    entries = [row[at] for at in seen[1:] if at < len(row)]
    name = plain_name(row[0]) if row else ""
    if not entries or name in ID_NAMES or not all(map(_is_number_or_day, entries)):
        return False
    in_order = all(entry.isdigit() for entry in entries) and sorted(entries, key=int) == entries
    return name in METADATA_NAMES or not in_order


def _is_number_or_day(cell: str) -> bool:
    return is_number(cell) or _DAY.fullmatch(cell) is not None


def _is_spanned(row: Sequence[str]) -> bool:
    """Whether names stand over spans of columns: each span's further cells are blank."""
    filled = [place for place, cell in enumerate(row) if cell]
    return any(right - left > 1 for left, right in pairwise(filled))


def _is_upper(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether the first row is an upper header: where the second is blank it has the name."""
    gaps = [place for place, cell in enumerate(second) if not cell]
    # A name over several columns stands once, or over each.
    once = ["" if cell == left else cell for left, cell in pairwise(("", *first))]
    if len(first) != len(second) or not _is_spanned([*(once if gaps else first), "end"]):
        return False
    return all(first[place] for place in gaps) and len(gaps) < len(second)


def _is_full(row: Sequence[str], *, above: Sequence[Sequence[str]], width: int) -> bool:
    """Whether each column has a name in a row, or, merged downwards, in one above it."""
    if len(row) < width - 1:
        return False
    cells = [
        cell or next((top[place] for top in above if place < len(top) and top[place]), "")
        for place, cell in enumerate(row)
    ]
    own = sum(1 for cell in row if cell)
    # A row of the samples is blank over the annotations, all but the last of which has its name.
    leads_blank = not row[0] and len(row) > 1 and not row[1]
    return own > width / 2 and not leads_blank and sum(map(bool, cells)) >= MOSTLY * width


def _holds_names(rows: Sequence[Sequence[str]], place: int, seen: Sequence[int]) -> bool:
    """Whether a row holds names: in the columns that are numeric below it few cells are numbers."""
    below = rows[place + 1 :]
    n_numeric = 0
    numbers = []
    for at in seen:
        cells = [row[at] for row in below if at < len(row) and not is_missing(row[at])]
        if cells and sum(map(is_number, cells)) >= MOSTLY * len(cells):
            n_numeric += 1
            own = rows[place][at] if at < len(rows[place]) else ""
            numbers += [own] if is_number(own) else []
    return n_numeric > 0 and (_are_ids(numbers) or len(numbers) <= (1 - MOSTLY) * n_numeric)


def _without_margin(grid: Grid) -> Grid:
    """Leave out blank columns on the left of a table, as spreadsheets have them."""
    n_blank = 0
    width = min(map(len, grid.rows), default=0)
    while n_blank < width - 1 and not any(row[n_blank] for row in grid.rows):
        n_blank += 1
    if not n_blank:
        return grid
    return replace(
        grid,
        rows=[row[n_blank:] for row in grid.rows],
        merged=tuple((line, first - n_blank, last - n_blank) for line, first, last in grid.merged),
        merged_down=tuple((top, bottom, at - n_blank) for top, bottom, at in grid.merged_down),
    )


def _check_names(grid: Grid, place: int, seen: Sequence[int]) -> None:
    """Refuse values where a header should stand, below text."""
    if not _holds_values(grid.rows[place:], seen):
        return
    raise DataError(
        f"below the text above the table of {grid.source} must stand its header; {grid.place} "
        f"{grid.lines[place]} holds values "
        f"({' '.join(grid.rows[place])[:N_CHARACTERS_SHOWN]!r}). Name the {grid.place} of the "
        "header: dataset.header=N, or add a header to the file."
    )


def _holds_values(rows: Sequence[Sequence[str]], seen: Sequence[int]) -> bool:
    """Whether the first row holds numbers in most of the columns that are numeric below it."""
    first, below = rows[0], rows[1:N_ROWS_SEEN]
    own = []
    for at in seen:
        cells = [row[at] for row in below if at < len(row) and not is_missing(row[at])]
        if cells and sum(map(is_number, cells)) >= MOSTLY * len(cells):
            own.append(first[at] if at < len(first) else "")
    numbers = [cell for cell in own if is_number(cell)]
    return len(numbers) > len(own) / 2 and not _are_ids(numbers)


def _are_ids(numbers: Sequence[str]) -> bool:
    """Whether numbers are ids of samples: whole ones, one after the other, or five in order."""
    if len(numbers) < 2 or not all(cell.isdigit() for cell in numbers):
        return False
    steps = [int(right) - int(left) for left, right in pairwise(numbers)]
    return all(step == 1 for step in steps) or (len(steps) >= 4 and min(steps) > 0)


def _row_of_line(grid: Grid, header: int) -> int:
    place = next((place for place, line in enumerate(grid.lines) if line >= header), None)
    if header >= 1 and place is not None and place + 1 < len(grid.lines):
        return place
    raise ConfigError(
        f"header must be a {grid.place} of {grid.source} with rows below it, counted from 1; got "
        f"{header}, and the last {grid.place} is {grid.lines[-1]}."
    )


def _usual_width(rows: Sequence[Sequence[str]]) -> int:
    counts = Counter(len(row) for row in rows)
    return max(counts, key=lambda width: (counts[width], width))


def seen_columns(width: int) -> list[int]:
    """Columns to look at: all, or of a wide table some, the first ones among them."""
    if width <= N_COLUMNS_SEEN:
        return list(range(width))
    step = width / N_COLUMNS_SEEN
    spread = (int(number * step) for number in range(N_COLUMNS_SEEN))
    return sorted({*range(20), *spread, width - 1})


def _is_text(row: Sequence[str], width: int) -> bool:
    """Whether a row above a table is text: a few cells at its left end, or a single one."""
    filled = [place for place, cell in enumerate(row) if cell]
    if not filled or width < 2:
        return True
    if len(filled) == 1:
        return width > 2 or filled == [0]
    return filled[-1] < max(1, width // 3) and filled == list(range(len(filled)))


def _wide(row: Sequence[str], width: int) -> list[str]:
    return [*row, *[""] * (width - len(row))]


def _filled_down(header: Sequence[str], above: Sequence[Sequence[str]]) -> list[str]:
    """Names of a header; one that is merged with the cell above it stands there."""
    return [
        cell or next((top[place] for top in above if place < len(top) and top[place]), "")
        for place, cell in enumerate(header)
    ]


def _with_labels_above(
    rows: list[list[str]], lines: list[int], place: int, target: str | None
) -> tuple[list[list[str]], list[int], int]:
    """Move rows of the samples that stand right below the header above it.

    With features in rows the rows of the samples (Genotype, Sex) are blank on the left, and have
    their names in the last column of annotations. Below them may stand the names of the
    annotations, blank over the samples. That the target is such a name tells them from rows of
    units.

    Returns
    -------
    rows : list of list of str
    lines : list of int
    place : int
        Of the header.
    """
    header = rows[place]
    if place + 1 == len(rows):
        return rows, lines, place
    lead = next((at for at, cell in enumerate(rows[place + 1]) if cell), 0)
    end = place + 1
    while end < len(rows) - 1 and _is_labelled(rows[end], lead):
        end += 1
    labels = [row[lead] for row in rows[place + 1 : end]]
    if target is None or target in header or target not in labels:
        return rows, lines, place
    names, below = rows[end], end
    if all(names[: lead + 1]) and not any(names[lead + 1 :]):
        header, below = [*names[: lead + 1], *header[lead + 1 :]], end + 1
    return (
        [*rows[:place], *rows[place + 1 : end], header, *rows[below:]],
        [*lines[:place], *lines[place + 1 : end], lines[place], *lines[below:]],
        end - 1,
    )


def _is_labelled(row: Sequence[str], lead: int) -> bool:
    """Whether a row is blank up to a name, and filled behind it."""
    if lead == 0 or len(row) <= lead + 1 or any(row[:lead]) or not row[lead]:
        return False
    values = row[lead + 1 :]
    return sum(map(bool, values)) >= MOSTLY * len(values)


def _lines_of_spans(grid: Grid, width: int) -> set[int]:
    """Lines with merged names over some of the columns; one over all, or on its own, is a title."""
    numbered = dict(zip(grid.lines[: N_ROWS_ABOVE + 1], grid.rows, strict=False))
    return {
        line
        for line, first, last in grid.merged
        if last - first < width - 2 and (first > 0 or sum(map(bool, numbered.get(line, ()))) > 1)
    }


def _told_text(grid: Grid, text: Sequence[str], line: int) -> list[Finding]:
    told = [*grid.skipped, *text]
    words = next((entry.strip() for entry in told if entry.strip()), "")
    if not words:
        return []
    n_lines = len(grid.skipped) + len(text)
    return [
        Finding(
            code="SD012",
            what=f"{n_lines} {grid.place}{'s' * (n_lines > 1)} of text above the table of "
            f"{grid.source} {'were' if n_lines > 1 else 'was'} skipped",
            evidence=repr(words if len(words) <= 40 else words[:40] + "…"),
            remedy=f"the header is {grid.place} {line}; name another with dataset.header",
        )
    ]


def told_below(frame: Frame, units: dict[str, str]) -> list[Finding]:
    """Say which rows below the header are no samples."""
    findings = []
    grid = frame.grid
    for row in frame.below:
        where = f"{grid.place} {row.line} of {grid.source}"
        tag = f" ({row.cells[0]})" if row.cells[0] and not is_missing(row.cells[0]) else ""
        if row.kind == "units":
            what = (
                f"{where}{tag} holds units, no sample; the units of {len(units)} columns were kept"
            )
            evidence = listed(list(dict.fromkeys(units.values())))
        else:
            what = f"{where}{tag} holds the {row.kind} of the columns, no sample, and was skipped"
            evidence = listed([cell for cell in row.cells[1:] if cell])
        findings.append(Finding(code="SD010", what=what, evidence=evidence))
    return findings
