"""Groups of correlated features, which share credit, and the twin of each feature.

Step in the line: the table and the leading features of a ranking -> **groups, dendrogram, twins**
-> report. Arrays in, numbers out; models are not involved.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from smalldata.results.folds import Array

ALIKE = 0.8
"""Smallest |Spearman correlation| of features that count as alike, and of a substitute to try."""

FEWEST_ROWS = 10
"""Columns that share fewer rows count as uncorrelated, unless the table itself is smaller."""

CHUNK_BYTES = 16_000_000
"""Bytes of the columns compared at once with the features of `correlation_groups`."""


@dataclass(frozen=True, kw_only=True)
class Merge:
    """One bracket of a dendrogram.

    Attributes
    ----------
    left, right : float
        Places of its two sides in `CorrelationGroups.order` (the first is 0).
    left_height, right_height : float
        Heights at which the sides start: 0 for a feature, else the height of the bracket below.
    height : float
        Mean of 1 - |correlation| between the features of the two sides.
    """

    left: float
    right: float
    left_height: float
    right_height: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Twin:
    """The feature that correlates most with another one.

    Attributes
    ----------
    name : str
    correlation : float
        Spearman correlation, with its sign.
    """

    name: str
    correlation: float


@dataclass(frozen=True, kw_only=True)
class CorrelationGroups:
    """Which features are correlated, and the closest twin of each.

    Attributes
    ----------
    features : tuple of str
        As given.
    threshold : float
    group : tuple of int
        Group of each feature; groups are numbered from 0 by their first feature.
    order : tuple of int
        Positions in ``features`` along the dendrogram.
    merges : tuple of Merge
        One fewer than features, by height.
    twins : tuple of Twin or None
        The twin of each feature among all columns of the table; None if nothing is comparable.
    """

    features: tuple[str, ...]
    threshold: float
    group: tuple[int, ...]
    order: tuple[int, ...]
    merges: tuple[Merge, ...]
    twins: tuple[Twin | None, ...]


def correlation_groups(
    X: pd.DataFrame, features: Sequence[str], *, threshold: float = 0.7
) -> CorrelationGroups:
    """Group features by the size of their rank correlation, and find the twin of each.

    Average linkage (Sokal & Michener 1958) on 1 - |Spearman correlation| over the rows where both
    are known. Features stay together while the mean |correlation| between their sides is at least
    the threshold. Categorical columns correlate with nothing, and neither do columns that are
    constant over the rows they share, or share fewer than `FEWEST_ROWS`.

    Parameters
    ----------
    X : DataFrame of shape (n_samples, n_columns)
        Numbers (missing: NaN) or categoricals.
    features : sequence of str
        Columns to group, at least one: the leading ones of a wide table. Their twins are searched
        among all columns, in chunks.
    threshold : float
        Above 0, at most 1.

    Returns
    -------
    CorrelationGroups

    Raises
    ------
    ValueError
        If there is no feature, one is not in the table or repeated, or the threshold is out of
        range.

    Example
    -------
    >>> rows = np.arange(12.0)
    >>> X = pd.DataFrame({"a": rows, "b": (rows - 5) ** 2, "c": -(rows**3)})
    >>> found = correlation_groups(X, ["a", "b"])
    >>> found.group, found.twins[0]
    ((0, 1), Twin(name='c', correlation=-1.0))
    """
    names = [str(name) for name in features]
    unknown = [name for name in features if name not in X.columns]
    if not names or unknown or len(set(names)) < len(names):
        raise ValueError(f"features must be different columns of the table; got {names}")
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be above 0 and at most 1; got {threshold}")
    place_of = {column: place for place, column in enumerate(X.columns)}
    places = np.array([place_of[name] for name in features])
    found = rank_correlations(X, places)
    within = np.abs(found[:, places])
    order, merges, group = _cluster(1 - (within + within.T) / 2, threshold)
    return CorrelationGroups(
        features=tuple(names),
        threshold=threshold,
        group=group,
        order=order,
        merges=merges,
        twins=_find_twins(X, places, found),
    )


def rank_correlations(X: pd.DataFrame, places: NDArray[np.int64]) -> Array:
    """Return the Spearman correlations of some columns of a table with every column.

    Parameters
    ----------
    X : DataFrame of shape (n_samples, n_columns)
        As in `correlation_groups`.
    places : ndarray of int of shape (n_places,)
        Positions of the columns.

    Returns
    -------
    ndarray of shape (n_places, n_columns)
        Over the rows where both are known; 0 if undefined, see `correlation_groups`.
    """
    mine = _columns(X, places)
    width = max(1, CHUNK_BYTES // (8 * max(len(X), 1)))
    found = np.zeros((len(places), X.shape[1]))
    for start in range(0, X.shape[1], width):
        chunk = np.arange(start, min(start + width, X.shape[1]))
        found[:, chunk] = _correlate(mine, _columns(X, chunk))
    return found


def _columns(X: pd.DataFrame, places: NDArray[np.int64]) -> Array:
    """Return columns as numbers, (n_samples, n_places); a categorical is all missing."""
    part = X.iloc[:, places]
    columns = np.full(part.shape, np.nan)
    known = np.array([pd.api.types.is_numeric_dtype(dtype) for dtype in part.dtypes], dtype=bool)
    columns[:, known] = part.iloc[:, known].to_numpy(dtype=np.float64)
    return columns


def _find_twins(
    X: pd.DataFrame, places: NDArray[np.int64], found: Array
) -> tuple[Twin | None, ...]:
    """Return the strongest correlation of each place, from (n_places, n_columns)."""
    others = np.where(places[:, None] == np.arange(X.shape[1]), 0.0, found)
    strongest = np.abs(others).argmax(axis=1)
    return tuple(
        Twin(name=str(X.columns[other]), correlation=float(value)) if value else None
        for other, value in zip(
            strongest, np.take_along_axis(others, strongest[:, None], 1)[:, 0], strict=True
        )
    )


def _correlate(mine: Array, others: Array) -> Array:
    """Return the Spearman correlation of each pair of columns over the rows where both are known.

    0 if undefined. Columns without missing values are ranked once, others for each pair.
    """
    found = np.zeros((mine.shape[1], others.shape[1]))
    whole = np.asarray(np.isfinite(mine).all(axis=0))
    full = np.asarray(np.isfinite(others).all(axis=0))
    if len(mine) >= 2 and whole.any() and full.any():
        left, right = _standard_ranks(mine[:, whole]), _standard_ranks(others[:, full])
        found[np.ix_(whole, full)] = left.T @ right
    for place in np.flatnonzero(np.isfinite(mine).any(axis=0)):
        partial = np.flatnonzero(~full) if whole[place] else np.arange(others.shape[1])
        if not len(partial):
            continue
        theirs = others[:, partial]
        ours = np.where(np.isnan(theirs), np.nan, mine[:, place, None])
        theirs = np.where(np.isnan(ours), np.nan, theirs)
        products = (_standard_ranks(ours) * _standard_ranks(theirs)).sum(axis=0)
        enough = (~np.isnan(ours)).sum(axis=0) >= min(FEWEST_ROWS, len(mine))
        found[place, partial] = np.where(enough, products, 0.0)
    # Equal columns must tie, whatever the order of summation.
    return np.clip(np.round(found, 12), -1.0, 1.0)


def _standard_ranks(columns: Array) -> Array:
    """Return ranks of each column, centred, with norm 1; 0 for missing and constant ones."""
    known: NDArray[np.bool_] = ~np.isnan(columns)
    # Twice as fast along the contiguous axis.
    ranks = rankdata(np.ascontiguousarray(columns.T), axis=1, nan_policy="omit").T
    # The mean of the ranks 1 … n, ties or not.
    ranks = np.where(known, ranks - (known.sum(axis=0) + 1) / 2, 0.0)
    lengths = np.sqrt(np.square(ranks).sum(axis=0))
    standard: Array = ranks / np.where(lengths > 0, lengths, 1.0)
    return standard


def _cluster(
    distance: Array, threshold: float
) -> tuple[tuple[int, ...], tuple[Merge, ...], tuple[int, ...]]:
    """Return leaf order, brackets and groups of an average linkage of (n, n) distances."""
    n = len(distance)
    if n == 1:
        return (0,), (), (0,)
    from scipy.cluster.hierarchy import fcluster, leaves_list, linkage

    tree = linkage(distance[np.triu_indices(n, 1)], method="average")
    order = leaves_list(tree)
    stands = np.empty(2 * n - 1)
    stands[order] = np.arange(n)
    heights = np.concatenate([np.zeros(n), tree[:, 2]])
    merges = []
    for number, (first, second) in enumerate(tree[:, :2].astype(np.int64), start=n):
        # The leaf order has the first side on the left.
        stands[number] = (stands[first] + stands[second]) / 2
        merges.append(
            Merge(
                left=float(stands[first]),
                right=float(stands[second]),
                left_height=float(heights[first]),
                right_height=float(heights[second]),
                height=float(heights[number]),
            )
        )
    # Rounding must not separate features whose correlation equals the threshold.
    labels = fcluster(tree, 1 - threshold + 1e-12, criterion="distance")
    _, first_seen, inverse = np.unique(labels, return_index=True, return_inverse=True)
    number_of = np.argsort(np.argsort(first_seen))
    group = tuple(int(label) for label in number_of[inverse])
    return tuple(int(leaf) for leaf in order), tuple(merges), group
