"""Suspects numbers that stand for a missing value: -999 among concentrations, 99 among scores.

Step in the line: **files** -> Dataset. Nothing is changed: the user says with ``dataset.missing``.
"""

import numpy as np
from numpy.typing import NDArray

from smalldata.datasets.assembling import listed
from smalldata.datasets.commands import command
from smalldata.datasets.side_by_side import Features, parts_of
from smalldata.findings import Finding

LOW = (-9.0, -99.0, -999.0, -9999.0, -99999.0)
"""Suspected where all other values of the column are at least zero."""

HIGH = (99.0, 999.0, 9999.0, 99999.0)
"""Suspected where all other values of the column are far smaller."""

FAR = 10.0
"""How many times smaller the other values are at least."""

FEWEST_CELLS = 2
"""Cells that hold such a number: of a low one in all columns, of a high one in each."""

FEWEST_OTHERS = 5
"""Other values of a column by which it is judged."""


def suspect_sentinels(features: Features) -> list[Finding]:
    """Tell of numbers that look like markers of a missing value.

    Parameters
    ----------
    features : Features

    Returns
    -------
    list of Finding
        One (SD044) a number.

    Examples
    --------
    >>> il6 = np.array([1.5, 2.0, -999.0, 0.5, 3.0, 2.5, -999.0])
    >>> suspect_sentinels(Features.of({"il6": il6}))[0].remedy
    "if it is one, set 'dataset.missing=[-999]'"
    """
    found: dict[float, dict[str, int]] = {}
    for part, values in parts_of(features.matrix):
        low = np.fmin.reduce(values, axis=1)
        high = np.fmax.reduce(values, axis=1)
        for at in np.flatnonzero(np.isin(low, LOW) | np.isin(high, HIGH)):
            for number, n_cells in _sentinels(values[at]).items():
                found.setdefault(number, {})[features.numeric[part.start + at]] = n_cells
    return [
        Finding(
            code="SD044",
            what=f"{number:.0f} in {sum(columns.values())} cells of {len(columns)} "
            f"column{'s' * (len(columns) > 1)}, far from the other values, looks like a marker of "
            "a missing value",
            evidence=listed(list(columns)),
            remedy=f"if it is one, set {command('missing', [f'{number:.0f}'])}",
        )
        for number, columns in found.items()
        if sum(columns.values()) >= FEWEST_CELLS
    ]


def _sentinels(column: NDArray[np.float64]) -> dict[float, int]:
    """Numbers of one column that may be markers, with their counts."""
    is_marker = np.isin(column, (*LOW, *HIGH))
    others = column[np.isfinite(column) & ~is_marker]
    if len(others) < FEWEST_OTHERS:
        return {}
    found = {}
    for number, n_cells in zip(*np.unique(column[is_marker], return_counts=True), strict=True):
        is_low = number in LOW and others.min() >= 0
        is_far = number in HIGH and FAR * np.abs(others).max() <= number
        if is_low or (is_far and n_cells >= FEWEST_CELLS):
            found[float(number)] = int(n_cells)
    return found
