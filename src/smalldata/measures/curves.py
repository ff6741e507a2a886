"""Curves of out-of-fold predictions: ROC, precision-recall, calibration. Arrays in, arrays out.

Step in the line: stored predictions -> **curve points** -> figures. Every threshold is a point;
nothing is smoothed, thinned or interpolated.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.results.folds import Array


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

    Average precision is the area under these points as steps: the sum of precision times the gain
    in recall.

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
    inner = np.quantile(probability, np.arange(1, n_bins) / n_bins)
    place = np.unique(np.searchsorted(inner, probability, side="left"), return_inverse=True)[1]
    count = np.bincount(place)
    predicted = np.bincount(place, weights=probability) / count
    observed = np.bincount(place, weights=np.asarray(y == 1, dtype=np.float64)) / count
    return predicted, observed, count.astype(np.int64)


def _hits(y: NDArray[Any], score: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Count positives and rows at or above each distinct score, from the top."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.append(score[order][1:] != score[order][:-1], len(y) > 0))
    return np.cumsum(y[order] == 1)[last], last + 1
