"""Makes one cell of those of rows that are one sample.

Step in the line: **files** -> Dataset. Each value is made of its own rows alone.
"""

from collections import Counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.datasets.columns import TypedColumn, type_column
from smalldata.datasets.detection import NOTHING, Met
from smalldata.datasets.options import TableOptions
from smalldata.datasets.raw import Cells, take_cells
from smalldata.datasets.target import missing_rows


def average(
    cells: Cells,
    codes: NDArray[np.intp],
    n_samples: int,
    options: TableOptions,
    *,
    decimal: str = ".",
    words: bool = False,
) -> tuple[Cells, Met] | None:
    """Make one cell per sample of those of its rows.

    Of numbers the mean of those that are there; of categories the most frequent one, of several as
    frequent ones the first in the file. A column is numeric only if all of it is plain numbers: a
    mean that leaves out ``<LOD`` would be too high. What else holds numbers (codes of groups, cells
    with flags) must be the same in the rows of a sample, apart from missing ones.

    Parameters
    ----------
    cells : list of str or ndarray of float64
    codes : ndarray of shape (n_rows,)
        Sample of each row.
    n_samples : int
    options : TableOptions
        Of these ``missing``, ``strip_flags`` and ``zeros``.
    decimal : str
    words : bool
        The cells are classes or names, even if they are numbers.

    Returns
    -------
    cells : list of str or ndarray of float64
    met : Met
        What the options did with the cells that were averaged.

    None if rows of a sample differ in an entry that is no number.

    Examples
    --------
    >>> options = TableOptions()
    >>> average(["1", "2", "NA", "5"], np.array([0, 0, 1, 1]), 2, options)[0]
    array([1.5, 5. ])
    >>> average(["a", "", "b", "b"], np.array([0, 0, 1, 1]), 2, options)[0]
    ['a', 'b']
    >>> average(["b", "a", "a", "b", "b"], np.array([0, 0, 0, 1, 1]), 2, options)[0]
    ['a', 'b']
    >>> average(["1", "<LOD"], np.array([0, 0]), 1, options)
    """
    typed = None if words else plain_numbers(cells, options, decimal=decimal)
    if typed is not None and not typed.is_boolean:
        return _means(np.asarray(typed.values), codes, n_samples), typed.met
    absent = missing_rows(cells, options.marks, decimal=decimal)
    shared = _shared(cells, codes, n_samples, absent)
    if shared is None and isinstance(cells, list) and not words and _are_categories(cells):
        shared = _most_frequent(cells, codes, n_samples, absent)
    return None if shared is None else (shared, NOTHING)


def average_in_parts(
    cells: Cells,
    parts: NDArray[np.intp],
    codes: NDArray[np.intp],
    n_samples: int,
    options: TableOptions,
    *,
    decimal: str = ".",
) -> tuple[Cells, list[Met]] | None:
    """Average as `average`, each part of the rows being a feature of its own, as in long form.

    The second thing is what the options did in each part.
    """
    values = np.empty(len(parts))
    mets = []
    for rows in np.split(np.argsort(parts, kind="stable"), np.cumsum(np.bincount(parts))[:-1]):
        typed = plain_numbers(take_cells(cells, rows), options, decimal=decimal)
        if typed is None or typed.is_boolean:
            done = average(cells, codes, n_samples, options, decimal=decimal)
            return None if done is None else (done[0], [])
        values[rows] = typed.values
        mets.append(typed.met)
    return _means(values, codes, n_samples), mets


def plain_numbers(cells: Cells, options: TableOptions, *, decimal: str = ".") -> TypedColumn | None:
    """Type a column that is to be averaged, with all that the options say about its cells.

    Returns
    -------
    TypedColumn or None
        None unless all of it is plain numbers.
    """
    typed = type_column(
        cells,
        decimal=decimal,
        missing=options.marks,
        strip_flags=options.strip_flags,
        zeros_missing=options.zeros == "missing",
        gather=True,
    )
    met = typed.met
    if met.below or met.above or met.unsettled or not isinstance(typed.values, np.ndarray):
        return None
    return typed


def _are_categories(cells: list[str]) -> bool:
    """Whether a column holds words only: no cell is a number or stands for one."""
    return not any(any(letter.isdigit() for letter in cell) for cell in cells) and not (
        type_column(cells, gather=True).met.below
    )


def _most_frequent(
    cells: list[str], codes: NDArray[np.intp], n_samples: int, absent: NDArray[np.bool_]
) -> list[str]:
    counts: list[Counter[str]] = [Counter() for _ in range(n_samples)]
    for row in np.flatnonzero(~absent):
        counts[codes[row]][cells[row]] += 1
    return [count.most_common(1)[0][0] if count else "" for count in counts]


def _means(
    values: NDArray[np.float64], codes: NDArray[np.intp], n_samples: int
) -> NDArray[np.float64]:
    present = ~np.isnan(values)
    counts = np.bincount(codes[present], minlength=n_samples)
    sums = np.bincount(codes[present], weights=values[present], minlength=n_samples)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _shared(
    cells: Cells, codes: NDArray[np.intp], n_samples: int, absent: NDArray[np.bool_]
) -> Cells | None:
    """Give each sample its entry, or None if one has several."""
    entries = np.array(cells, dtype=object) if isinstance(cells, list) else cells
    levels = np.where(absent, -1, pd.factorize(entries)[0])
    present = np.flatnonzero(levels >= 0)
    # The last to be written is the first row; a sample without an entry keeps its first row.
    rows = np.zeros(n_samples, dtype=np.intp)
    rows[codes[::-1]] = np.arange(len(codes))[::-1]
    rows[codes[present][::-1]] = present[::-1]
    if (levels[rows][codes[present]] != levels[present]).any():
        return None
    return take_cells(cells, rows)
