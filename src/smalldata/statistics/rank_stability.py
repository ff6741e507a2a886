"""How reliable a ranking of features is: whether other folds and models repeat it.

Step in the line: Explanation -> importances of its folds -> **frequencies, stability, overlap** ->
report. Arrays in, numbers out; models are not involved.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from smalldata.results.explanation import Explanation
from smalldata.results.folds import Array

OVERLAP = 0.5
"""Variance that sets of overlapping training folds share, as a multiple of the variance between
sets: from simulation (docs/methods.md), for any number of folds and repeats."""


def explained_folds(explanation: Explanation) -> list[tuple[int, int]]:
    """List the folds of an explanation as (repeat, fold), in order."""
    pairs = np.unique(np.stack([explanation.repeat, explanation.fold], axis=1), axis=0)
    return [(int(repeat), int(fold)) for repeat, fold in pairs]


def fold_importances(explanation: Explanation) -> Array:
    """Return the mean |phi| over the rows of each fold, in the order of `explained_folds`.

    Returns
    -------
    ndarray of shape (n_folds, n_features, n_outputs)
    """
    return np.stack(
        [
            np.abs(
                explanation.values[(explanation.repeat == repeat) & (explanation.fold == fold)]
            ).mean(axis=0, dtype=np.float64)
            for repeat, fold in explained_folds(explanation)
        ]
    )


def top_k_sets(importances: ArrayLike, k: int) -> NDArray[np.bool_]:
    """Mark the k features of largest importance in each set; ties go to the earlier feature.

    Parameters
    ----------
    importances : array_like of shape (n_sets, n_features)
        At least 0; a feature of importance 0 is unused and never marked.
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
    """Return the share of sets in which each feature is among the first k, see `top_k_sets`.

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


def nogueira(
    selections: ArrayLike, *, overlap: float = 0.0, level: float = 0.95
) -> tuple[float, float, float]:
    """Return the stability of sets of features, corrected for chance, with an interval.

    With p_f the share of the M sets that contain feature f, kbar their mean size and d features,

        stability = 1 - mean_f(M / (M - 1) p_f (1 - p_f)) / (kbar/d (1 - kbar/d))

    (Nogueira, Sechidis & Brown 2018, JMLR 18:174, definition 4). It is 1 for identical sets and 0
    in expectation for sets drawn at random. The interval is the jackknife's over sets (Tukey 1958;
    Efron & Stein 1981, Annals of Statistics 9:586) with Student's t of M - 1 degrees of freedom:
    the paper's asymptotic one (theorem 7) covers far too rarely with few sets, see
    docs/methods.md. With an ``overlap`` of 0 the sets count as independent draws. Those of
    overlapping training folds are not: they share samples, so they move together from one sample
    of patients to the next. The squared standard error is then (1 + M overlap) times the
    jackknife's, as Nadeau & Bengio (2003) widen that of a mean score.

    Parameters
    ----------
    selections : array_like of bool of shape (n_sets, n_features)
    overlap : float
        Variance that the sets share, over the variance between them; `OVERLAP` for the folds of a
        cross-validation, 0 for independent sets.
    level : float

    Returns
    -------
    stability, low, high : float
        The bounds stay within the range of the index, -1 / (n_sets - 1) to 1; two sets, or sets
        that are nearly all empty, give that whole range.

    Raises
    ------
    ValueError
        If there are fewer than two sets, or all are empty or have every feature: then the index is
        undefined.

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
            f"stability needs sets with some but not all features; {n_sets} sets have "
            f"{'all' if counts.any() else 'none'} of {n_features}"
        )
    lowest = -1 / (n_sets - 1)
    without = _stability(counts - sets, n_sets - 1) if n_sets > 2 else np.array([np.nan])
    if np.isnan(without).any():
        return stability, lowest, 1.0
    shared = 1 + n_sets * overlap
    spread = np.square(without - without.mean()).sum()
    error = np.sqrt(shared * (n_sets - 1) / n_sets * spread)
    reach = float(stdtrit(n_sets - 1, 0.5 + level / 2)) * float(error)
    return stability, max(stability - reach, lowest), min(stability + reach, 1.0)


def _stability(counts: Array, n_sets: int) -> Array:
    """Return the index from how many sets have each feature, (…, n_features); NaN: undefined."""
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
    """Return the overlap of two rankings at every depth, with most weight on the top.

    Parameters
    ----------
    first, second : sequence
        The items, best first, each once; the lengths may differ.
    p : float
        Weight of a depth relative to the previous one: 0.9 gives the first ten places 86 %.

    Returns
    -------
    float
        1 for equal rankings, 0 for rankings that share nothing. Beyond the ends, the overlap is
        assumed to stay as observed (Webber, Moffat & Zobel 2010, ACM Transactions on
        Information Systems 28:20, equation 32). Two empty rankings are equal.

    Raises
    ------
    ValueError
        If an item is ranked twice, or p is not between 0 and 1.

    Example
    -------
    >>> rank_biased_overlap("abc", "abc"), rank_biased_overlap("ab", "cd")
    (1.0, 0.0)
    >>> round(rank_biased_overlap("abcde", "bacde"), 6)
    0.9
    """
    short, long = sorted((list(first), list(second)), key=len)
    if len(set(short)) < len(short) or len(set(long)) < len(long):
        raise ValueError("a ranking must have every item once")
    if not 0 < p < 1:
        raise ValueError(f"p must be between 0 and 1; got {p}")
    if not short:
        return float(not long)
    n_short, n_long = len(short), len(long)
    place = {item: depth for depth, item in enumerate(short, start=1)}
    # Count shared items by the depth at which both rankings have them.
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
