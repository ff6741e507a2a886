"""Joins the files of one table on their sample ids.

Step in the line: **files** -> Dataset. One row per sample, the columns of all blocks side by side.
A single file passes through the same door.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from smalldata.datasets.assembling import listed, nearest, several
from smalldata.datasets.columns import labels, parse_number
from smalldata.datasets.commands import command
from smalldata.datasets.naming import places_of, plain_name, words_of
from smalldata.datasets.options import TableOptions
from smalldata.datasets.overlap import (
    N_REPEATS,
    column_of_ids,
    find_overlap,
    loose_column,
    repeating_ids,
)
from smalldata.datasets.raw import Cells, RawTable, take_rows
from smalldata.datasets.vocabulary import ID_NAMES, MISSING_TEXT, NO_ID_WORDS
from smalldata.errors import ConfigError, DataError
from smalldata.findings import Finding

SINGLE_BLOCK = "features"
# Number and code end names of features, too.
_ENDS_OF_IDS = ("id", "ids", "nr", "nummer", "numero")
_NUMBERS = ("number", "no", "nr", "num", "nummer", "numero")
MIN_REPEATED = 5
"""Different ids in a first column that repeats."""


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
    file : str
        The block of its file, which may hold several blocks.
    about_samples : bool
        It stood above the header and describes the samples: a feature only if asked for.
    """

    name: str
    own_name: str
    block: str
    cells: Cells
    decimal: str = "."
    file: str = ""
    about_samples: bool = False


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
    findings : tuple of Finding
        Those of the files, and samples that were not in every file.
    id_columns : dict of str to str
        Column of the ids of each block, where it has a name.
    """

    columns: list[Column]
    sample_ids: list[str]
    id_name: str
    places: list[str]
    findings: tuple[Finding, ...] = ()
    id_columns: dict[str, str] = field(default_factory=dict)


def infer_id(table: RawTable, *, decimal: str = ".", taken: Sequence[str] = ()) -> int | None:
    """Position of the column that holds the sample ids.

    In this order: a first column without a name; the one that is known, as by the format; the first
    column with a usual name (id, sample, patient, barcode …) whose entries are all different text
    or whole numbers (a first one may hold 1.1, 1.2 and 2.1, too); a first column of text whose
    entries are all different; a column with a usual name that has ids of most rows, which is then
    refused; else ids that repeat, see `repeated_id`.

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
    if table.settings.get("id") in table.names:
        return table.names.index(table.settings["id"])
    candidates = places_of(table.names, ID_NAMES)
    if 0 not in candidates and _numbers_rows(table.names[0]):
        candidates = [0, *candidates]
    for place in candidates:
        name = table.names[place]
        if name not in taken and _names_rows(table.columns[place], decimal, whole=place > 0):
            return place
    first = table.columns[0]
    is_text = isinstance(first, list) and not _has_number(first, decimal)
    if table.names[0] not in taken and is_text and _names_rows(first, decimal):
        return 0
    for place in candidates:
        if table.names[place] not in taken and _has_gaps(table.columns[place], decimal):
            return place
    return repeated_id(table, decimal=decimal, taken=taken)


def repeated_id(table: RawTable, *, decimal: str = ".", taken: Sequence[str] = ()) -> int | None:
    """Position of a column of ids that repeat: nothing else names the rows.

    The first column with a usual name that `recurs`, of the first one also another name that ends
    in id or nr, or in number where most of its whole numbers recur a few times; else a first column
    of text, none of whose words say what it is instead (batch, week, country …), with at least
    `MIN_REPEATED` values: a sixth of the rows where nearly all hold digits, as ids do, and two
    fifths where they are words.

    Parameters
    ----------
    table : RawTable
    decimal : str
    taken : sequence of str

    Returns
    -------
    int or None
    """
    for place in places_of(table.names, ID_NAMES):
        name = table.names[place]
        if name not in taken and recurs(name, table.columns[place], decimal=decimal):
            return place
    cells, name = table.columns[0], table.names[0]
    if name not in taken and _numbers_persons(name, cells, decimal=decimal):
        return 0
    if name not in taken and _numbers_rows(name) and _n_recurring(cells, decimal=decimal):
        return 0
    if name in taken or not isinstance(cells, list) or _has_number(cells, decimal):
        return None
    distinct = set(cells)
    if NO_ID_WORDS.intersection(words_of(name)) or not _are_names(cells, decimal):
        return None
    with_digits = sum(any(letter.isdigit() for letter in cell) for cell in distinct)
    share = 1 / 6 if with_digits >= 0.9 * len(distinct) else 2 / 5
    return 0 if len(distinct) >= max(MIN_REPEATED, share * len(cells)) else None


