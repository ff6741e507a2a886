"""Finds the decimal sign of a table.

Step in the line: **files** -> Dataset. Where the numbers can be read in two ways, the sign must be
named.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain

from smalldata.datasets.columns import THREE_PLACES, parse_number
from smalldata.datasets.naming import plain_name
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import RawTable
from smalldata.datasets.vocabulary import ID_NAMES
from smalldata.errors import DataError

# A sign that changes later in the table is met, and refused, when the columns are typed.
N_NUMBERS_SNIFFED = 10_000
_WAY_OUT = "Name the decimal sign: dataset.decimal=',' or dataset.decimal='.'."
N_LONG = 20_000
"""Rows of a table that is likely in long form."""


def decimal_of(table: RawTable, block: str, options: TableOptions) -> str:
    """Find the decimal sign of a table, if it is not named.

    Parameters
    ----------
    table : RawTable
    block : str
    options : TableOptions

    Returns
    -------
    str

    Raises
    ------
    DataError
        If its numbers can be read in two ways.
    """
    if options.decimal is not None:
        return options.decimal
    long = {} if options.long is None else dict(options.long)
    named = {long.get("id"), long.get("name"), options.id_of(block)}
    cells: dict[bool, list[Iterable[str]]] = {True: [], False: []}
    for place, (name, column) in enumerate(zip(table.names, table.columns, strict=True)):
        if isinstance(column, list):
            is_name = place == 0 or name in named or plain_name(name) in ID_NAMES
            # A column of names, a million times the same few.
            cells[is_name].append(dict.fromkeys(column) if table.n_rows > N_LONG else column)
    votes = _count_signs(chain.from_iterable(cells[False]))
    if not votes.sure and not votes.doubtful:
        votes = _count_signs(chain.from_iterable(cells[True]))
    sign = _decide(votes, table.source, partial(_with_place, table))
    if not votes.sure and sign == ".":
        for entries in cells[False]:
            _check_groups(entries, table.source)
    return sign


def find_decimal(cells: Iterable[str], *, source: str) -> str:
    """Find the decimal sign of a table's cells: ``,`` or ``.``.

    A cell that is a number with one sign only speaks for it: ``0,5`` and ``1.234,5`` for the comma,
    ``1,234,567`` and ``1,234.5`` for the point. ``1,234`` is one number with either sign, and
    decided by the other cells.

    Parameters
    ----------
    cells : iterable of str
    source : str
        Name of the file, for the sentence.

    Returns
    -------
    str

    Raises
    ------
    DataError
        If all that there is can be read both ways, or some of it can and the others disagree.

    Examples
    --------
    >>> find_decimal(["1,234", "0,5"], source="my.csv")
    ','
    """
    return _decide(_count_signs(cells), source)


@dataclass(frozen=True)
class _Signs:
    """Cells that are a number with one decimal sign only, and one that is two, by their sign."""

    sure: dict[str, list[str]]
    doubtful: dict[str, str]


def _decide(votes: _Signs, source: str, where: Callable[[str], str] = repr) -> str:
    n_comma, n_point = (len(votes.sure.get(sign, ())) for sign in ",.")
    doubtful = votes.doubtful.get(",") or votes.doubtful.get(".", "")
    if n_comma and n_point and doubtful:
        raise DataError(
            f"numbers must have one decimal sign; {source} has {where(votes.sure[','][0])} and "
            f"{where(votes.sure['.'][0])}, so that {doubtful!r} can be read in two ways. {_WAY_OUT}"
        )
    if not votes.sure and "," in votes.doubtful:
        raise DataError(
            f"numbers must be readable in one way; {doubtful!r} in {source} may be "
            f"{doubtful.replace(',', '')} or {doubtful.replace(',', '.')}. {_WAY_OUT}"
        )
    return "," if n_comma > n_point else "."


def _with_place(table: RawTable, cell: str) -> str:
    """Name a cell with its column and row."""
    for name, column in zip(table.names, table.columns, strict=True):
        if isinstance(column, list) and cell in column:
            return f"{cell!r} ({name!r} in {table.places[column.index(cell)]})"
    return repr(cell)  # it had a percent sign


def _count_signs(cells: Iterable[str]) -> _Signs:
    sure: dict[str, list[str]] = {}
    doubtful: dict[str, str] = {}
    for written in cells:
        cell = written.removesuffix("%").rstrip()
        if ("," not in cell and "." not in cell) or cell[-1] in ",.":
            continue
        values = {sign: parse_number(cell, sign) for sign in ",."}
        known = [sign for sign, value in values.items() if value is not None]
        if len(known) == 1:
            sure.setdefault(known[0], []).append(cell)
            if sum(map(len, sure.values())) >= N_NUMBERS_SNIFFED:
                break
        elif len(known) == 2 and values[","] != values["."]:
            doubtful.setdefault("," if "," in cell else ".", cell)
    return _Signs(sure, doubtful)


def _check_groups(cells: Iterable[str], source: str) -> None:
    """Refuse ``1.748`` beside ``299``: where decimals are written to three places, 299 is, too."""
    entries = dict.fromkeys(cells)
    point = next((cell for cell in entries if THREE_PLACES["."].fullmatch(cell)), "")
    whole = next((cell for cell in entries if len(cell) == 3 and _is_count(cell)), "")
    if point and whole:
        raise DataError(
            f"numbers must be readable in one way; {point!r} beside {whole!r} in {source} may be "
            f"{point.replace('.', '')} or {point}. {_WAY_OUT}"
        )


def _is_count(cell: str) -> bool:
    # 999 is often a missing value.
    return cell.isdigit() and cell[0] != "0" and set(cell) != {"9"}
