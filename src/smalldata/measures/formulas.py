"""The formulas of the measures: targets and one part of a prediction in, a Score out.

Step in the line: called through `registry`, which has checked that the targets meet the formula's
demands (two classes, two values) and that the numbers are finite.
``y`` are class codes or values of shape (n,); ``given`` are labels (n,), probabilities or margins
(n, n_classes; binary margins (n, 1)) or values (n,).
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalldata.measures.calibration import LOGIT_CLIP, intercepts, logits, separates, slopes
from smalldata.results.folds import Array, Score

PROBABILITY_FLOOR = float(np.finfo(np.float64).eps)
"""Log loss raises smaller probabilities to this; otherwise one certain error makes it infinite."""


def area_under_roc(y: NDArray[Any], score: NDArray[Any]) -> float:
    """Return the share of (positive, negative) pairs with the positive higher; a tie counts half.

    The Mann-Whitney form of the area under the ROC curve (Hanley & McNeil 1982), from mid-ranks.

    Parameters
    ----------
    y : ndarray of shape (n,)
        True or 1 for the positive class; both classes present.
    score : ndarray of shape (n,)

    Example
    -------
    >>> area_under_roc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.4, 0.8]))
    0.875
    """
    positive = y == 1
    n_positive = int(np.sum(positive))
    n_negative = len(y) - n_positive
    below = float(np.sum(_mid_ranks(score)[positive])) - n_positive * (n_positive + 1) / 2
    return below / (n_positive * n_negative)


def _mid_ranks(values: NDArray[Any]) -> Array:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray(np.cumsum(counts) - (counts - 1) / 2)[place]


def positive_score(given: NDArray[Any]) -> NDArray[Any]:
    """Return the column of the positive class: the second probability, or the only margin."""
    return given[:, -1] if given.ndim == 2 else given


def roc_auc(y: NDArray[Any], given: NDArray[Any], classes: tuple[str, ...]) -> Score:
    """Area under the ROC curve."""
    return Score(value=area_under_roc(y, positive_score(given)))


def roc_auc_ovr(y: NDArray[Any], given: NDArray[Any], classes: tuple[str, ...]) -> Score:
    """Mean, over the classes present, of the AUC of each class against the rest."""
    present = [int(code) for code in np.unique(y)]
    areas = [area_under_roc(y == code, given[:, code]) for code in present]
    return Score(value=float(np.mean(areas)), note=_absent(present, classes))


def _absent(present: list[int], classes: tuple[str, ...]) -> str:
    absent = [name for code, name in enumerate(classes) if code not in present]
    if not absent:
        return ""
    return f"over {len(present)} of {len(classes)} classes; no test row of {', '.join(absent)}"


def average_precision(y: NDArray[Any], given: NDArray[Any], classes: tuple[str, ...]) -> Score:
    """Mean over the positive rows of the precision at their place, rows by falling score.

    Equal scores have no order, so the mean is the expectation over all orders within them, each
    equally likely. A run of b equal scores, p of them positive, after t rows with h positive ones
    adds p / b [(h + 1) s + (p - 1) / (b - 1) (b - (t + 1) s)] with s = 1/(t + 1) + ... + 1/(t + b).
    """
    ones = np.ones((1, len(y)))
    return Score(value=float(expected_precision(y == 1, positive_score(given), ones)[0]))


def expected_precision(positive: NDArray[np.bool_], score: NDArray[Any], weights: Array) -> Array:
    """Return the average precision of each draw of rows.

    Parameters
    ----------
    positive : ndarray of shape (n,)
    score : ndarray of shape (n,)
    weights : ndarray of shape (n_draws, n)
        How often each row was drawn, whole numbers.

    Returns
    -------
    ndarray of shape (n_draws,)
        NaN if a draw has no positive row.

    Example
    -------
    >>> expected_precision(np.array([True, False]), np.zeros(2), np.ones((1, 2)))
    array([0.75])
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(score[order][1:] != score[order][:-1], True)
    taken = np.cumsum(weights[:, order], axis=1)[:, last]
    hits = np.cumsum(weights[:, order] * positive[order], axis=1)[:, last]
    size, found = np.diff(taken, axis=1, prepend=0.0), np.diff(hits, axis=1, prepend=0.0)
    before, hits_before = taken - size, hits - found
    most = int(np.max(taken[:, -1]))
    harmonic = np.append(0.0, np.cumsum(1 / np.arange(1, most + 1)))
    inverse = harmonic[taken.astype(np.int64)] - harmonic[before.astype(np.int64)]
    # Share of the others in the run that are positive, seen from one of its positive rows.
    share = (found - 1) / np.maximum(size - 1, 1)
    gained = (hits_before + 1) * inverse + share * (size - (before + 1) * inverse)
    total = np.sum(found / np.maximum(size, 1) * gained, axis=1)
    n_positive = hits[:, -1]
    return np.asarray(np.where(n_positive > 0, total / np.maximum(n_positive, 1), np.nan))


