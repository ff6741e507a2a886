"""Spreads a table with one row per measurement: one row per sample, one column per name.

Step in the line: **files** -> Dataset. Such a table is recognised by its structure (`long_shape`),
and spread only where the user says by which columns.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from smalldata.datasets.assembling import listed, nearest, several
from smalldata.datasets.averaging import average_in_parts
from smalldata.datasets.columns import labels
from smalldata.datasets.commands import command
from smalldata.datasets.detection import NOTHING, Met
from smalldata.datasets.long_shape import Codes, is_constant_within, recognise, refusal
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import Cells, RawTable, with_id
from smalldata.datasets.sheets import left_out_finding
from smalldata.errors import ConfigError, DataError
from smalldata.findings import Finding
from smalldata.task import Dropped


def spread(
    tables: Mapping[str, RawTable], options: TableOptions, decimals: Mapping[str, str]
) -> dict[str, RawTable]:
    """Spread the tables that have the columns of ``long``; refuse others that look like it.

    Parameters
    ----------
    tables : mapping of str to RawTable
    options : TableOptions
        Of these ``long`` and ``replicates``, and the roles.
    decimals : mapping of str to str
        Decimal sign of each block.

    Returns
    -------
    dict of str to RawTable

    Raises
    ------
    ConfigError
        If ``long`` lacks a key or names a column that is in no table.
    DataError
        If a table has one row per measurement and ``long`` is not given, or a sample has a name
        more than once.
    """
    if options.long is None:
        for block, table in tables.items():
            shape = recognise(table, options, decimal=decimals[block])
            if shape is not None:
                long = {"id": shape.id, "name": shape.name, "value": shape.values[0]}
                raise DataError(refusal(table, shape, options), settings={"long": long})
        return dict(tables)
    asked = {str(key): str(value) for key, value in options.long.items()}
    if set(asked) != {"id", "name", "value"}:
        raise ConfigError(
            "long must name three columns: dataset.long={id: COLUMN, name: COLUMN, value: COLUMN}; "
            f"got {', '.join(asked) or 'none'}."
        )
    done = {
        block: pivot(table, asked, options, decimal=decimals[block])
        for block, table in tables.items()
        if set(asked.values()) <= set(table.names)
    }
    if not done:
        table = max(tables.values(), key=lambda one: len(set(asked.values()) & set(one.names)))
        absent = next(column for column in asked.values() if column not in table.names)
        raise ConfigError(
            f"long must name columns of {table.source}; there is no column {absent!r}"
            f"{nearest(absent, table.names)}"
        )
    return dict(tables) | done


def pivot(
    table: RawTable, columns: Mapping[str, str], options: TableOptions, *, decimal: str = "."
) -> RawTable:
    """Spread one table.

    Columns that are the same in all rows of a sample stay and describe the samples, as those of a
    table of samples do; what belongs to the names or to single measurements is left out, and said.

    Parameters
    ----------
    table : RawTable
    columns : mapping
        Columns of ``id``, ``name`` and ``value``.
    options : TableOptions
    decimal : str

    Returns
    -------
    RawTable

    Raises
    ------
    ConfigError
        If one column is to be two things.
    DataError
        If an id or a name is missing, a sample has a name twice, or a name is that of a column.
    """
    if len(set(columns.values())) < 3:
        raise ConfigError(
            "long must name three different columns; got "
            f"{', '.join(f'{key}: {value}' for key, value in columns.items())}."
        )
    cells = {key: table.columns[table.names.index(name)] for key, name in columns.items()}
    keys = {
        key: np.array(labels(cells[key], decimal=decimal), dtype=object) for key in ("id", "name")
    }
    for key, entries in keys.items():
        absent = np.flatnonzero(entries == "")
        if len(absent):
            raise DataError(
                f"every row in long form must have a sample and a name; {columns[key]!r} of "
                f"{table.source} is empty in {table.places[absent[0]]} ({len(absent)} in all)."
            )
    ids, id_levels = pd.factorize(keys["id"])
    names, name_levels = pd.factorize(keys["name"])
    n_ids, n_names = len(id_levels), len(name_levels)
    pairs = ids.astype(np.int64) * n_names + names
    levels, first, codes = np.unique(pairs, return_index=True, return_inverse=True)
    values = cells["value"]
    if len(levels) < len(pairs):
        values, rows, mets = _settled(values, names, codes, first, table, columns, options, decimal)
    else:
        rows, mets = np.arange(len(pairs)), []
    spread_cells = _grid(values, ids[rows], names[rows], n_ids, n_names)
    wanted = [*options.roles.values(), *several(options.categorical)]
    kept, findings, dropped = _other_columns(table, columns, ids, names, wanted)
    if options.features is None:
        about = [name for name in kept if name not in options.roles.values()]
        findings += left_out_finding(about, f"the long form {table.source}, about its samples")
    clash = [str(name) for name in name_levels if name in kept or name == columns["id"]]
    if clash:
        raise DataError(
            f"names in long form must differ from the columns that stay; {listed(clash)} of "
            f"{columns['name']!r} are columns of {table.source}, too. Rename these columns."
        )
    sample_columns = [_first_present(kept[name], ids, n_ids) for name in kept]
    done = replace(
        table,
        names=[columns["id"], *kept, *map(str, name_levels)],
        columns=[list(map(str, id_levels)), *sample_columns, *spread_cells],
        places=[f"sample {entry}" for entry in id_levels],
        notes=(*table.notes, f"long form, {n_names} names"),
        findings=(*table.findings, *findings),
        dropped=(*table.dropped, *dropped),
        about_samples=tuple(kept),
        units={name: unit for name, unit in table.units.items() if name in kept},
        categories={name: order for name, order in table.categories.items() if name in kept},
        met={
            str(name): met
            for name, met in zip(name_levels, mets, strict=False)
            if met is not NOTHING
        },
    )
    return with_id(done, 0)


def _settled(
    values: Cells,
    names: Codes,
    codes: Codes,
    first: Codes,
    table: RawTable,
    columns: Mapping[str, str],
    options: TableOptions,
    decimal: str,
) -> tuple[Cells, Codes, list[Met]]:
    """One value for each sample and name, as the user asked."""
    if options.replicates == "first":
        taken = values[first] if not isinstance(values, list) else [values[row] for row in first]
        return taken, first, []
    if options.replicates == "mean":
        averaged = average_in_parts(values, names, codes, len(first), options, decimal=decimal)
        if averaged is None:
            raise DataError(
                f"values must be plain numbers to be averaged; {columns['value']!r} of "
                f"{table.source} holds others. Take the first of each with "
                f"{command('replicates', 'first')}."
            )
        return averaged[0], first, averaged[1]
    counts = np.bincount(codes)
    row = int(np.flatnonzero(counts[codes] > 1)[0])
    id_cells = labels(table.columns[table.names.index(columns["id"])], decimal=decimal)
    name_cells = labels(table.columns[table.names.index(columns["name"])], decimal=decimal)
    raise DataError(
        f"a sample must have each name once in long form; {int((counts > 1).sum())} pairs repeat "
        f"in {table.source}, first {id_cells[row]!r} with {name_cells[row]!r} "
        f"({counts[codes[row]]} rows). Average them with {command('replicates', 'mean')}, take the "
        f"first with {command('replicates', 'first')}, or name another column of names."
    )


def _grid(values: Cells, ids: Codes, names: Codes, n_ids: int, n_names: int) -> list[Cells]:
    """One column per name; a sample without the name has a missing value."""
    if not isinstance(values, list):
        numbers = np.full((n_names, n_ids), np.nan)
        numbers[names, ids] = values
        return list(numbers)
    cells = np.full((n_names, n_ids), "", dtype=object)
    cells[names, ids] = values
    return [list(column) for column in cells.tolist()]


def _other_columns(
    table: RawTable,
    columns: Mapping[str, str],
    ids: Codes,
    names: Codes,
    wanted: Collection[str],
) -> tuple[dict[str, Cells], list[Finding], list[Dropped]]:
    """Columns of the samples, and what was left out of the others."""
    kept: dict[str, Cells] = {}
    of_names, of_rows = [], []
    for name, cells in zip(table.names, table.columns, strict=True):
        if name in ("", *columns.values()):  # numbers of the rows say nothing of the samples
            continue
        entries = np.array(cells, dtype=object) if isinstance(cells, list) else cells
        codes = pd.factorize(entries)[0]
        if isinstance(cells, list):
            blank = np.array([not cell for cell in cells], dtype=bool)
            codes = np.where(blank, -1, codes)
        constant = len(np.unique(codes[codes >= 0])) <= 1
        if constant and name not in wanted:  # it tells nothing of the samples
            of_rows.append(name)
        elif is_constant_within(codes, ids):
            kept[name] = cells
        elif is_constant_within(codes, names):
            of_names.append(name)
        else:
            of_rows.append(name)
    told = [
        (of_names, "the same for all samples: it belongs to the names"),
        (of_rows, "it belongs to single measurements, not to the samples"),
    ]
    dropped = [
        Dropped(what="columns", names=tuple(gone), reason=reason) for gone, reason in told if gone
    ]
    gone = [*of_names, *of_rows]
    many = len(gone) > 1
    findings = (
        [
            Finding(
                code="SD003",
                what=f"{len(gone)} column{'s' * many} of the long form belong{'s' * (not many)} to "
                f"names or measurements, not to samples, and {'were' if many else 'was'} left out",
                evidence=listed(gone),
            )
        ]
        if gone
        else []
    )
    return kept, findings, dropped


def _first_present(cells: Cells, ids: Codes, n_ids: int) -> Cells:
    """Give each sample its first cell that is not empty."""
    rows = np.full(n_ids, -1, dtype=np.intp)
    is_there = (
        np.array([bool(cell) for cell in cells]) if isinstance(cells, list) else ~np.isnan(cells)
    )
    for row in np.flatnonzero(is_there)[::-1]:
        rows[ids[row]] = row
    if isinstance(cells, list):
        return [cells[row] if row >= 0 else "" for row in rows]
    return np.where(rows >= 0, cells[rows], np.nan)
