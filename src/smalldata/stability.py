"""How far a ranking of features can be relied on: does it come again, and who shares its credit.

Step in the line: importances of many folds, and the table -> **frequencies, stability, overlap,
groups of twins** -> explanation and report. Arrays in, numbers out; nothing here knows a model.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit
from scipy.stats import rankdata

from smalldata.results import Array

FEWEST_ROWS = 10
"""Columns that share fewer rows (where the table has as many) count as uncorrelated."""

CHUNK_BYTES = 16_000_000
"""Columns compared at once with the features of `correlation_groups`."""


def top_k_sets(importances: ArrayLike, k: int) -> NDArray[np.bool_]:
    """Mark the k features of largest importance in each set; ties go to the earlier feature.

    Parameters
    ----------
    importances : array_like of shape (n_sets, n_features)
        At least 0; a feature of importance 0 is not used, and never marked.
    k : int

    Returns
    -------
    ndarray of bool of shape (n_sets, n_features)

    Example
    -------
    >>> top_k_sets([[0.5, 0.2, 0.9], [0.0, 0.0, 0.4]], 2).tolist()
    [[True, False, True], [False, False, True]]
    """
    values = np.asarray(importances, dtype=np.float64)
    leading = np.argsort(-values, axis=1, kind="stable")[:, :k]
    marked = np.zeros(values.shape, dtype=np.bool_)
    np.put_along_axis(marked, leading, True, axis=1)
    return marked & (values > 0)


def top_k_frequency(importances: ArrayLike, k: int) -> Array:
    """Share of the sets in which each feature is among the first k, see `top_k_sets`.

    Parameters
    ----------
    importances : array_like of shape (n_sets, n_features)
    k : int

    Returns
    -------
    ndarray of shape (n_features,)

    Example
    -------
    >>> top_k_frequency([[0.5, 0.2, 0.9], [0.0, 0.0, 0.4]], 2).tolist()
    [0.5, 0.0, 1.0]
    """
    frequency: Array = top_k_sets(importances, k).mean(axis=0)
    return frequency


def nogueira(selections: ArrayLike, *, level: float = 0.95) -> tuple[float, float, float]:
    """Stability of sets of features, corrected for chance, with an interval.

    With p_f the share of the M sets that hold feature f, kbar their mean size and d features,

        stability = 1 - mean_f(M / (M - 1) p_f (1 - p_f)) / (kbar/d (1 - kbar/d))

    (Nogueira, Sechidis & Brown 2018, JMLR 18:174, definition 4). It is 1 for identical sets and 0
    in expectation for sets drawn at random. The interval is the jackknife's over sets (Tukey 1958;
    Efron & Stein 1981, Annals of Statistics 9:586) with Student's t of M - 1 degrees of freedom:
    the paper's asymptotic one (theorem 7) covers far too rarely where there are few sets, see
    docs/methods.md. It takes the sets for independent draws. Those of overlapping training folds
    are not: it says how far the sets at hand pin the stability down, not how another sample of
    patients would do.

    Parameters
    ----------
    selections : array_like of bool of shape (n_sets, n_features)
    level : float

    Returns
    -------
    stability, low, high : float
        The bounds end where the index does, at -1 / (n_sets - 1) and at 1; two sets, or sets that
        are nearly all empty, give no narrower interval than that.

    Raises
    ------
    ValueError
        If there are fewer than two sets, or all are empty or hold every feature: then the index is
        not defined.

    Example
    -------
    >>> found = nogueira([[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0]])
    >>> [round(value, 3) for value in found]
    [0.5, -0.333, 1.0]
    """
    sets = np.asarray(selections, dtype=np.bool_).astype(np.float64)
    n_sets, n_features = sets.shape
    if n_sets < 2:
        raise ValueError(f"stability needs at least two sets; got {n_sets}")
    counts = sets.sum(axis=0)
    stability = float(_stability(counts, n_sets))
    if np.isnan(stability):
        raise ValueError(
            f"stability needs sets that hold some but not all features; {n_sets} sets hold "
            f"{'all' if counts.any() else 'none'} of {n_features}"
        )
    lowest = -1 / (n_sets - 1)
    without = _stability(counts - sets, n_sets - 1) if n_sets > 2 else np.array([np.nan])
    if np.isnan(without).any():
        return stability, lowest, 1.0
    error = np.sqrt((n_sets - 1) / n_sets * np.square(without - without.mean()).sum())
    reach = float(stdtrit(n_sets - 1, 0.5 + level / 2)) * float(error)
    return stability, max(stability - reach, lowest), min(stability + reach, 1.0)


def _stability(counts: Array, n_sets: int) -> Array:
    """Index of ``n_sets`` sets from how many hold each feature, (…, n_features); NaN: undefined."""
    shares = counts / n_sets
    size = shares.mean(axis=-1)
    expected = size * (1 - size)
    spread = n_sets / (n_sets - 1) * (shares * (1 - shares)).mean(axis=-1)
    defined = expected > 0
    index: Array = np.where(defined, 1 - spread / np.where(defined, expected, 1.0), np.nan)
    return index


def rank_biased_overlap(
    first: Sequence[Hashable], second: Sequence[Hashable], p: float = 0.9
) -> float:
    """Weigh the overlap of two rankings at every depth, the top most.

    Parameters
    ----------
    first, second : sequence
        What is ranked, best first, each once; their lengths may differ.
    p : float
        Weight of a depth over that of the depth before it: 0.9 gives the first ten places 86 %.

    Returns
    -------
    float
        1 for equal rankings, 0 for rankings that share nothing. What lies beyond the ends is taken
        to overlap as much as what was seen (Webber, Moffat & Zobel 2010, ACM Transactions on
        Information Systems 28:20, equation 32). Two empty rankings are equal.

    Raises
    ------
    ValueError
        If something is ranked twice, or p is not between 0 and 1.

    Example
    -------
    >>> rank_biased_overlap("abc", "abc"), rank_biased_overlap("ab", "cd")
    (1.0, 0.0)
    >>> round(rank_biased_overlap("abcde", "bacde"), 6)
    0.9
    """
    short, long = sorted((list(first), list(second)), key=len)
    if len(set(short)) < len(short) or len(set(long)) < len(long):
        raise ValueError("a ranking must hold everything once")
    if not 0 < p < 1:
        raise ValueError(f"p must be between 0 and 1; got {p}")
    if not short:
        return float(not long)
    n_short, n_long = len(short), len(long)
    place = {item: depth for depth, item in enumerate(short, start=1)}
    # Depth at which each shared item has been seen in both.
    met = np.zeros(n_long + 1)
    for depth, item in enumerate(long, start=1):
        if item in place:
            met[max(depth, place[item])] += 1
    shared = np.cumsum(met)[1:]
    depths = np.arange(1, n_long + 1)
    assumed = shared[n_short - 1] / n_short * np.maximum(depths - n_short, 0)
    agreement = (shared + assumed) / depths
    seen = (1 - p) / p * float(agreement @ p**depths)
    return min(1.0, seen + float(agreement[-1]) * p**n_long)


# ---------------------------------------------------------------- features that share their credit


@dataclass(frozen=True, kw_only=True)
class Merge:
    """One bracket of a dendrogram.

    Attributes
    ----------
    left, right : float
        Where its two sides stand, in places of `CorrelationGroups.order` (the first is 0).
    left_height, right_height : float
        Where the sides begin: 0 for a feature, else the height of the bracket below.
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
    """The feature that goes most with another one.

    Attributes
    ----------
    name : str
    correlation : float
        Spearman's, with its sign.
    """

    name: str
    correlation: float


