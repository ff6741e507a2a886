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

from smalldata.results.folds import Array, Score

PROBABILITY_FLOOR = float(np.finfo(np.float64).eps)
"""Log loss raises smaller probabilities to this; otherwise one certain error makes it infinite."""

LOGIT_CLIP = 1e-6
"""The calibration slope keeps probabilities this far from 0 and 1, where logits are infinite."""


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
    """Sum over distinct thresholds of precision times gain in recall (steps, no trapezoids)."""
    score = positive_score(given)
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(y[order] == 1)
    # True at the last row of every run of equal scores, which no threshold can split.
    last = np.append(score[order][1:] != score[order][:-1], True)
    taken = np.flatnonzero(last) + 1
    gained = np.diff(hits[last], prepend=0)
    return Score(value=float(np.sum(gained * hits[last] / taken) / hits[-1]))


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

    1 is calibrated, below 1 over-confident. Unpenalised maximum likelihood with an intercept, by
    Newton's method; in one dimension it exists exactly if the two classes overlap (Albert &
    Anderson 1984).
    """
    p = given[:, 1]
    clipped = np.clip(p, LOGIT_CLIP, 1 - LOGIT_CLIP)
    logit = np.log(clipped) - np.log1p(-clipped)
    if np.ptp(logit) == 0:
        return Score(value=None, reason="all predicted probabilities are equal")
    negative, positive = logit[y == 0], logit[y == 1]
    if negative.max() <= positive.min() or positive.max() <= negative.min():
        return Score(value=None, reason="the probabilities separate the classes, no finite slope")
    slope = _logistic_slope(logit, y.astype(np.float64))
    if slope is None:
        return Score(value=None, reason="the slope's maximum likelihood was not found")
    n_clipped = int(np.sum(clipped != p))
    note = f"{n_clipped} of {len(y)} probabilities clipped by {LOGIT_CLIP:g}" if n_clipped else ""
    return Score(value=slope, note=note)


def _logistic_slope(x: Array, y: Array) -> float | None:
    """Return the maximum-likelihood slope by Newton steps, halved until the likelihood rises."""
    centre, width = float(np.mean(x)), float(np.std(x))
    design = np.column_stack([np.ones(len(x)), (x - centre) / width])

    def likelihood(beta: Array) -> float:
        eta = design @ beta
        return float(y @ eta - np.sum(np.logaddexp(0.0, eta)))

    beta = np.zeros(2)
    best = likelihood(beta)
    for _ in range(100):
        p = 0.5 * (1.0 + np.tanh(0.5 * (design @ beta)))
        gradient = design.T @ (y - p)
        if float(np.max(np.abs(gradient))) < 1e-9 * len(y):
            return float(beta[1]) / width
        weight = p * (1 - p)
        a, b = float(np.sum(weight)), float(weight @ design[:, 1])
        c = float(weight @ design[:, 1] ** 2)
        determinant = a * c - b * b
        if not determinant > 0:
            return None
        step = np.array([c * gradient[0] - b * gradient[1], a * gradient[1] - b * gradient[0]])
        step /= determinant
        while (found := likelihood(beta + step)) < best - 1e-12 * abs(best):
            step /= 2
        beta, best = beta + step, found
    return None


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