def balanced_accuracy(y: NDArray[Any], given: NDArray[Any], classes: tuple[str, ...]) -> Score:
    """Mean recall of the classes present."""
    present = [int(code) for code in np.unique(y)]
    recalls = [float(np.mean(given[y == code] == code)) for code in present]
    return Score(value=float(np.mean(recalls)), note=_absent(present, classes))


def mcc(y: NDArray[Any], given: NDArray[Any], classes: tuple[str, ...]) -> Score:
    """Matthews' correlation for any number of classes (Gorodkin 2004); 0 if labels are constant."""
    observed = np.bincount(y, minlength=len(classes)).astype(float)
    predicted = np.bincount(given, minlength=len(classes)).astype(float)
    n = float(len(y))
    product = (n * n - observed @ observed) * (n * n - predicted @ predicted)
    if product == 0:
        return Score(value=0.0, note="all predicted labels are equal: 0 by convention")
    covariance = n * float(np.sum(y == given)) - float(observed @ predicted)
    return Score(value=covariance / math.sqrt(product))


def f1(y: NDArray[Any], given: NDArray[Any], classes: tuple[str, ...]) -> Score:
    """Harmonic mean of the precision and the recall of the positive class."""
    hits = float(np.sum((y == 1) & (given == 1)))
    return Score(value=2 * hits / float(np.sum(y == 1) + np.sum(given == 1)))


def log_loss(y: NDArray[Any], given: NDArray[Any], classes: tuple[str, ...]) -> Score:
    """Mean of -log(probability of the observed class), in nats."""
    chosen = given[np.arange(len(y)), y]
    n_clipped = int(np.sum(chosen < PROBABILITY_FLOOR))
    loss = -np.log(np.clip(chosen, PROBABILITY_FLOOR, 1.0))
    note = (
        f"{n_clipped} of {len(y)} rows gave the observed class no probability; raised to "
        f"{PROBABILITY_FLOOR:.1e}"
    )
    return Score(value=float(np.mean(loss)), note=note if n_clipped else "")


def brier(y: NDArray[Any], given: NDArray[Any], classes: tuple[str, ...]) -> Score:
    """Mean squared difference of the positive probability and the outcome (0 or 1)."""
    return Score(value=float(np.mean((given[:, 1] - y) ** 2)))


def calibration_slope(y: NDArray[Any], given: NDArray[Any], classes: tuple[str, ...]) -> Score:
    """Slope of the logistic regression of y on the logit of the probability (Cox 1958).

    1 is calibrated, below 1 over-confident. See `calibration.slopes`.
    """
    logit, n_clipped = logits(given[:, 1])
    ones = np.ones((1, len(y)))
    if np.ptp(logit) == 0:
        return Score(value=None, reason="all predicted probabilities are equal")
    if separates(logit, y, ones)[0]:
        return Score(value=None, reason="the probabilities separate the classes, no finite slope")
    slope = float(slopes(logit, y, ones)[0])
    if math.isnan(slope):
        return Score(value=None, reason="the slope's maximum likelihood was not found")
    return Score(value=slope, note=_clipped(n_clipped, len(y)))


def calibration_intercept(y: NDArray[Any], given: NDArray[Any], classes: tuple[str, ...]) -> Score:
    """Shift of the logits that makes the mean probability the share of the positive class.

    0 is calibrated in the large, below 0 the probabilities are too high. See
    `calibration.intercepts`.
    """
    logit, n_clipped = logits(given[:, 1])
    shift = float(intercepts(logit, y, np.ones((1, len(y))))[0])
    return Score(value=shift, note=_clipped(n_clipped, len(y)))


def _clipped(n_clipped: int, n_rows: int) -> str:
    return f"{n_clipped} of {n_rows} probabilities clipped by {LOGIT_CLIP:g}" if n_clipped else ""


def rmse(y: NDArray[Any], given: NDArray[Any], classes: tuple[str, ...]) -> Score:
    """Root of the mean squared error, in the unit of the target."""
    note = "one test row: its absolute error" if len(y) == 1 else ""
    return Score(value=float(np.sqrt(np.mean((y - given) ** 2))), note=note)


def mae(y: NDArray[Any], given: NDArray[Any], classes: tuple[str, ...]) -> Score:
    """Mean absolute error, in the unit of the target."""
    return Score(value=float(np.mean(np.abs(y - given))))


def r2(y: NDArray[Any], given: NDArray[Any], classes: tuple[str, ...]) -> Score:
    """1 - residual over total sum of squares, the total around the mean of the test rows."""
    residual, total = np.sum((y - given) ** 2), np.sum((y - np.mean(y)) ** 2)
    return Score(value=float(1 - residual / total))


def spearman(y: NDArray[Any], given: NDArray[Any], classes: tuple[str, ...]) -> Score:
    """Pearson correlation of the mid-ranks."""
    if len(np.unique(given)) < 2:
        return Score(value=None, reason="all predicted values are equal")
    first, second = _mid_ranks(y) - (len(y) + 1) / 2, _mid_ranks(given) - (len(y) + 1) / 2
    correlation = float(first @ second) / math.sqrt(float(first @ first) * float(second @ second))
    return Score(value=min(1.0, max(-1.0, correlation)))