def recurs(name: str, cells: Cells, *, decimal: str = ".") -> int:
    """Count the different ids of a column with a usual name of ids that repeat; 0: it is none.

    Few values (two, or a twentieth of the rows) are a group of samples (patient: yes or no).
    """
    return _n_recurring(cells, decimal=decimal) if plain_name(name) in ID_NAMES else 0


def _n_recurring(cells: Cells, *, decimal: str) -> int:
    n_distinct = len(set(labels(cells, decimal=decimal)))
    repeats = max(2, len(cells) / 20) < n_distinct < len(cells)
    return n_distinct if repeats and _are_names(cells, decimal) else 0


def _has_gaps(cells: Cells, decimal: str) -> bool:
    """Whether a column holds ids of most rows, but not of all: it is refused, not a feature."""
    known = [entry for entry in labels(cells, decimal=decimal) if not is_gap(entry)]
    if not len(cells) / 2 < len(known) < len(cells):
        return False
    return _names_rows(known, decimal) or _n_recurring(known, decimal=decimal) > 0


def _dropped_with_gaps(table: RawTable, options: TableOptions, decimal: str) -> list[str]:
    """Give the columns with gaps that the user drops: they need no ids in their gaps."""
    places = {
        name: table.names.index(name) for name in several(options.drop) if name in table.names
    }
    return [
        name
        for name, place in places.items()
        if any(map(is_gap, labels(table.columns[place], decimal=decimal)))
    ]


def is_gap(entry: str) -> bool:
    """Whether an id is missing."""
    return entry.lower() in MISSING_TEXT


def _numbers_rows(name: str) -> bool:
    """Whether a name ends as that of ids does, and no word says what it is instead: Hund-Nr."""
    words = words_of(name)
    return len(words) > 1 and words[-1] in _ENDS_OF_IDS and not NO_ID_WORDS.intersection(words)


def _numbers_persons(name: str, cells: Cells, *, decimal: str) -> bool:
    """Whether a first column numbers what recurs, mostly a few times each: Hospital number.

    Words such as batch or visit say what else it numbers; a hospital has no number of its own.
    """
    words = words_of(name)
    if not words or words[-1] not in _NUMBERS or not (NO_ID_WORDS - {"hospital"}).isdisjoint(words):
        return False
    if not _n_recurring(cells, decimal=decimal):
        return False
    entries = labels(cells, decimal=decimal)
    counts = Counter(entries).values()
    n_paired = sum(count for count in counts if count > 1)
    return (
        all(map(str.isdigit, entries))
        and 2 * n_paired > len(entries)
        and len(entries) <= N_REPEATS * len(counts)
    )


def _has_number(cells: Sequence[str], decimal: str) -> bool:
    # A number with the other decimal sign is refused where the columns are typed, not an id.
    signs = (decimal, "." if decimal == "," else ",")
    return any(_finite(cell, sign) is not None for cell in cells for sign in signs)


def _names_rows(cells: Cells, decimal: str, *, whole: bool = True) -> bool:
    """All different, none missing, text or whole numbers."""
    n_distinct = len(set(cells)) if isinstance(cells, list) else len(np.unique(cells))
    return n_distinct == len(cells) and _are_names(cells, decimal, whole=whole)


def _are_names(cells: Cells, decimal: str, *, whole: bool = True) -> bool:
    """None missing, text or whole numbers, or any numbers."""
    if not isinstance(cells, list):
        are_whole = not whole or np.all(cells == np.floor(cells))
        return bool(np.all(np.isfinite(cells)) and are_whole)
    if any(map(is_gap, cells)):
        return False
    if not whole:
        return True
    numbers = (_finite(cell, decimal) for cell in cells)
    return all(number is None or number.is_integer() for number in numbers)


def _finite(cell: str, decimal: str) -> float | None:
    """Return the number that a cell is, also one in percent; None for text, infinity and NaN."""
    number = parse_number(cell.removesuffix("%").strip(), decimal)
    return number if number is not None and np.isfinite(number) else None


