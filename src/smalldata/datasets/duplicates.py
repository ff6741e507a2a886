"""Makes the names of columns unique: several probes of one gene, two columns of one name.

Step in the line: **files** -> Dataset. Each value is made of its own row alone, so that nothing
of a test row reaches a training row; choosing the probe with the largest mean would look at all.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from smalldata.datasets.assembling import listed
from smalldata.datasets.averaging import plain_numbers
from smalldata.datasets.columns import labels
from smalldata.datasets.detection import NOTHING, Met
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import Cells, RawTable
from smalldata.datasets.text import NUMBER
from smalldata.errors import DataError
from smalldata.findings import Finding


def with_unique_names(
    tables: Mapping[str, RawTable], options: TableOptions, *, decimals: Mapping[str, str]
) -> dict[str, RawTable]:
    """Merge or number the columns that share a name, or refuse them.

    Parameters
    ----------
    tables : mapping of str to RawTable
    options : TableOptions
        Of these ``duplicates``: ``mean`` and ``max`` take that of the values that are there, row by
        row; ``first`` keeps the first column; ``number`` calls the others ``TP53.2``, ``TP53.3``.
    decimals : mapping of str to str
        Decimal sign of each block.

    Returns
    -------
    dict of str to RawTable

    Raises
    ------
    DataError
        If names repeat and nothing says what to do, or if columns of text cannot be merged.
    """
    return {
        block: _unique(table, options, decimal=decimals[block]) for block, table in tables.items()
    }


def _unique(table: RawTable, options: TableOptions, *, decimal: str) -> RawTable:
    counts = Counter(name for name in table.names if name)
    repeated = [name for name, count in counts.items() if count > 1]
    if not repeated:
        return table
    what = f"{len(repeated)} name{'s' * (len(repeated) > 1)} repeat{'s' * (len(repeated) == 1)}"
    evidence = listed(repeated)
    if options.duplicates is None:
        numbers = all(NUMBER.fullmatch(name) for name in counts)
        raise DataError(
            f"column names of {table.source} must be unique; {what}: {evidence}. "
            + (
                "Is the header missing?"
                if numbers
                else "Say what to do: dataset.duplicates=mean or max merges them row by row, first "
                "keeps the first of each, number keeps all."
            ),
            settings={} if numbers else {"duplicates": "mean"},
        )
    role = next((name for name in repeated if name in options.roles.values()), None)
    if role is not None and options.duplicates != "first":
        raise DataError(
            f"the column {role!r} of {table.source} must be there once; it is {counts[role]} "
            "times. Keep the first with dataset.duplicates=first, or rename them in the file."
        )
    if options.duplicates == "number":
        table = replace(table, names=numbered_names(table.names))
        done = "the others were numbered"
    else:
        table = _merged(table, set(repeated), options, decimal=decimal)
        n_columns = sum(counts[name] for name in repeated)
        ways = {"mean": "their mean", "max": "their largest value", "first": "the first of each"}
        done = f"{n_columns} columns became {len(repeated)}, by {ways[options.duplicates]}"
    finding = Finding(code="SD033", what=f"{what} in {table.source} and {done}", evidence=evidence)
    return replace(table, findings=(*table.findings, finding))


def numbered_names(names: Sequence[str]) -> list[str]:
    """Add a number to each name that was there before.

    Examples
    --------
    >>> numbered_names(["a", "b", "a", "a.2", "a"])
    ['a', 'b', 'a.3', 'a.2', 'a.4']
    """
    taken = set(names)
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        own = name
        while name and seen[name] > 1 and own in taken:
            own = f"{name}.{seen[name]}"
            seen[name] += own in taken
        taken.add(own)
        unique.append(own)
    return unique


def _merged(
    table: RawTable, repeated: set[str], options: TableOptions, *, decimal: str
) -> RawTable:
    places: dict[str, list[int]] = {}
    for place, name in enumerate(table.names):
        places.setdefault(name, []).append(place)
    columns: list[Cells] = []
    met = dict(table.met)
    for name, own in places.items():
        cells = [table.columns[place] for place in own]
        if name not in repeated or options.duplicates == "first":
            columns.append(cells[0])
        else:
            merged, taken = _merge(cells, name, table, options, decimal=decimal)
            columns.append(merged)
            if taken is not NOTHING:
                met[name] = taken
    return replace(table, names=list(places), columns=columns, met=met)


def _merge(
    cells: list[Cells], name: str, table: RawTable, options: TableOptions, *, decimal: str
) -> tuple[Cells, Met]:
    """Merge columns of numbers row by row; columns of text only if they hold the same."""
    typed = [plain_numbers(column, options, decimal=decimal) for column in cells]
    values = [np.asarray(column.values) for column in typed if column is not None]
    if len(values) < len(cells):
        texts = [labels(column, decimal=decimal) for column in cells]
        if all(text == texts[0] for text in texts):
            return cells[0], NOTHING
        raise DataError(
            f"columns of one name must be plain numbers to be merged; {name!r} of {table.source} "
            "holds something else. Set dataset.duplicates=first or dataset.duplicates=number."
        )
    stacked = np.vstack(values)
    absent = np.isnan(stacked)
    with np.errstate(invalid="ignore"):
        if options.duplicates == "max":
            merged = np.where(absent, -np.inf, stacked).max(axis=0)
        else:
            merged = np.where(absent, 0.0, stacked).sum(axis=0) / np.maximum(
                (~absent).sum(axis=0), 1
            )
    met = NOTHING
    for column in typed:
        if column is not None and column.met is not NOTHING:
            met += column.met
    return np.where(absent.all(axis=0), np.nan, merged), met
