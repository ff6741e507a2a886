"""The order in which a network that reads neighbours together gets its columns.

Neighbouring columns of a spectrum are similar. The columns of most tables are in any order, so they
are reordered by correlation on the training rows of the fold. Step in the line: preprocessed
training rows -> **order** -> inputs of a network.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from smalldata.learner import Array

Order = Literal["auto", "given", "correlation"]

MOST_CLUSTERED = 4_000
"""Columns clustered at once: the time and memory of clustering grow with their square."""

LEAST_ALIKE = 0.5
"""Mean |correlation| of neighbours below which the given order is not a curve."""

LEAST_NEAR = 1.1
"""The given order is kept if 1 - |correlation| of its neighbours is at most this many times that of
clustered columns. This ratio is 0.05 for the bundled spectra, 24 for the same spectra shuffled, 1.2
to 1.9 for the other bundled tables, and 1.0 to 1.1 for unrelated columns."""


def order_columns(X: Array, order: Order) -> NDArray[np.int64] | None:
    """Return the positions of the columns in the order a network gets them; None: unchanged.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_columns)
        Preprocessed training rows.
    order : {"auto", "given", "correlation"}
        ``auto``: as given if neighbours are as similar as clustering would make them, as in a
        spectrum; otherwise by correlation.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(2, 50))
    >>> order_columns(np.column_stack([a, b, -a, b + 0.1]), "auto").tolist()
    [0, 2, 1, 3]
    >>> order_columns(np.column_stack([a, -a, b, b + 0.1]), "auto") is None
    True
    """
    if order == "given" or X.shape[1] < 3:
        return None
    clustered = correlation_order(X)
    given, best = neighbour_likeness(X), neighbour_likeness(X[:, clustered])
    is_curve = given >= LEAST_ALIKE and 1.0 - given <= LEAST_NEAR * (1.0 - best)
    return None if order == "auto" and is_curve else clustered


def correlation_order(X: Array) -> NDArray[np.int64]:
    """Return the leaves of an average-linkage clustering of the columns by 1 - |correlation|.

    More than `MOST_CLUSTERED` columns are first sorted by their loadings on the first principal
    component and cut into equal parts, which are clustered one by one.
    """
    units = _unit_columns(X)
    n_parts = -(-X.shape[1] // MOST_CLUSTERED)
    parts = [np.arange(X.shape[1])]
    if n_parts > 1:
        _, _, loadings = np.linalg.svd(units, full_matrices=False)
        parts = np.array_split(np.argsort(loadings[0], kind="stable"), n_parts)
    return np.concatenate([part[_leaves(units[:, part])] for part in parts]).astype(np.int64)


def neighbour_likeness(X: Array) -> float:
    """Return the mean |correlation| of neighbouring columns."""
    units = _unit_columns(X)
    return float(np.abs((units[:, 1:] * units[:, :-1]).sum(axis=0)).mean())


def _leaves(units: Array) -> NDArray[np.int64]:
    if units.shape[1] < 3:
        return np.arange(units.shape[1])
    distances = 1.0 - np.abs(units.T @ units)
    np.fill_diagonal(distances, 0.0)
    condensed = squareform(np.clip(distances, 0.0, 1.0), checks=False)
    return np.asarray(leaves_list(linkage(condensed, method="average")), dtype=np.int64)


def _unit_columns(X: Array) -> Array:
    """Centre the columns and scale them to length 1; constant ones become 0."""
    centred = X - X.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=0)
    constant = lengths <= 1e-12 * np.sqrt(len(X)) * np.maximum(1.0, np.abs(X).max(axis=0))
    return np.asarray(np.where(constant, 0.0, centred / np.where(constant, 1.0, lengths)))