def join(
    tables: Mapping[str, RawTable],
    *,
    options: TableOptions,
    decimals: Mapping[str, str],
) -> JoinedTable:
    """Join files on the sample id.

    Parameters
    ----------
    tables : mapping of str to RawTable
        One per block.
    options : TableOptions
        Of these the id, and how to join.
    decimals : mapping of str to str
        Decimal sign of each block.

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
    id_places, findings = _id_places(tables, options, decimals)
    ids = {
        block: _ids(table, id_places[block], options, decimal=decimals[block])
        for block, table in tables.items()
    }
    first = next(iter(tables))
    common = ids[first]
    findings = [*(finding for table in tables.values() for finding in table.findings), *findings]
    if len(tables) > 1:
        for block, table in tables.items():
            others = [
                ids[other] for other in ids if other != block and id_places[other] is not None
            ]
            own: list[str] | None = ids[block]
            if id_places[block] is None:
                own = repeating_ids(table, others, decimal=decimals[block])
            if own is None:
                raise _none_found(block, table, others, options, decimal=decimals[block])
            _check_joinable(block, table, own)
        overlap = find_overlap(tables, ids, options)
        ids, common = overlap.ids, overlap.common
        findings += overlap.findings
    apart = {block: {id_places[block], *row_numbers(table)} for block, table in tables.items()}
    repeated = Counter(
        name
        for block, table in tables.items()
        for place, name in enumerate(table.names)
        if place not in apart[block]
    )
    columns = []
    for block, table in tables.items():
        position = {entry: row for row, entry in enumerate(ids[block])}
        rows = np.array([position.get(entry, -1) for entry in common], dtype=np.intp)
        is_moved = len(tables) > 1 and not np.array_equal(rows, np.arange(table.n_rows))
        cells = take_rows(table.columns, rows) if is_moved else table.columns
        columns += [
            Column(
                name=name if repeated[name] == 1 else f"{block}:{name}",
                own_name=name,
                block=table.blocks.get(name, block),
                file=block,
                about_samples=name in table.about_samples,
                cells=cells[place],
                decimal=decimals[block],
            )
            for place, name in enumerate(table.names)
            if place not in apart[block]
        ]
    _check_names(columns, tables)
    id_place = id_places[first]
    places = tables[first].places if len(tables) == 1 else [f"sample {entry}" for entry in common]
    return JoinedTable(
        columns=columns,
        sample_ids=common,
        id_name=_id_name(tables[first], id_place),
        places=places,
        findings=tuple(findings),
        id_columns={
            block: tables[block].names[place]
            for block, place in id_places.items()
            if place is not None and tables[block].names[place]
        },
    )


def _check_names(columns: Sequence[Column], tables: Mapping[str, RawTable]) -> None:
    """Refuse a column called ``b:x`` next to a column x of a block b."""
    counts = Counter(column.name for column in columns)
    name, count = counts.most_common(1)[0] if counts else ("", 1)
    if count == 1:
        return
    prefixed = next(c for c in columns if c.name == name and c.own_name != name)
    whole = next(c for c in columns if c.name == name and c is not prefixed)
    raise DataError(
        f"columns of several files must have different names; {name!r} is a column of "
        f"{tables[whole.file].source} and {prefixed.own_name!r} of the block {prefixed.file!r}. "
        "Call this block something else in dataset.path."
    )


def row_numbers(table: RawTable) -> list[int]:
    """Position of a first column without a name that counts the rows: it is no feature.

    R and pandas write it; pandas calls it ``Unnamed: 0`` when it has read it.
    """
    if table.names[0] not in ("", "Unnamed: 0"):
        return []
    entries = labels(table.columns[0])
    counted = [[str(start + row) for row in range(table.n_rows)] for start in (0, 1)]
    return [0] if entries in counted else []


def _id_name(table: RawTable, place: int | None) -> str:
    if place is None:
        return ""
    unnamed = {"transposed": "first row", "DataFrame": "index"}
    usual = next((unnamed[note] for note in table.notes if note in unnamed), "first column")
    return table.names[place] or usual


def _id_places(
    tables: Mapping[str, RawTable], options: TableOptions, decimals: Mapping[str, str]
) -> tuple[dict[str, int | None], list[Finding]]:
    """Find the column of ids of each file: as named, by its own looks, or by the other files."""
    taken = [*options.roles.values(), *several(options.categorical)]
    named = _named_ids(tables, options.id)
    places = {
        block: table.names.index(named[block])
        if block in named
        else infer_id(
            table,
            decimal=decimals[block],
            taken=[*taken, *_dropped_with_gaps(table, options, decimals[block])],
        )
        for block, table in tables.items()
    }
    findings = []
    known = {
        block: labels(tables[block].columns[place], decimal=decimals[block])
        for block, place in places.items()
        if place is not None and len(tables) > 1 and place not in row_numbers(tables[block])
    }
    for block, table in tables.items():
        others = [entries for other, entries in known.items() if other != block]
        place = column_of_ids(table, places[block], others, decimal=decimals[block])
        if block in named or place is None or table.names[place] in taken:
            continue
        places[block] = place
        findings.append(
            Finding(
                code="SD034",
                what=f"the ids of {table.source} were taken from {table.names[place]!r}, which "
                "holds those of another file",
                remedy=f"say otherwise with {command('id', {block: 'COLUMN'})}",
            )
        )
        known[block] = labels(table.columns[place], decimal=decimals[block])
    return places, findings


def without_ids(tables: Mapping[str, RawTable], options: TableOptions) -> list[str]:
    """Give the columns without a role that hold no ids: the user says that they are features.

    Several files need their ids, also if they are dropped later.
    """
    dropped = several(options.drop) if len(tables) == 1 else []
    return [*dropped, *several(options.categorical)]


def _named_ids(
    tables: Mapping[str, RawTable], id: str | Mapping[str, str] | None
) -> dict[str, str]:
    """Give the columns of ids that the user names, by block.

    One name is the column of the files that have it.
    """
    if id is None:
        return {}
    if not isinstance(id, Mapping):
        having = {block: str(id) for block, table in tables.items() if str(id) in table.names}
        asked = {} if having else {next(iter(tables)): str(id)}
    else:
        having = {}
        asked = {str(block): str(column) for block, column in id.items()}
    for block, column in asked.items():
        if block not in tables:
            raise ConfigError(
                f"id must name columns by block; the blocks are {', '.join(tables)}, there is no "
                f"block {block!r}{nearest(block, list(tables))}"
            )
        if column not in tables[block].names:
            raise ConfigError(
                f"id must be a column of {tables[block].source}; there is no column {column!r}"
                f"{nearest(column, tables[block].names)}"
            )
    return having or asked


def _ids(table: RawTable, place: int | None, options: TableOptions, *, decimal: str) -> list[str]:
    if place is None:
        return [str(row) for row in range(1, table.n_rows + 1)]
    ids = labels(table.columns[place], decimal=decimal)
    absent = [row for row, entry in enumerate(ids) if is_gap(entry)]
    if absent:
        name = table.names[place]
        found = repr(ids[absent[0]]) if ids[absent[0]] else "empty"
        is_guess = name and options.id is None
        other = f" If {name!r} holds no ids, leave it out with {command('drop', [name])}."
        raise DataError(
            f"every row must have a sample id; {name or 'the first column'!r} of {table.source} is "
            f"{found} in {table.places[absent[0]]} ({len(absent)} in all)."
            f"{other if is_guess else ''}"
        )
    return ids


def _none_found(
    block: str,
    table: RawTable,
    others: Sequence[Sequence[str]],
    options: TableOptions,
    *,
    decimal: str,
) -> DataError:
    """Say that a file has no ids, and which column agrees loosely with those of another file."""
    told = f"files are joined on sample ids; none were found in {table.source}."
    found = loose_column(table, others, decimal=decimal)
    if found is None:
        return DataError(f"{told} Name their column with {command('id', {block: 'COLUMN'})}.")
    place, sentence = found
    named = {block: table.names[place]}
    if isinstance(options.id, Mapping):
        named |= {str(other): str(column) for other, column in options.id.items()}
    settings = {} if isinstance(options.id, str) else {"id": named, "join_ids": "loose"}
    return DataError(
        f"{told} Those of {table.names[place]!r} may be: {sentence}. If so, say it with "
        f"{command('id', named)} dataset.join_ids=loose.",
        settings=settings,
    )


def _check_joinable(block: str, table: RawTable, ids: list[str]) -> None:
    repeated = [entry for entry, count in Counter(ids).items() if count > 1]
    if repeated:
        raise DataError(
            f"sample ids must be unique in each of several files; {listed(repeated)} occur more "
            f"than once in {table.source}. Make one row of each sample there, or name the column "
            f"that tells the rows apart with {command('id', {block: 'COLUMN'})}."
        )
