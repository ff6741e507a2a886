"""Curves of out-of-fold predictions: ROC, precision-recall, calibration. Arrays in, arrays out.

Step in the line: stored predictions -> **curve points** -> figures. Every threshold is a point;
nothing is smoothed, thinned or interpolated.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.results.folds import Array

NORMAL_QUANTILE = 1.959964
"""97.5 % of the standard normal distribution lies below it."""


def roc_points(y: NDArray[Any], score: NDArray[Any]) -> tuple[Array, Array]:
    """Return the points of the ROC curve, from (0, 0) to (1, 1), one per distinct score.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        1 or True for the positive class.
    score : ndarray of shape (n_rows,)
        Higher means more likely positive.

    Returns
    -------
    (false_positive_rate, true_positive_rate) : ndarrays of shape (n_points,)
        Two empty arrays if a class is missing: the curve is undefined.

    Example
    -------
    >>> roc_points(np.array([0, 1, 1]), np.array([0.2, 0.2, 0.9]))
    (array([0., 0., 1.]), array([0. , 0.5, 1. ]))
    """
    hits, taken = _hits(y, score)
    n_positive = hits[-1] if len(hits) else 0
    if not 0 < n_positive < len(y):
        return np.empty(0), np.empty(0)
    true_rate = np.append(0.0, hits / n_positive)
    false_rate = np.append(0.0, (taken - hits) / (len(y) - n_positive))
    return false_rate, true_rate


def precision_recall_points(y: NDArray[Any], score: NDArray[Any]) -> tuple[Array, Array]:
    """Return the points of the precision-recall curve, by rising recall, one per distinct score.

    Where no scores are equal, average precision is the area under these points as steps: the sum
    of precision times the gain in recall.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        1 or True for the positive class.
    score : ndarray of shape (n_rows,)

    Returns
    -------
    (recall, precision) : ndarrays of shape (n_points,)
        Two empty arrays if there is no positive row.
    """
    hits, taken = _hits(y, score)
    if not len(hits) or hits[-1] == 0:
        return np.empty(0), np.empty(0)
    return hits / hits[-1], hits / taken


def calibration_points(
    y: NDArray[Any], probability: NDArray[Any], *, n_bins: int = 10
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return the observed share of positives and the mean predicted probability in quantile bins.

    Rows of equal probability stay together, so bins may be fewer and unequal.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        1 or True for the positive class.
    probability : ndarray of shape (n_rows,)
        Of the positive class.
    n_bins : int
        Number of bins wanted.

    Returns
    -------
    (predicted, observed, count) : ndarrays of shape (n_bins_found,)
        By rising probability.
    """
    if not len(y):
        return np.empty(0), np.empty(0), np.empty(0, dtype=np.int64)
    place = quantile_bins(probability, n_bins=n_bins)
    count = np.bincount(place)
    predicted = np.bincount(place, weights=probability) / count
    observed = np.bincount(place, weights=np.asarray(y == 1, dtype=np.float64)) / count
    return predicted, observed, count.astype(np.int64)


def quantile_bins(probability: NDArray[Any], *, n_bins: int) -> NDArray[np.int64]:
    """Return the bin of each row, from 0, by rising probability; equal ones stay together."""
    inner = np.quantile(probability, np.arange(1, n_bins) / n_bins)
    place = np.searchsorted(inner, probability, side="left")
    return np.asarray(np.unique(place, return_inverse=True)[1], dtype=np.int64)


def share_band(
    truth: NDArray[np.bool_],
    bins: NDArray[np.int64],
    units: NDArray[np.int64],
    weights: Array,
) -> tuple[Array, Array]:
    """Return the 95 % interval of the share of positives in each bin.

    Units are drawn with all their rows. A bin whose share varies over the draws like that of k
    independent rows gets Wilson's (1927) interval of k rows, which has a width where all rows agree
    too. k is at most the number of units in the bin.

    Parameters
    ----------
    truth : ndarray of shape (n_rows,)
    bins : ndarray of shape (n_rows,)
        From `quantile_bins`.
    units : ndarray of shape (n_rows,)
        The sample or group that each row belongs to, from 0.
    weights : ndarray of shape (n_draws, n_units)
        How often each unit was drawn.

    Returns
    -------
    (low, high) : ndarrays of shape (n_bins_found,)
    """
    shape = (weights.shape[1], int(bins.max()) + 1)
    counts, hits = np.zeros(shape), np.zeros(shape)
    np.add.at(counts, (units, bins), 1.0)
    np.add.at(hits, (units, bins), truth.astype(np.float64))
    drawn = weights @ counts
    # A draw without any row of a bin has no share there.
    shares = np.where(drawn > 0, weights @ hits / np.maximum(drawn, 1), np.nan)
    share = hits.sum(axis=0) / counts.sum(axis=0)
    variance = np.nanvar(shares, axis=0)
    n_units = (counts > 0).sum(axis=0)
    likened = share * (1 - share) / np.maximum(variance, np.finfo(float).tiny)
    size = np.where(variance > 0, np.minimum(likened, n_units), n_units)
    spread = NORMAL_QUANTILE**2 / size
    middle = (share + spread / 2) / (1 + spread)
    reach = np.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return middle - reach, middle + reach


def _hits(y: NDArray[Any], score: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Count positives and rows at or above each distinct score, from the top."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.append(score[order][1:] != score[order][:-1], len(y) > 0))
    return np.cumsum(y[order] == 1)[last], last + 1
