"""Spreads a table with one row per measurement: one row per sample, one column per name.

Step in the line: **files** -> Dataset. Such a table is recognised by its structure, and spread only
where the user says by which columns.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.datasets.assembling import listed, nearest, several
from smalldata.datasets.averaging import average_in_parts
from smalldata.datasets.columns import labels
from smalldata.datasets.commands import command
from smalldata.datasets.detection import NOTHING, Met
from smalldata.datasets.naming import plain_name, words_of
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import Cells, RawTable, with_id
from smalldata.datasets.sheets import left_out_finding
from smalldata.datasets.units import is_number
from smalldata.datasets.vocabulary import (
    ID_NAMES,
    LONG_CODES,
    LONG_NAMES,
    LONG_NO_VALUES,
    LONG_VALUES,
    MISSING_NUMBER,
    NO_ID_WORDS,
)
from smalldata.errors import ConfigError, DataError
from smalldata.findings import Finding
from smalldata.task import Dropped

Codes = NDArray[np.intp]
MIN_NAMES = 2
MIN_SAMPLES = 3
MIN_FILLED = 0.5
"""Share of the combinations of sample and name that must be there."""
MIN_KNOWN_FILLED = 0.1
"""The same where the names of both columns are usual ones."""
MAX_REPEATED = 3.0
"""Rows of one sample and name, on average, of which it is still said that they repeat."""
MIN_NUMBERS = 0.5
"""Share of numbers in a column of values, the others being marks."""
N_PROBED = 200_000
"""Rows that recognising looks at."""


@dataclass(frozen=True, kw_only=True)
class _Shape:
    """What the columns of a table with one row per measurement are."""

    id: str
    name: str
    values: tuple[str, ...]
    n_samples: int
    n_names: int
    n_repeated: int


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
                raise DataError(_refusal(table, shape, options), settings={"long": long})
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


def recognise(table: RawTable, options: TableOptions, *, decimal: str = ".") -> _Shape | None:
    """Tell whether a table has one row per measurement, and by which columns.

    Its ids repeat, and so do its names, a column of text; together they are a grid that is mostly
    filled, nearly each of its cells by one row; and a column of numbers differs within the ids and
    within the names. Tables whose format said what they are, and those with the target per row, are
    none; nor is a column of names one that the user calls a category.

    Parameters
    ----------
    table : RawTable
    options : TableOptions
    decimal : str

    Returns
    -------
    _Shape or None
    """
    if table.taken_for:
        return None
    if table.n_rows < MIN_NAMES * MIN_SAMPLES or len(table.names) > 200 or len(table.names) < 3:
        return None
    n_rows = min(table.n_rows, N_PROBED)
    texts = {}
    for name, cells in zip(table.names, table.columns, strict=True):
        probe = cells[:n_rows]
        # A number with decimals names something only below such a name: m/z.
        is_name = isinstance(probe, list) or _names_features(name)
        if is_name or bool(np.all(np.isfinite(probe) & (probe == np.floor(probe)))):
            texts[name] = pd.factorize(np.array(labels(probe, decimal=decimal), dtype=object))
    target = options.roles.get("target", "")
    apart = {"", target, *several(options.drop), *several(options.categorical)}
    candidates = [
        name
        for name, (_, levels) in texts.items()
        if name not in apart and MIN_NAMES <= len(levels) <= n_rows / MIN_NAMES
    ]
    found = [
        (score, place, shape)
        for place, (id_name, name) in enumerate(
            (a, b) for a in candidates for b in candidates if a != b
        )
        if (shape := _fits(table, id_name, name, texts, target, n_rows)) is not None
        and (score := _score(table, shape, options)) is not None
    ]
    if not found:
        return None
    best = min(found, key=lambda entry: (-entry[0], entry[1]))[2]
    return best if n_rows == table.n_rows else _counted(table, best, decimal=decimal)


def _counted(table: RawTable, shape: _Shape, *, decimal: str) -> _Shape:
    """Count in all rows what was recognised by the first ones."""
    ids, names = (
        pd.factorize(
            np.array(labels(table.columns[table.names.index(key)], decimal=decimal), dtype=object)
        )
        for key in (shape.id, shape.name)
    )
    pairs = ids[0].astype(np.int64) * len(names[1]) + names[0]
    return replace(
        shape,
        n_samples=len(ids[1]),
        n_names=len(names[1]),
        n_repeated=table.n_rows - len(np.unique(pairs)),
    )


def _fits(
    table: RawTable,
    id_name: str,
    name: str,
    texts: Mapping[str, tuple[Codes, NDArray[Any]]],
    target: str,
    n_rows: int,
) -> _Shape | None:
    ids, id_levels = texts[id_name]
    names, name_levels = texts[name]
    n_ids, n_names = len(id_levels), len(name_levels)
    known_id, known_name = plain_name(id_name) in ID_NAMES, _names_features(name)
    if n_ids < MIN_SAMPLES or n_names < MIN_NAMES:
        return None
    # A run or an organ is a sample only with a label of its own for each.
    is_labelled = known_name and target in texts and target != id_name
    if not known_id and not is_labelled and NO_ID_WORDS.intersection(words_of(id_name)):
        return None
    if not known_name and (_are_numbers(name_levels) or NO_ID_WORDS.intersection(words_of(name))):
        return None
    pairs = ids.astype(np.int64) * n_names + names
    n_pairs = len(np.unique(pairs))
    # A grid that chance could fill like this has several rows in many of its cells.
    filled = MIN_KNOWN_FILLED if known_id and known_name else MIN_FILLED
    if n_pairs < filled * n_ids * n_names or n_rows > MAX_REPEATED * n_pairs:
        return None
    is_strict = n_rows <= 1.1 * n_pairs
    if not is_strict and not known_name:
        return None
    if target in texts and target not in (id_name, name):
        labelled = texts[target][0].astype(np.int64)
        # A target that differs within a sample is measured with each row.
        if len(np.unique(ids.astype(np.int64) * (labelled.max() + 1) + labelled)) > n_ids:
            return None
    elif target in table.names:
        return None
    values = tuple(
        column
        for column, cells in zip(table.names, table.columns, strict=True)
        if column not in ("", id_name, name, target)
        and _is_measured(column, cells[:n_rows], ids, names)
    )
    if not values:
        return None
    return _Shape(
        id=id_name,
        name=name,
        values=_ranked(values),
        n_samples=n_ids,
        n_names=n_names,
        n_repeated=n_rows - n_pairs,
    )


def _score(table: RawTable, shape: _Shape, options: TableOptions) -> float | None:
    """How sure the roles of the columns are; None: a wide table with two factors."""
    known_id, known_name = plain_name(shape.id) in ID_NAMES, _names_features(shape.name)
    known_value = any(plain_name(value) in LONG_VALUES for value in shape.values)
    others = [name for name in table.names if name not in (shape.id, shape.name, *shape.values)]
    # Several measured columns beside two factors are features of a wide table.
    if len(shape.values) > 1 and known_id + known_name + known_value < 2:
        return None
    # Where the rows have names of their own, they are samples.
    if not (known_id and known_name) and _has_row_names(table):
        return None
    if len(shape.values) > 6 and not (known_name and known_value):
        return None
    # Rows that the user says are replicates, or grouped by these ids, are samples.
    if not known_name and (options.replicates is not None or options.groups == shape.id):
        return None
    is_known = known_id or known_name or (known_value and shape.n_samples >= shape.n_names)
    is_plain = not shape.n_repeated and len(shape.values) == 1
    if not is_known and not (is_plain and shape.n_names >= 3 and shape.n_samples >= 8):
        return None
    named_id = options.id == shape.id
    is_word = plain_name(shape.name) in LONG_NAMES  # rather than a code
    return 4 * named_id + 2 * known_id + 2 * known_name + is_word + known_value - 0.01 * len(others)


def _has_row_names(table: RawTable) -> bool:
    """Whether the first column is text that is all different."""
    first = table.columns[0]
    return (
        isinstance(first, list)
        and len(set(first)) == len(first)
        and not all(cell.isdigit() for cell in first)
    )


def _is_measured(column: str, cells: Cells, ids: Codes, names: Codes) -> bool:
    """Whether a column holds numbers that are constant neither within ids nor within names."""
    if plain_name(column) in LONG_NO_VALUES:
        return False
    if isinstance(cells, list):
        some = cells[:: max(1, len(cells) // 500)]
        present = [cell for cell in some if cell.lower() not in MISSING_NUMBER]
        numbers = sum(is_number(cell) or _is_below(cell) for cell in present)
        if not present or numbers < MIN_NUMBERS * len(present):
            return False
    codes = pd.factorize(np.array(cells, dtype=object) if isinstance(cells, list) else cells)[0]
    return not (_is_constant(codes, ids) or _is_constant(codes, names))


def _is_constant(codes: Codes, within: Codes) -> bool:
    """Whether codes are the same in all rows of a level; missing ones (-1) count as any."""
    present = codes >= 0
    if not present.any():
        return True
    frame = pd.DataFrame({"codes": codes[present], "within": within[present]})
    return not bool((frame.groupby("within")["codes"].nunique() > 1).any())


def _ranked(values: Sequence[str]) -> tuple[str, ...]:
    """Columns of values, those with a usual name first, in the order of the vocabulary."""
    usual = {name: place for place, name in enumerate(LONG_VALUES)}
    return tuple(sorted(values, key=lambda value: usual.get(plain_name(value), len(usual))))


def _refusal(table: RawTable, shape: _Shape, options: TableOptions) -> str:
    best = shape.values[0]
    usual = plain_name(best) in LONG_VALUES
    plain = command("long", {"id": shape.id, "name": shape.name, "value": best})
    others = list(shape.values[1:])
    if usual and len(others) > 1 and not any(plain_name(value) in LONG_VALUES for value in others):
        others = others[:3]
    said = f"spread it with {plain}"
    if others:
        said += f" (or value: {' or '.join(others[:3])})"
    if shape.n_repeated:
        said += (
            f"; {shape.n_repeated} row{'s' * (shape.n_repeated > 1)} "
            f"repeat{'s' * (shape.n_repeated == 1)} a sample and a name, so say also "
            f"{command('replicates', 'mean')} or {command('replicates', 'first')}"
        )
    return (
        f"a row must be a sample; {table.source} is in long form, one row per measurement: "
        f"{shape.n_samples} values of {shape.id!r} times {shape.n_names} of {shape.name!r}. If so, "
        f"{said}; if each row is a sample after all, say "
        f"{command('categorical', [shape.name])}."
    )


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
        elif _is_constant(codes, ids):
            kept[name] = cells
        elif _is_constant(codes, names):
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


def _is_below(cell: str) -> bool:
    return cell[:1] in "<>" and is_number(cell[1:].lstrip("= "))


def _names_features(name: str) -> bool:
    """Whether a column has a usual name of what was measured, or of its code."""
    return plain_name(name) in LONG_NAMES | LONG_CODES


def _are_numbers(levels: NDArray[Any]) -> bool:
    return all(str(level).replace(".", "", 1).isdigit() for level in levels[:50])
