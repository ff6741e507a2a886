"""Joins the files of one table on their sample ids.

Step in the line: **files** -> Dataset. One row per sample, the columns of all blocks side by side.
A single file passes through the same door.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from smalldata.datasets.assembling import listed, nearest
from smalldata.datasets.columns import labels, parse_number
from smalldata.datasets.reading import Cells, RawTable
from smalldata.datasets.vocabulary import ID_NAMES, MISSING_TEXT
from smalldata.errors import ConfigError, DataError

SINGLE_BLOCK = "features"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One untyped column of the joined table.

    Attributes
    ----------
    name : str
        Unique; ``block:name`` where several files have the name.
    own_name : str
        As in its file.
    block : str
    cells : list of str or ndarray of float64
    decimal : str
        Decimal sign of cells that are text.
    """

    name: str
    own_name: str
    block: str
    cells: Cells
    decimal: str = "."


@dataclass(frozen=True, kw_only=True)
class JoinedTable:
    """Columns of all files on common rows.

    Attributes
    ----------
    columns : list of Column
        Without the ids.
    sample_ids : list of str
    id_name : str
        Name of the id column; empty where row numbers serve.
    places : list of str
        Where each row stands in its file.
    warnings : tuple of str
        What the files were read with, and samples that were not in every file.
    """

    columns: list[Column]
    sample_ids: list[str]
    id_name: str
    places: list[str]
    warnings: tuple[str, ...] = ()


def infer_id(table: RawTable, *, decimal: str = ".", taken: Sequence[str] = ()) -> int | None:
    """Position of the column that holds the sample ids.

    In this order: a first column without a name; the first column with a usual name (id, sample,
    patient, barcode …) whose entries are all different text or whole numbers; a first column of
    text whose entries are all different.

    Parameters
    ----------
    table : RawTable
    decimal : str
        Decimal sign of cells that are text.
    taken : sequence of str
        Columns with another role.

    Returns
    -------
    int or None
    """
    if not table.names[0]:
        return 0
    for place, name in enumerate(table.names):
        plain = "".join(letter for letter in name.lower() if letter.isalnum())
        if plain in ID_NAMES and name not in taken and _names_rows(table.columns[place], decimal):
            return place
    first = table.columns[0]
    if table.names[0] in taken or not isinstance(first, list) or not _names_rows(first, decimal):
        return None
    # A number with the other decimal sign is refused where the columns are typed, not an id.
    signs = (decimal, "." if decimal == "," else ",")
    is_number = any(_finite(cell, sign) is not None for cell in first for sign in signs)
    return None if is_number else 0


def _names_rows(cells: Cells, decimal: str) -> bool:
    """All different, none missing, text or whole numbers."""
    if not isinstance(cells, list):
        whole = bool(np.all(np.isfinite(cells)) and np.all(cells == np.floor(cells)))
        return whole and len(np.unique(cells)) == len(cells)
    if len(set(cells)) < len(cells) or any(cell.lower() in MISSING_TEXT for cell in cells):
        return False
    numbers = (_finite(cell, decimal) for cell in cells)
    return all(number is None or number.is_integer() for number in numbers)


def _finite(cell: str, decimal: str) -> float | None:
    """Return the number that a cell is, also one in percent; None for text, infinity and NaN."""
    number = parse_number(cell.removesuffix("%").strip(), decimal)
    return number if number is not None and np.isfinite(number) else None


