"""What stands for values below or above a limit that the table does not state.

Step in the line: X of the training rows -> **Limits** -> in-fold preprocessing. No held-out row has
a part in them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from smalldata.learner import Array
from smalldata.pipeline.columns import column_kinds, read_numbers
from smalldata.task import BelowLimit, Task


@dataclass(frozen=True, kw_only=True, eq=False)
class Limits:
    """The numbers for -inf and inf, by column.

    Attributes
    ----------
    columns : ndarray of int
        Positions of the numeric columns.
    low, high : ndarray of shape (n_columns,)
        NaN for a column without a value in the training rows.
    """

    columns: NDArray[np.int64]
    low: Array
    high: Array

    def fill(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return a table with numbers in the place of infinities; a table without is returned."""
        values = read_numbers(X, self.columns)
        infinite = np.isinf(values)
        if not infinite.any():
            return X
        values = np.where(np.isneginf(values), self.low, values)
        values = np.where(np.isposinf(values), self.high, values)
        if len(self.columns) == X.shape[1]:
            return pd.DataFrame(values, index=X.index, columns=X.columns)
        out = X.copy()
        for place in np.flatnonzero(infinite.any(axis=0)):
            out.isetitem(int(self.columns[place]), values[:, place])
        return out


def learn_limits(X: pd.DataFrame, below: BelowLimit) -> Limits:
    """Find the smallest and the largest value of each numeric column.

    A cell that stated its limit counts with the limit, not with the share of it that X holds.

    Parameters
    ----------
    X : DataFrame of shape (n_samples, n_features)
        The training rows, or all of them where a table is only shown.
    below : BelowLimit

    Returns
    -------
    Limits

    Examples
    --------
    >>> X = pd.DataFrame({"a": [-np.inf, 4.0, 6.0], "b": [-np.inf, 0.5, 3.0]})
    >>> found = learn_limits(X, BelowLimit(factor=0.5, stated=(("b", (0.5,)),)))
    >>> found.low.tolist(), found.high.tolist()
    ([2.0, 0.5], [6.0, 3.0])
    """
    columns, _ = column_kinds(X)
    values = read_numbers(X, columns)
    values[np.isinf(values)] = np.nan
    high = np.fmax.reduce(values, axis=0, initial=-np.inf)
    stated = dict(below.stated)
    for place, column in enumerate(columns):
        if known := stated.get(str(X.columns[column])):
            here = values[:, place]
            values[:, place] = np.where(np.isin(here, known), here / below.factor, here)
    low = below.factor * np.fmin.reduce(values, axis=0, initial=np.inf)
    return Limits(
        columns=columns,
        low=np.where(np.isfinite(low), low, np.nan),
        high=np.where(np.isfinite(high), high, np.nan),
    )


def without_limits(X: pd.DataFrame, below: BelowLimit | None) -> pd.DataFrame:
    """Return a table with limits learned from all of its rows: to be shown, never to be fitted."""
    return X if below is None else learn_limits(X, below).fill(X)


def shown_column(task: Task, place: int) -> "pd.Series[Any]":
    """Return one feature as a picture shows it, see `without_limits`."""
    return without_limits(task.X.iloc[:, [place]], task.dataset.below).iloc[:, 0]
