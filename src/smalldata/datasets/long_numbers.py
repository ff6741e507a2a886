"""Finds a long form whose names are numbers: one row for each sample and wavelength.

Step in the line: **files** -> Dataset. Such a table looks like repeated samples; it is never spread
without a word of the user, for numbers beside the ids may be visits too.
"""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets.columns import type_column
from smalldata.datasets.raw import RawTable

FEWEST_NAMES = 3
"""Different numbers that name a measurement: two are rather a visit before and one after."""


def names_and_values(
    table: RawTable, codes: NDArray[np.intp], *, apart: Collection[str | None], decimal: str
) -> tuple[str, str] | None:
    """Find the column of numbers that is the same in every sample, and that of their values.

    Parameters
    ----------
    table : RawTable
    codes : ndarray of shape (n_rows,)
        The sample of each row.
    apart : collection of str
        Columns of ids and of roles.
    decimal : str

    Returns
    -------
    tuple of str and str, or None
        None where samples have different numbers of rows, or more is measured than one value.
    """
    counts = np.bincount(codes)
    if len(set(counts.tolist())) > 1 or counts[0] < FEWEST_NAMES:
        return None
    order = np.argsort(codes, kind="stable")
    grids, others = [], []
    for name, cells in zip(table.names, table.columns, strict=True):
        if name in apart:
            continue
        typed = type_column(cells, decimal=decimal, gather=True, name=name)
        if not isinstance(typed.values, np.ndarray):
            continue
        rows = np.sort(typed.values[order].reshape(len(counts), -1), axis=1)
        if (rows == rows[0]).all() and (np.diff(rows[0]) > 0).all():
            grids.append(name)
        elif (rows[:, 0] != rows[:, -1]).any():
            others.append(name)
        if len(others) > 1:
            return None
    return (grids[0], others[0]) if len(grids) == len(others) == 1 else None
