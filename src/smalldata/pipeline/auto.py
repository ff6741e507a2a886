"""Whether the numbers of a table need a transform before they are scaled, by their values alone.

Step in the line: training columns -> **Auto** -> in-fold preprocessing of a learner that scales. It
reads no target and no held-out row, and mixes no columns. How the rule was found:
``benchmarks/defaults``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smalldata.learner import Array
from smalldata.pipeline.transforms import Log, centre_and_scale, column_chunks, fit_log, standardise

SKEWED = 1.2
"""Median skewness above which a table without negative values gets logarithms."""

NOT_NEGATIVE = 0.9
"""Share of the columns that must be without negative values for that."""

HEAVY = 2.0
"""Median excess kurtosis above which the far values of a table are drawn in."""

LIMIT = 3.0
"""Standard deviations that far values approach after logarithms, as in the networks (``clip``)."""

TIGHT_LIMIT = 1.5
"""The same in a heavy-tailed table, where the far values make the standard deviation large."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Auto:
    """A fitted choice: logarithms, and which columns get a limit once they are scaled.

    Attributes
    ----------
    logged, limited : ndarray of bool, shape (n_columns,)
    log : Log
    limit : float
        Standard deviations that the values of limited columns approach.
    """

    logged: NDArray[np.bool_]
    limited: NDArray[np.bool_]
    log: Log
    limit: float

    def __call__(self, X: Array) -> Array:
        """Take the logarithms of rows; a value below 0, unseen in training, counts as 0."""
        if not self.logged.any():
            return X
        out = X.copy()
        for part in column_chunks(X.shape[1]):
            at = part.start + np.flatnonzero(self.logged[part])
            if len(at):
                out[:, at] = self.log.subset(at)(np.maximum(X[:, at], 0.0))
        return out

    def subset(self, columns: NDArray[np.int64]) -> "Auto":
        """Return the same transform of some of the columns."""
        return Auto(
            logged=self.logged[columns],
            limited=self.limited[columns],
            log=self.log.subset(columns),
            limit=self.limit,
        )

    def counts(self) -> dict[str, int]:
        """Return the number of columns, of those logged, and of those limited."""
        return {
            "columns": len(self.logged),
            "log": int(self.logged.sum()),
            "limit": int(self.limited.sum()),
        }


def fit_auto(X: Array, names: NDArray[np.object_]) -> Auto:
    """Decide by the skewness and the tails of the columns that have more than two values.

    A table is *skewed* if at least `NOT_NEGATIVE` of these columns have no negative value and their
    median skewness exceeds `SKEWED`. Then each of them gets its logarithm where that is less
    skewed than it is to the right, and the limit `LIMIT`. Another table gets `TIGHT_LIMIT` if its
    median excess kurtosis exceeds `HEAVY`. A column of two values is left alone: once it is scaled,
    every transform of it is the same.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        NaN where missing.
    names : ndarray of shape (n_columns,)

    Returns
    -------
    Auto
    """
    log = fit_log(X, names)
    if not len(X):
        none = np.zeros(X.shape[1], dtype=bool)
        return Auto(logged=none, limited=none, log=log, limit=LIMIT)
    free, positive, logged = np.zeros((3, X.shape[1]), dtype=bool)
    skewness, tails = np.zeros((2, X.shape[1]))
    for part in column_chunks(X.shape[1]):
        x = X[:, part]
        low, high = np.fmin.reduce(x, axis=0), np.fmax.reduce(x, axis=0)
        free[part] = ~((low == x) | (high == x) | np.isnan(x)).all(axis=0)
        positive[part] = ~(low < 0)
        skewness[part], tails[part] = moments(x)
    nothing = Auto(logged=logged, limited=np.zeros_like(free), log=log, limit=LIMIT)
    if not free.any():
        return nothing
    if positive[free].mean() >= NOT_NEGATIVE and np.median(skewness[free]) > SKEWED:
        asked = np.flatnonzero(free & positive & (skewness > 0))
        for part in column_chunks(len(asked)):
            at = asked[part]
            after, _ = moments(log.subset(at)(X[:, at]))
            logged[at] = np.abs(after) < skewness[at]
        return Auto(logged=logged, limited=free, log=log, limit=LIMIT)
    if np.median(tails[free]) > HEAVY:
        return Auto(logged=logged, limited=free, log=log, limit=TIGHT_LIMIT)
    return nothing


def draw_in(Z: Array, columns: NDArray[np.int64], *, limit: float) -> None:
    """Replace z by z / sqrt(1 + (z / limit)^2), which approaches limit, in some columns of Z."""
    for part in column_chunks(len(columns)):
        z = Z[:, columns[part]]
        Z[:, columns[part]] = z / np.hypot(1.0, z / limit)


def moments(X: Array) -> tuple[Array, Array]:
    """Return the skewness and the excess kurtosis of each column's observed values; 0 if constant.

    Examples
    --------
    >>> skewness, tails = moments(np.array([[0.0, 1.0], [0.0, -1.0], [3.0, 1.0], [0.0, -1.0]]))
    >>> skewness.round(3).tolist(), tails.round(3).tolist()
    ([1.155, 0.0], [-0.667, -2.0])
    """
    centre, scale = centre_and_scale(X)
    z = standardise(X, centre, scale)
    is_missing = np.isnan(z)
    n = np.maximum(len(z) - is_missing.sum(axis=0), 1)
    z[is_missing] = 0.0
    squared = z * z
    third, fourth = (np.einsum("ij,ij->j", squared, other) / n for other in (z, squared))
    return np.asarray(third), np.where(scale > 0, fourth - 3.0, 0.0)