@dataclass(frozen=True, kw_only=True)
class CorrelationGroups:
    """Which features go together, and with whom each goes most.

    Attributes
    ----------
    features : tuple of str
        As they were given.
    threshold : float
    group : tuple of int
        Group of each feature; groups are numbered from 0 by their first feature.
    order : tuple of int
        Positions in ``features`` along the dendrogram.
    merges : tuple of Merge
        One fewer than there are features, by height.
    twins : tuple of Twin or None
        Of each feature, among all columns of the table; None where nothing is comparable.
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
    the threshold. Categorical columns are left alone: they correlate with nothing. So do columns
    that are constant over the rows they share, or share fewer than `FEWEST_ROWS`.

    Parameters
    ----------
    X : DataFrame of shape (n_samples, n_columns)
        Numbers (missing: NaN) or categoricals.
    features : sequence of str
        Columns to group, at least one: the leading ones of a wide table. Their twins are looked for
        among all columns, in chunks.
    threshold : float
        Above 0, at most 1.

    Returns
    -------
    CorrelationGroups

    Raises
    ------
    ValueError
        If no feature is given, one is not in the table or given twice, or the threshold is out of
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
    numbers = [
        place for place, dtype in enumerate(X.dtypes) if pd.api.types.is_numeric_dtype(dtype)
    ]
    place_of = {column: place for place, column in enumerate(X.columns)}
    places = np.array([place_of[name] for name in features])
    mine = _columns(X, places, numbers)
    within = np.abs(_correlate(mine, mine))
    order, merges, group = _cluster(1 - (within + within.T) / 2, threshold)
    return CorrelationGroups(
        features=tuple(names),
        threshold=threshold,
        group=group,
        order=order,
        merges=merges,
        twins=_find_twins(X, places, mine, numbers),
    )


def _columns(X: pd.DataFrame, places: NDArray[np.int64], numbers: Sequence[int]) -> Array:
    """Columns as numbers, (n_samples, n_places); a categorical is missing everywhere."""
    columns = np.full((len(X), len(places)), np.nan)
    known = np.isin(places, numbers)
    columns[:, known] = X.iloc[:, places[known]].to_numpy(dtype=np.float64)
    return columns


def _find_twins(
    X: pd.DataFrame, places: NDArray[np.int64], mine: Array, numbers: Sequence[int]
) -> tuple[Twin | None, ...]:
    best = np.zeros(len(places))
    partner = np.full(len(places), -1)
    width = max(1, CHUNK_BYTES // (8 * max(len(X), 1)))
    for start in range(0, len(numbers), width):
        chunk = np.array(numbers[start : start + width])
        found = _correlate(mine, _columns(X, chunk, numbers))
        found[places[:, None] == chunk] = 0.0
        strongest = np.abs(found).argmax(axis=1)
        value = found[np.arange(len(places)), strongest]
        better = np.abs(value) > np.abs(best)
        best[better], partner[better] = value[better], chunk[strongest[better]]
    return tuple(
        Twin(name=str(X.columns[other]), correlation=float(value)) if other >= 0 else None
        for other, value in zip(partner, best, strict=True)
    )


def _correlate(mine: Array, others: Array) -> Array:
    """Spearman correlation of each pair of columns over the rows where both are known.

    0 where it is not defined. Ranks are taken once where nothing is missing, else for each pair.
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
    # Equal columns shall tie, whatever the order of a sum.
    return np.clip(np.round(found, 12), -1.0, 1.0)


def _standard_ranks(columns: Array) -> Array:
    """Ranks of each column, centred, of length 1; missing ones and constant columns are 0."""
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
    """Order of the leaves, brackets and groups of an average linkage of (n, n) distances."""
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
        left, right = sorted((first, second), key=lambda node: stands[node])
        stands[number] = (stands[left] + stands[right]) / 2
        merges.append(
            Merge(
                left=float(stands[left]),
                right=float(stands[right]),
                left_height=float(heights[left]),
                right_height=float(heights[right]),
                height=float(heights[number]),
            )
        )
    # Rounding must not part features whose correlation is the threshold itself.
    labels = fcluster(tree, 1 - threshold + 1e-12, criterion="distance")
    _, first_seen, inverse = np.unique(labels, return_index=True, return_inverse=True)
    number_of = np.argsort(np.argsort(first_seen))
    group = tuple(int(label) for label in number_of[inverse])
    return tuple(int(leaf) for leaf in order), tuple(merges), group