def join(
    tables: Mapping[str, RawTable],
    *,
    id: str | None,
    how: str,
    decimals: Mapping[str, str],
    taken: Sequence[str] = (),
) -> JoinedTable:
    """Join files on the sample id.

    Parameters
    ----------
    tables : mapping of str to RawTable
        One per block.
    id : str, optional
        Name of the id column; default: inferred in each file.
    how : str
        ``inner``: samples that are in every file; ``outer``: all, with missing values.
    decimals : mapping of str to str
        Decimal sign of each block.
    taken : sequence of str
        Columns with another role, which are no ids.

    Returns
    -------
    JoinedTable

    Raises
    ------
    ConfigError
        If the id column does not exist.
    DataError
        If ids are missing, repeat, or have nothing in common.
    """
    id_places = {
        block: _id_place(table, id, tables, decimal=decimals[block], taken=taken)
        for block, table in tables.items()
    }
    ids = {
        block: _ids(table, id_places[block], decimal=decimals[block])
        for block, table in tables.items()
    }
    first = next(iter(tables))
    common = ids[first]
    warnings = [warning for table in tables.values() for warning in table.warnings]
    if len(tables) > 1:
        for block, table in tables.items():
            _check_joinable(table, ids[block], id_places[block])
        common, left_out = _common_ids(tables, ids, how=how)
        warnings += left_out
    repeated = Counter(
        name
        for block, table in tables.items()
        for place, name in enumerate(table.names)
        if place != id_places[block]
    )
    columns = []
    for block, table in tables.items():
        position = {entry: row for row, entry in enumerate(ids[block])}
        rows = [position.get(entry, -1) for entry in common] if len(tables) > 1 else None
        columns += [
            Column(
                name=name if repeated[name] == 1 else f"{block}:{name}",
                own_name=name,
                block=block,
                cells=table.columns[place] if rows is None else _rows(table.columns[place], rows),
                decimal=decimals[block],
            )
            for place, name in enumerate(table.names)
            if place != id_places[block]
        ]
    id_place = id_places[first]
    places = tables[first].places if len(tables) == 1 else [f"sample {entry}" for entry in common]
    return JoinedTable(
        columns=columns,
        sample_ids=common,
        id_name=_id_name(tables[first], id_place),
        places=places,
        warnings=tuple(warnings),
    )


def _id_name(table: RawTable, place: int | None) -> str:
    if place is None:
        return ""
    unnamed = {"transposed": "first row", "DataFrame": "index"}
    usual = next((unnamed[note] for note in table.notes if note in unnamed), "first column")
    return table.names[place] or usual


def _id_place(
    table: RawTable,
    id: str | None,
    tables: Mapping[str, RawTable],
    *,
    decimal: str,
    taken: Sequence[str],
) -> int | None:
    if id is None:
        return infer_id(table, decimal=decimal, taken=taken)
    if id in table.names:
        return table.names.index(id)
    if any(id in other.names for other in tables.values()):
        return infer_id(table, decimal=decimal, taken=taken)
    raise ConfigError(
        f"id must be a column of {table.source}; there is no column {id!r}"
        f"{nearest(id, table.names)}"
    )


def _ids(table: RawTable, place: int | None, *, decimal: str) -> list[str]:
    if place is None:
        return [str(row) for row in range(1, table.n_rows + 1)]
    ids = labels(table.columns[place], decimal=decimal)
    absent = [row for row, entry in enumerate(ids) if not entry]
    if absent:
        raise DataError(
            f"every row must have a sample id; {table.names[place] or 'the first column'!r} of "
            f"{table.source} is empty in {table.places[absent[0]]} ({len(absent)} in all)."
        )
    return ids


def _check_joinable(table: RawTable, ids: list[str], place: int | None) -> None:
    if place is None:
        raise DataError(
            f"files are joined on sample ids; none were found in {table.source}. Name their column "
            "with dataset.id."
        )
    repeated = [entry for entry, count in Counter(ids).items() if count > 1]
    if repeated:
        raise DataError(
            f"sample ids must be unique in each file; {listed(repeated)} occur more than once in "
            f"{table.source}."
        )


def _common_ids(
    tables: Mapping[str, RawTable], ids: Mapping[str, list[str]], *, how: str
) -> tuple[list[str], list[str]]:
    """Ids of the joined rows in the order of the first file, and what was left out or has gaps."""
    if how not in ("inner", "outer"):
        raise ConfigError(f"join_how must be inner or outer; got {how!r}.")
    everywhere = set.intersection(*map(set, ids.values()))
    anywhere = list(dict.fromkeys(entry for entries in ids.values() for entry in entries))
    if not everywhere:
        examples = ", ".join(f"{table.source} {ids[block][0]!r}" for block, table in tables.items())
        raise DataError(f"the files must share sample ids; they share none ({examples}).")
    warnings = []
    for block, table in tables.items():
        absent = [entry for entry in anywhere if entry not in set(ids[block])]
        if absent:
            outcome = "left out" if how == "inner" else "kept with missing values"
            warnings.append(
                f"{len(absent)} samples are not in {table.source} and were {outcome}: "
                f"{listed(absent)}"
            )
    return (anywhere if how == "outer" else [e for e in anywhere if e in everywhere]), warnings


def _rows(cells: Cells, rows: Sequence[int]) -> Cells:
    """Cells in another order; -1 is a missing one."""
    if isinstance(cells, list):
        return [cells[row] if row >= 0 else "" for row in rows]
    taken = cells[list(rows)]
    taken[np.array(rows) < 0] = np.nan
    return taken
