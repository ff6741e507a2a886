"""Finds rows that sum up the samples: mean, SD, total, n, p-value.

Step in the line: **files** -> Dataset. A row whose name and numbers agree is left out; where only
its name tells, it stays and is named. Names that samples have, too (Max, MIN, n), count only with
their numbers, or next to other such rows.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets.assembling import listed
from smalldata.datasets.columns import parse_number
from smalldata.datasets.naming import plain_name
from smalldata.datasets.raw import Cells, RawTable, cell_text, take_rows
from smalldata.datasets.units import MOSTLY
from smalldata.datasets.vocabulary import SUMMARY_NAMES, WEAK_SUMMARY_NAMES
from smalldata.findings import Finding
from smalldata.task import Dropped

N_LEADING = 5
"""Columns in which the name of a row is looked for."""

N_TEXTS = 10
"""Columns of text whose entries may be the groups that are summed up."""

N_COMPARED = 200
"""Columns of numbers that are compared."""

N_LETTERS = 3
"""Shorter names (SD, CV) tell a row only among names with numbers."""

FEWEST_AGREEING = 2
"""Columns in which a row must be what its name says."""

_STATISTICS: Mapping[str, Callable[[NDArray[np.float64]], Sequence[float]]] = {
    "mean": lambda values: [values.mean()],
    "median": lambda values: [float(np.median(values))],
    "sum": lambda values: [values.sum(), values.mean()],  # below percentages a total is a mean
    "sd": lambda values: [values.std(), values.std(ddof=1)],
    "sem": lambda values: [values.std(ddof=1) / np.sqrt(len(values))],
    "cv": lambda values: [
        values.std(ddof=ddof) / values.mean() * scale
        for ddof in (0, 1)
        for scale in (1, 100)
        if values.mean()
    ],
    "min": lambda values: [values.min()],
    "max": lambda values: [values.max()],
    "count": lambda values: [float(len(values))],
    "p": lambda values: [],
}


@dataclass(frozen=True, kw_only=True)
class _Named:
    """A row whose name is that of a summary.

    Attributes
    ----------
    row, place : int
        Where its name stands.
    name : str
    word : str
        The part of it that is the name of a summary.
    group : str
        The entry whose rows it sums up; empty: not said.
    """

    row: int
    place: int
    name: str
    word: str
    group: str

    @property
    def statistic(self) -> str:
        """What the row holds, by its name."""
        return SUMMARY_NAMES.get(self.word) or WEAK_SUMMARY_NAMES[self.word]


def without_summaries(
    tables: Mapping[str, RawTable], decimals: Mapping[str, str]
) -> dict[str, RawTable]:
    """Leave out the rows that sum up others, and name those that may.

    Parameters
    ----------
    tables : mapping of str to RawTable
        By block.
    decimals : mapping of str to str
        Their decimal signs.

    Returns
    -------
    dict of str to RawTable
    """
    return {block: _without_summaries(table, decimals[block]) for block, table in tables.items()}


def _without_summaries(table: RawTable, decimal: str) -> RawTable:
    named = _named_rows(table)
    if not named or len(named) * 2 >= table.n_rows:
        return table
    numbers = _numbers(table.columns, decimal)
    rows = {entry.row for entry in named}
    agreeing = [entry for entry in named if _agrees(entry, table, numbers, rows)]
    told = _told_by_name(table, named, {entry.row for entry in agreeing})
    findings = []
    if told:
        many = len(told) > 1
        findings.append(
            Finding(
                code="SD009",
                what=f"{len(told)} row{'s' * many} of {table.source} "
                f"{'are named like summaries' if many else 'is named like a summary'} of the "
                f"others and {'are read as samples' if many else 'is read as a sample'}",
                evidence=listed([entry.name for entry in told]),
                remedy="leave out of the file what is not a sample",
            )
        )
    if not agreeing:
        return replace(table, findings=(*table.findings, *findings))
    names = [entry.name for entry in agreeing]
    several = len(names) > 1
    findings.append(
        Finding(
            code="SD009",
            what=f"{len(names)} row{'s' * several} of {table.source} sum{'s' * (not several)} up "
            f"the others and {'were' if several else 'was'} left out",
            evidence=listed(names),
            remedy="rename what is a sample",
        )
    )
    out = {entry.row for entry in agreeing}
    kept = np.array([row for row in range(table.n_rows) if row not in out])
    return replace(
        table,
        columns=take_rows(table.columns, kept),
        places=[table.places[row] for row in kept],
        findings=(*table.findings, *findings),
        dropped=(
            *table.dropped,
            Dropped(what="rows", names=tuple(names), reason=f"summaries in {table.source}"),
        ),
    )


def _named_rows(table: RawTable) -> list[_Named]:
    """Rows whose first cell that is no number has the name of a summary."""
    leading = [
        (place, cells)
        for place, cells in enumerate(table.columns[:N_LEADING])
        if isinstance(cells, list)
    ]
    groups: set[str] | None = None
    found = []
    for row in range(table.n_rows):
        place = next((at for at, cells in leading if _is_name(cells[row])), None)
        if place is None:
            continue
        name = cell_text(table.columns[place][row])
        split = _split(name)
        if split is None:
            continue
        word, group = split
        if group:
            if groups is None:
                groups = _groups(table)
            if group.lower() not in groups:
                continue
        found.append(
            _Named(
                row=row,
                place=place,
                name=name,
                word=word,
                group=group.lower(),
            )
        )
    return found


def _is_name(cell: str) -> bool:
    return bool(cell) and not cell[0].isdigit() and any(map(str.isalpha, cell))


def _split(name: str) -> tuple[str, str] | None:
    """Split a name into the word of a summary and the group that it sums up; None: it has none."""
    words = re.sub(r"\s*[(\[].*?[)\]]", "", name).strip().rstrip(":").split()
    # Joined by anything but blanks it is another word: Mean-arterial.
    for end in range(len(words), 0, -1):
        for said, rest in ((words[:end], words[end:]), (words[-end:], words[:-end])):
            word = plain_name(" ".join(said))
            if word in SUMMARY_NAMES or word in WEAK_SUMMARY_NAMES:
                return word, " ".join(rest)
    return None


def _groups(table: RawTable) -> set[str]:
    """Entries of text that occur again."""
    texts = [cells for cells in table.columns if isinstance(cells, list)][:N_TEXTS]
    return {
        entry.lower()
        for cells in texts
        for entry, count in Counter(cells).items()
        if count > 1 and _is_name(entry)
    }


def _numbers(columns: Sequence[Cells], decimal: str) -> list[tuple[NDArray[np.float64], Cells]]:
    """Columns with numbers, each with its cells as written."""
    found = []
    for cells in columns:
        if isinstance(cells, list):
            values = np.array([_number(cell, decimal) for cell in cells])
        else:
            values = cells
        if np.isfinite(values).mean() > 1 - MOSTLY:
            found.append((values, cells))
        if len(found) == N_COMPARED:
            break
    return found


def _number(cell: str, decimal: str) -> float:
    number = parse_number(cell.removesuffix("%").rstrip(), decimal)
    return np.nan if number is None else number


def _agrees(
    named: _Named,
    table: RawTable,
    numbers: Sequence[tuple[NDArray[np.float64], Cells]],
    apart: set[int],
) -> bool:
    """Whether a row is, in most columns, what its name says about the same rows."""
    filled = [(values, cells) for values, cells in numbers if np.isfinite(values[named.row])]
    if len(filled) < FEWEST_AGREEING:
        return False
    for rows in _summed(named, table, apart):
        n_agreeing = 0
        for values, cells in filled:
            some = values[rows]
            some = some[np.isfinite(some)]
            if len(some) < 2:
                continue
            near = _half_a_digit(cell_text(cells[named.row]), values[named.row])
            n_agreeing += any(
                abs(value - values[named.row]) <= near
                for value in _STATISTICS[named.statistic](some)
            )
        if n_agreeing >= max(FEWEST_AGREEING, MOSTLY * len(filled)):
            return True
    return False


def _half_a_digit(written: str, value: float) -> float:
    """How far a rounded number may be off."""
    digits = re.search(r"[.,](\d+)\s?%?$", written)
    return 0.501 * 10.0 ** -(len(digits[1]) if digits else 0) + 1e-9 * abs(value)


def _summed(named: _Named, table: RawTable, apart: set[int]) -> Iterator[list[int]]:
    """Rows that a summary may sum up: all, those right above or below, those of a group."""
    others = [row for row in range(table.n_rows) if row not in apart]
    yield others
    for step in (-1, 1):
        row = named.row
        while row + step in apart:
            row += step
        block = []
        while 0 <= row + step < table.n_rows and row + step not in apart:
            row += step
            block.append(row)
        yield block
    texts = [cells for cells in table.columns if isinstance(cells, list)][:N_TEXTS]
    for cells in texts:
        group = named.group or cells[named.row].lower()
        block = [row for row in others if cells[row].lower() == group]
        if group and 1 < len(block) < len(others):
            yield block


def _told_by_name(table: RawTable, named: Sequence[_Named], known: set[int]) -> list[_Named]:
    """Rows that only their name tells: in a column of names, or at an end of the table."""
    rows = {entry.row for entry in named}
    sure = set(known)
    for entry in named:
        if entry.word in WEAK_SUMMARY_NAMES or entry.row in known:
            continue
        cells = [cell_text(cell) for cell in table.columns[entry.place]]
        present = [cell for cell in cells if cell]
        n_numbered = sum(any(map(str.isdigit, cell)) for cell in present)
        if len(entry.word) < N_LETTERS and n_numbered < len(present) / 2:
            continue  # initials, codes of countries
        are_names = len(set(present)) > len(present) / 2
        is_end = all(row in rows for row in range(entry.row, table.n_rows)) or all(
            row in rows for row in range(entry.row)
        )
        if are_names or (is_end and cells.count(entry.name) == 1):
            sure.add(entry.row)
    for entry in (*named, *reversed(named)):  # weak names next to others
        if entry.row - 1 in sure or entry.row + 1 in sure:
            sure.add(entry.row)
    return [entry for entry in named if entry.row in sure and entry.row not in known]
