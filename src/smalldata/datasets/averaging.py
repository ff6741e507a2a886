"""Makes one cell of those of rows that are one sample.

Step in the line: **files** -> Dataset. Each value is made of its own rows alone.
"""

from collections import Counter
from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.datasets.columns import text_markers, type_column
from smalldata.datasets.raw import Cells, take_cells


def average(
    cells: Cells,
    codes: NDArray[np.intp],
    n_samples: int,
    *,
    decimal: str = ".",
    missing: Collection[str] = (),
    words: bool = False,
) -> Cells | None:
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
    decimal : str
    missing : collection of str
        Further markers of a missing value.
    words : bool
        The cells are classes or names, even if they are numbers.

    Returns
    -------
    list of str, ndarray of float64 or None
        None if rows of a sample differ in an entry that is no number.

    Examples
    --------
    >>> average(["1", "2", "NA", "5"], np.array([0, 0, 1, 1]), 2)
    array([1.5, 5. ])
    >>> average(["a", "", "b", "b"], np.array([0, 0, 1, 1]), 2)
    ['a', 'b']
    >>> average(["b", "a", "a", "b", "b"], np.array([0, 0, 0, 1, 1]), 2)
    ['a', 'b']
    >>> average(["1", "<LOD"], np.array([0, 0]), 1)
    """
    numbers = None if words else _numbers(cells, decimal=decimal, missing=missing)
    if numbers is not None:
        return _means(numbers, codes, n_samples)
    shared = _shared(cells, codes, n_samples, missing)
    if shared is None and isinstance(cells, list) and not words and _are_categories(cells):
        return _most_frequent(cells, codes, n_samples, missing)
    return shared


def _are_categories(cells: list[str]) -> bool:
    """Whether a column holds words only: no cell is a number or stands for one."""
    return not any(any(letter.isdigit() for letter in cell) for cell in cells) and not (
        type_column(cells, gather=True).met.below
    )


def _most_frequent(
    cells: list[str], codes: NDArray[np.intp], n_samples: int, missing: Collection[str]
) -> list[str]:
    marks = text_markers(cells).union(entry.lower() for entry in missing)
    counts: list[Counter[str]] = [Counter() for _ in range(n_samples)]
    for cell, code in zip(cells, codes, strict=True):
        if cell.lower() not in marks:
            counts[code][cell] += 1
    return [count.most_common(1)[0][0] if count else "" for count in counts]


def _numbers(cells: Cells, *, decimal: str, missing: Collection[str]) -> NDArray[np.float64] | None:
    typed = type_column(cells, decimal=decimal, missing=missing, gather=True)
    met = typed.met
    plain = not (met.below or met.above or met.unsettled or met.flags or typed.is_boolean)
    return typed.values if plain and isinstance(typed.values, np.ndarray) else None


def _means(
    values: NDArray[np.float64], codes: NDArray[np.intp], n_samples: int
) -> NDArray[np.float64]:
    present = ~np.isnan(values)
    counts = np.bincount(codes[present], minlength=n_samples)
    sums = np.bincount(codes[present], weights=values[present], minlength=n_samples)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _shared(
    cells: Cells, codes: NDArray[np.intp], n_samples: int, missing: Collection[str]
) -> Cells | None:
    """Give each sample its entry, or None if one has several."""
    entries = np.array(cells, dtype=object) if isinstance(cells, list) else cells
    levels = pd.factorize(entries)[0]
    if isinstance(cells, list):
        marks = text_markers(cells).union(entry.lower() for entry in missing)
        absent = np.array([cell.lower() in marks for cell in cells], dtype=bool)
        levels = np.where(absent, -1, levels)
    present = np.flatnonzero(levels >= 0)
    # The last to be written is the first row; a sample without an entry keeps its first row.
    rows = np.zeros(n_samples, dtype=np.intp)
    rows[codes[::-1]] = np.arange(len(codes))[::-1]
    rows[codes[present][::-1]] = present[::-1]
    if (levels[rows][codes[present]] != levels[present]).any():
        return None
    return take_cells(cells, rows)
