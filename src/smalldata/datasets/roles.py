"""Finds the column of each role (target, groups, batch, folds) in a joined table.

Step in the line: **files** -> Dataset.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets.assembling import listed, nearest
from smalldata.datasets.columns import labels
from smalldata.datasets.joining import Column, JoinedTable
from smalldata.datasets.raw import RawTable, take_rows
from smalldata.datasets.target import missing_rows
from smalldata.errors import ConfigError, DataError


def role_column(
    joined: JoinedTable, name: str, *, role: str, tables: Mapping[str, RawTable]
) -> Column:
    """Find the column of a role; one that is equal in several files counts once."""
    found = [column for column in joined.columns if name in (column.name, column.own_name)]
    if not found:
        known = known_columns(joined, tables)
        source = ", ".join(dict.fromkeys(table.source for table in tables.values()))
        if name == joined.id_name:
            raise ConfigError(
                f"{role} must be a column of {source}; {name!r} holds the sample ids."
            )
        hint = nearest(name, known)
        if not known:
            hint = f"; it has no column beside the ids ({joined.id_name!r})."
        elif hint == "." and all(re.fullmatch(r"[-+.,\deE]+", column) for column in known):
            hint = f"; the names are numbers ({listed(known)}). Is the header missing?"
        elif hint == ".":
            hint = f"; the columns are {listed(known)}."
        raise ConfigError(f"{role} must be a column of {source}; there is no column {name!r}{hint}")
    first = labels(found[0].cells, decimal=found[0].decimal)
    for other in found[1:]:
        if labels(other.cells, decimal=other.decimal) != first:
            raise DataError(
                f"a column in several files must hold the same in all; {name!r} does not. "
                f"Name one: dataset.{role}={found[0].name} or {other.name}."
            )
    return found[0]


def known_columns(joined: JoinedTable, tables: Mapping[str, RawTable]) -> list[str]:
    """Names of the columns for a sentence: those that describe the samples first."""

    def is_data(column: Column) -> bool:
        return not (column.about_samples or tables[column.file].is_sheet)

    return [column.name for column in sorted(joined.columns, key=is_data)]


def role_labels(
    joined: JoinedTable, column: Column, role: str, missing: Collection[str] = ()
) -> list[str]:
    """Entries of groups, batch or folds, all present."""
    absent = np.flatnonzero(missing_rows(column.cells, missing, decimal=column.decimal))
    if len(absent):
        raise DataError(
            f"{role} must be known for every row; {column.name!r} is missing in "
            f"{where(joined, int(absent[0]))} ({len(absent)} in all)."
        )
    return labels(column.cells, decimal=column.decimal)


def without_rows(joined: JoinedTable, absent: NDArray[np.bool_]) -> JoinedTable:
    """Leave out the rows without a target."""
    rows = np.flatnonzero(~absent)
    return replace(
        joined,
        columns=[
            replace(column, cells=cells)
            for column, cells in zip(
                joined.columns,
                take_rows([column.cells for column in joined.columns], rows),
                strict=True,
            )
        ],
        sample_ids=[joined.sample_ids[row] for row in rows],
        places=[joined.places[row] for row in rows],
    )


def where(joined: JoinedTable, row: int) -> str:
    """Name a row by its place in the file and its sample id."""
    place = joined.places[row]
    sample = joined.sample_ids[row]
    return place if not joined.id_name or sample in place else f"{place} (sample {sample})"
