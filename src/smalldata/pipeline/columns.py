"""The columns of a table for the preprocessing: kinds, numbers, medians, filled gaps.

Step in the line: X -> **arrays of numbers** -> in-fold preprocessing.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.errors import DataError
from smalldata.learner import Array


def column_kinds(X: pd.DataFrame) -> tuple[NDArray[np.int64], list[int]]:
    """Return the positions of the numeric and of the categorical columns."""
    categorical = []
    numeric = []
    for feature, dtype in enumerate(X.dtypes):
        if isinstance(dtype, pd.CategoricalDtype):
            categorical.append(feature)
        elif isinstance(dtype, np.dtype) and dtype.kind in "fiub":
            numeric.append(feature)
        else:
            raise DataError(
                f"a feature must be numeric or categorical; {X.columns[feature]!r} is {dtype}."
            )
    return np.array(numeric, dtype=np.int64), categorical


def read_numbers(X: pd.DataFrame, columns: NDArray[np.int64]) -> Array:
    """Copy these columns as float64 in row order; a missing value is NaN."""
    part = X if len(columns) == X.shape[1] else X.iloc[:, columns]
    return np.array(part.to_numpy(dtype=np.float64), order="C")


def column_medians(X: Array) -> Array:
    """Return the median of the observed rows of each column; NaN if there are none."""
    if len(X) == 0 or X.shape[1] == 0:
        return np.full(X.shape[1], np.nan)
    ordered = np.sort(X, axis=0)
    n = (~np.isnan(X)).sum(axis=0)
    columns = np.arange(X.shape[1])
    low, high = ordered[np.maximum(n - 1, 0) // 2, columns], ordered[n // 2, columns]
    return np.asarray(low / 2 + high / 2)


def fill_missing(X: Array, medians: Array) -> Array:
    """Copy X with missing values set to the column's median (0 if there is none)."""
    missing = np.isnan(X)
    if not missing.any():
        return X.copy()
    return np.where(missing, np.where(np.isnan(medians), 0.0, medians), X)
